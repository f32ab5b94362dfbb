// What people and scripts see of the tuning of each host: what it has, what would be set, what differs.
import type { HostAnswer } from '../../fleet/pool.ts'
import type { AppliedTuning, HostReport } from '../../fleet/tuning-reports.ts'
import { joinOutcomes, type Outcome } from '../../model/errors.ts'
import { guidePools } from '../../model/tuning-profiles.ts'
import type { TuningOptions } from '../../model/tuning.ts'
import type { TuningItem } from '../../procedures/tune/report.ts'
import type { CommandResult } from '../command.ts'
import { errorLines, errorField } from './errors.ts'
import { table } from './table.ts'
import { driftLines, pendingLine, plannedLines, relocatedLine, settingEntries, shownLines } from './tune-text.ts'

/** What the hosts have, and who set it. */
export const presentResult = (hosts: readonly HostAnswer<HostReport>[]): CommandResult =>
  resultOf(
    hosts,
    ({ report: { items, pending } }) => ({
      outcome: 'done',
      data: { settings: items.map(({ name, kind, now, from }) => ({ name, kind, now: now ?? null, from })) },
      lines: shownLines({ items: items.map(presentOf), pending }),
    }),
    pools(),
  )

/** Remarks about what is wanted have no place where only the present is shown. */
const presentOf = (item: TuningItem): TuningItem => ({
  ...item,
  problems: [],
  notes: item.notes.filter((note) => note.startsWith('the running service has')),
})

/** What tuning would set. */
export const planResult = (hosts: readonly HostAnswer<HostReport>[], { profile }: TuningOptions): CommandResult =>
  resultOf(
    hosts,
    ({ report, root }) => ({
      outcome: 'done',
      data: { profile, settings: settingEntries(report) },
      lines: [
        ...plannedLines(report),
        ...[...relocatedLine(root), ...pendingLine(report, 'apply with --restart')].map((line) => `  ${line}`),
      ],
    }),
    pools(),
  )

/** What differs from what was applied. */
export const driftResult = (hosts: readonly HostAnswer<AppliedTuning>[]): CommandResult =>
  resultOf(hosts, ({ root, record: { profile, notSet }, drift }) => ({
    outcome: drift.length === 0 ? 'done' : 'damaged',
    data: { profile, drift, notSet },
    lines: [
      drift.length === 0 ? `  as profile ${profile} set it` : `  differs from profile ${profile}:`,
      ...driftLines(drift),
      ...Object.entries(notSet).map(([name, reason]) => `  never set: ${name}: ${reason}`),
      ...relocatedLine(root).map((line) => `  ${line}`),
    ],
  }))

/** What is shown of one host. */
interface HostScreen {
  readonly outcome: Outcome
  readonly data: Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
}

/** What is shown of all hosts together. */
type Common = Omit<HostScreen, 'outcome'>

/** The guide's figures for pools that no setting takes. */
const pools = (): Common => ({
  data: { pools: guidePools.map(({ name, value, reason: source }) => ({ name, value, source })) },
  lines: [
    "The guide's pools, which no key of the server's configuration sets:",
    ...table(
      guidePools.map(({ name, value, reason }) => [name, value, `(${reason})`]),
      '    ',
    ),
  ],
})

function resultOf<T>(
  hosts: readonly HostAnswer<T>[],
  screenOf: (value: T) => HostScreen,
  common: Common = { data: {}, lines: [] },
): CommandResult {
  const screens = hosts.map(({ host, value, error }) =>
    error === undefined
      ? { host, ...screenOf(value), head: `${host}:` }
      : { host, outcome: error.code, data: errorField(error), lines: errorLines(host, error), head: undefined },
  )
  return {
    outcome: joinOutcomes(screens.map(({ outcome }) => ({ outcome, changed: false }))),
    data: { hosts: screens.map(({ host, data }) => ({ host, ...data })), ...common.data },
    text: [
      ...screens.flatMap(({ head, lines }) => [...(head === undefined ? [] : [head]), ...lines]),
      ...common.lines,
    ].join('\n'),
  }
}
