// The result of a run that tuned, together with what its hosts were found to be like afterwards.
import type { HostAnswer } from '../../fleet/pool.ts'
import type { HostReport, RevertedTuning } from '../../fleet/tuning-reports.ts'
import { exitCodes, type NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import type { TuningOptions } from '../../model/tuning.ts'
import type { CommandResult } from '../command.ts'
import { driftLines, pendingLine, problemLines, relocatedLine, settingEntries } from './tune-text.ts'

/** What was found out about a host after its run. */
interface Check {
  readonly host: string
  /** Why not all is as it should be; none when it is. */
  readonly problems: readonly string[]
  readonly lines: readonly string[]
  readonly data: Readonly<Record<string, unknown>>
}

export const appliedResult = (
  result: CommandResult,
  hosts: readonly HostAnswer<HostReport>[],
  { profile }: TuningOptions,
): CommandResult =>
  withChecks(
    result,
    hosts.map(({ host, value, error }) =>
      error === undefined ? checkApplied(host, value, profile) : unread(host, error),
    ),
    'leave out what the host cannot have with --skip, and remove or change the files that win',
  )

function checkApplied(host: string, { root, report }: HostReport, profile: string): Check {
  const problems = problemLines(report.items)
  const notes = report.items.flatMap(({ name, notes: each }) =>
    each.map((note) => (note.startsWith(name) ? note : `${name}: ${note}`)),
  )
  return {
    host,
    problems,
    data: { profile, settings: settingEntries(report), pending: report.pending },
    lines: [
      `${report.items.length - problems.length} of ${report.items.length} settings are in effect`,
      ...problems.map((problem) => `NOT in effect: ${problem}`),
      ...notes.map((note) => `note: ${note}`),
      ...pendingLine(report, restartCommand(root)),
      ...relocatedLine(root),
    ],
  }
}

const restartCommand = (root: string): string =>
  root === '/'
    ? 'the same command with --restart, or on the host: systemctl restart network_service'
    : `the same command with --restart, or ${(['stop', 'start'] as const)
        .map((action) => quoteCommand(['netops', 'service', action, '--root', root]))
        .join(' && ')}`

export const revertedResult = (result: CommandResult, hosts: readonly HostAnswer<RevertedTuning>[]): CommandResult =>
  withChecks(
    result,
    hosts.map(({ host, value, error }) => (error === undefined ? checkReverted(host, value) : unread(host, error))),
    'set these by hand; the run shows what was done: netops runs show',
  )

function checkReverted(host: string, { root, record, remains, pending }: RevertedTuning): Check {
  if (record === undefined) {
    return { host, problems: [], data: { remains: [] }, lines: ['nothing was ever applied here'] }
  }
  const { kernel, files } = record.originals
  const count = `${Object.keys(kernel).length} kernel parameters and ${Object.keys(files).length} files`
  return {
    host,
    problems: remains.map(({ what, expected, found }) => `${what}: ${found}; before it was ${expected}`),
    data: { remains, pending },
    lines: [
      remains.length === 0 ? `${count} are as they were before` : `of ${count} these are NOT as before:`,
      ...driftLines(remains),
      ...pendingLine({ items: [], pending }, restartCommand(root)),
      ...relocatedLine(root),
    ],
  }
}

function unread(host: string, { message }: NetopsError): Check {
  const line = `the host could not be read afterwards: ${message}`
  return { host, problems: [line], data: {}, lines: [line] }
}

/** The run's result with the checks: `partly` where a host is changed and not all is as it should be. */
function withChecks(result: CommandResult, checks: readonly Check[], hint: string): CommandResult {
  const [first] = checks.filter(({ problems }) => problems.length > 0)
  const { exit } = exitCodes.partly
  const hosts = (result.data.hosts as readonly Readonly<Record<string, unknown>>[]).map((host) => {
    const check = checks.find((one) => one.host === host.host)
    const outcome = (check?.problems.length ?? 0) > 0 ? { outcome: 'partly', exit, problems: check?.problems } : {}
    return { ...host, ...check?.data, ...outcome }
  })
  const lines = checks.flatMap(({ host, lines: each }) => each.map((line) => `${host}: ${line}`))
  const error = first && { code: 'partly', host: first.host, message: first.problems.join('\n'), hint }
  return {
    outcome: first === undefined ? result.outcome : 'partly',
    data: { ...result.data, hosts, ...(error === undefined ? {} : { error }) },
    text: [result.text, ...lines, ...(error === undefined ? [] : [`hint: ${hint}`])].join('\n'),
  }
}
