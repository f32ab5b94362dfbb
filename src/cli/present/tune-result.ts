// What tuning found on hosts, as a command's result.
import type { HostAnswer } from '../../fleet/pool.ts'
import { exitCodes, joinOutcomes, type NetopsError, type Outcome } from '../../model/errors.ts'
import { guidePools } from '../../model/tuning-profiles.ts'
import type { TuningReport } from '../../procedures/tune/report.ts'
import type { Drift } from '../../procedures/tune/verify.ts'
import type { CommandResult } from '../command.ts'
import { errorField, errorLines } from './errors.ts'
import { table } from './table.ts'

type Data = Readonly<Record<string, unknown>>

/** What was found on one host. */
export interface TuningView {
  readonly outcome: Outcome
  readonly data: Data
  readonly lines: readonly string[]
}

/** What stands there of all hosts together. */
interface Common {
  readonly data: Data
  readonly lines: readonly string[]
}

/** The result over hosts of which nothing was changed. */
export function tuningResult<T>(
  answers: readonly HostAnswer<T>[],
  viewOf: (value: T) => TuningView,
  common: Common = { data: {}, lines: [] },
): CommandResult {
  const views = answers.map(({ host, value, error }) => ({
    host,
    view: error === undefined ? headed(host, viewOf(value)) : viewOfError(host, error),
  }))
  return {
    outcome: joinOutcomes(views.map(({ view: { outcome } }) => ({ outcome, changed: false }))),
    data: { hosts: views.map(({ host, view }) => ({ host, ...view.data })), ...common.data },
    text: [...views.flatMap(({ view }) => view.lines), ...common.lines].join('\n'),
  }
}

const headed = (host: string, view: TuningView): TuningView => ({ ...view, lines: [`${host}:`, ...view.lines] })
const viewOfError = (host: string, error: NetopsError): TuningView => ({
  outcome: error.code,
  data: errorField(error),
  lines: errorLines(host, error),
})

/** The guide's figures for pools that no setting takes. */
export function poolsOfGuide(): Common {
  const rows = guidePools.map(({ name, value, reason }) => [name, value, `(${reason})`])
  return {
    data: { pools: guidePools.map(({ name, value, reason: source }) => ({ name, value, source })) },
    lines: ["The guide's pools, which no key of the server's configuration sets:", ...table(rows, '    ')],
  }
}

/** What scripts are told of each setting. */
export const settingsDocument = ({ items }: TuningReport) => items.map((item) => ({ ...item, now: item.now ?? null }))

/** `    vm.swappiness: 60; expected 10`. */
export const driftLines = (drift: readonly Drift[]): readonly string[] =>
  drift.map(({ what, expected, found }) => `    ${what}: ${found}; expected ${expected}`)

/** What was found out about a host after its run. */
export interface AfterRun {
  readonly host: string
  /** Why not all is as it should be; none when it is. */
  readonly problems: readonly string[]
  readonly lines: readonly string[]
  readonly data: Data
}

/** A host that could not be looked at after its run. */
export function unreadAfterRun(host: string, { message }: NetopsError): AfterRun {
  const problem = `the host could not be read afterwards: ${message}`
  return { host, problems: [problem], data: {}, lines: [problem] }
}

/** A run's result with what was found afterwards: `partly` where a host is changed and not all is as it should be. */
export function withFindings(result: CommandResult, findings: readonly AfterRun[], hint: string): CommandResult {
  const [first] = findings.filter(({ problems }) => problems.length > 0)
  const { exit } = exitCodes.partly
  const hosts = (result.data.hosts as readonly Data[]).map((host) => {
    const found = findings.find((finding) => finding.host === host.host)
    const outcome = (found?.problems.length ?? 0) > 0 ? { outcome: 'partly', exit, problems: found?.problems } : {}
    return { ...host, ...found?.data, ...outcome }
  })
  const lines = findings.flatMap(({ host, lines: each }) => each.map((line) => `${host}: ${line}`))
  const error = first && { code: 'partly', host: first.host, message: first.problems.join('\n'), hint }
  return {
    outcome: first === undefined ? result.outcome : 'partly',
    data: { ...result.data, hosts, ...(error === undefined ? {} : { error }) },
    text: [result.text, ...lines, ...(error === undefined ? [] : [`hint: ${hint}`])].join('\n'),
  }
}

/** How a running service comes to have what it does not have yet. */
export const restartCommand = (root: string): string =>
  root === '/'
    ? 'the same command with --restart, or on the host: systemctl restart network_service'
    : `the same command with --restart, or netops service stop --root ${root} && netops service start --root ${root}`
