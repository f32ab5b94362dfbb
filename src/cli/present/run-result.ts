// What a run came to, or would come to, for people and for scripts.
import { runState } from '../../engine/journal.ts'
import { exitCodes } from '../../model/errors.ts'
import { runsCommand } from '../../model/paths.ts'
import type { FleetRunEnd, FinishedFleetRun } from '../../fleet/start-run.ts'
import { procedureNamed } from '../../procedures/list.ts'
import type { ShownStep } from '../../runs/dry-run.ts'
import { hostResults } from '../../runs/host-results.ts'
import { plain } from '../../runs/run-journal.ts'
import type { RunResult } from '../../engine/run.ts'
import type { CommandResult } from '../command.ts'
import { below, errorDocument, errorField, logLines } from './errors.ts'

export const fleetRunResult = (end: FleetRunEnd): CommandResult =>
  'shown' in end ? shownResult(end) : finishedResult(end.finished)

type ShownRun = Extract<FleetRunEnd, { readonly shown: unknown }>

/** A dry run for people: each step with its commands, one a line, ready to be read or copied. */
export function shownSteps(steps: readonly ShownStep[], indent: string): string {
  return steps
    .flatMap((step) => [
      `${indent}${step.title}${step.unchanged ? ' (unchanged)' : ''}`,
      ...step.commands.map((command) => `${indent}    ${command}`),
      ...(step.waits === undefined ? [] : [`${indent}    (wait) ${step.waits}`]),
    ])
    .join('\n')
}

function shownResult({ shown, refused }: ShownRun): CommandResult {
  const text = shown
    .map(
      ({ host, push, own }) =>
        `${host}: from here\n${shownSteps(push, '  ')}\n${host}: by its own netops\n${own.length === 0 ? '  (out of reach: decided there, once it is back)' : shownSteps(own, '  ')}`,
    )
    .concat(refused.map(({ host, error }) => `${host}: left out\n  ${below(error.message)}`))
    .join('\n\n')
  const data = shown.map(({ host, push, own, procedure }) => ({ host, push, [procedure]: own }))
  return {
    outcome: 'done',
    data: {
      dryRun: true,
      hosts: plain([...data, ...refused.map(({ host, error }) => ({ host, ...errorField(error) }))]),
    },
    text: `${text}\n\nDry run: nothing was changed.`,
  }
}

/** The result of a fleet run that has ended or stopped. */
export function finishedResult({
  procedure,
  run,
  hosts: names,
  requests,
  standings,
  ...ran
}: FinishedFleetRun): CommandResult {
  const undone = runState(ran.records).direction === 'back'
  const results = hostResults(ran, names).map((result) => {
    const request = requests.find(({ host }) => host === result.host)
    const end = { undone, standing: standings.get(result.host), results: result.results ?? {} }
    const summary =
      request === undefined
        ? { text: '', data: {} }
        : procedureNamed(request.procedure).result(request, result.changed, end)
    const { outcome, message } = result
    const line =
      outcome === 'done' ? summary.text : `${exitCodes[outcome].meaning}\n  ${below(message ?? '')}`.trimEnd()
    return { data: { ...result, ...summary.data }, line: `${result.host}: ${line}` }
  })
  const hosts = results.map(({ data }) => data)
  const lines = results.map(({ line }) => line)
  const [first] = ran.result.failures
  // What no host is to blame for, such as a hook, has a line of its own, so that the lines tell all that the exit code does.
  for (const { host, message } of ran.result.failures) if (host === undefined) lines.push(message)
  const told = new Set(results.map(({ data }) => data.outcome))
  const { outcome } = ran.result
  if (!told.has(outcome)) lines.push(exitCodes[outcome].meaning)
  const root = requests[0]?.root ?? '/'
  if (ran.result.open) {
    lines.push(`The run is not finished. Go on with: ${runsCommand('resume', run, root)}`)
    lines.push(`                Or take it back: ${runsCommand('undo', run, root)}`)
  }
  return {
    outcome: ran.result.outcome,
    data: { procedure, run, hosts, ...(first && { error: errorDocument(first) }) },
    text: [...lines, ...logLines(first), ...(first?.hint === undefined ? [] : [`hint: ${below(first.hint)}`])].join(
      '\n',
    ),
  }
}

/** The result of a host run. */
export function hostRunResult(run: string, result: RunResult): CommandResult {
  const [error] = result.failures
  return {
    outcome: result.outcome,
    data: { run, changed: result.changed, ...(error === undefined ? {} : { error }) },
    text: [
      error === undefined ? `${run}: done` : `${run}: ${exitCodes[result.outcome].meaning}\n  ${error.message}`,
      ...logLines(error),
    ].join('\n'),
  }
}
