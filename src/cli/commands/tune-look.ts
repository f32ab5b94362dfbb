// netops tune show, plan and verify: what a host has, what tuning would make of it, and whether it is still as it was tuned.
import * as z from 'zod'
import { joinOutcomes, NetopsError, type HostOutcome, type Outcome } from '../../model/errors.ts'
import type { TuningOptions } from '../../model/tuning.ts'
import type { Drift } from '../../procedures/tune/verify.ts'
import type { TuningItem, TuningReport } from '../../procedures/tune/report.ts'
import { defineCommand, type CommandContext, type CommandResult, type RawOptions } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import type { HostAnswer } from '../../fleet/pool.ts'
import type { ReadHost } from '../../fleet/tuning-facts.ts'
import { wishOptions, wishSchema } from '../tune-options.ts'

const place = [...fleetOptions, rootOption]

interface Report {
  readonly root: string
  readonly report: TuningReport
}

/** Reads all hosts and tells what is wished for of each. */
async function reportAll(
  fleetWords: RawOptions,
  wish: (read: ReadHost | undefined) => TuningOptions,
  context: CommandContext,
): Promise<readonly HostAnswer<Report>[]> {
  const { readFleet } = await import('../../fleet/fleet.ts')
  const { readTuning } = await import('../../fleet/tuning-facts.ts')
  const { reportTuning } = await import('../../procedures/tune/report.ts')
  const { tuningTemplates } = await import('../../procedures/tune/templates.ts')
  const fleet = await readFleet(parseOptions(fleetSchema, fleetWords), context)
  const templates = tuningTemplates()
  return readTuning(fleet, wish(undefined).set, context, (read) => {
    const asked = { ...read.place, ...wish(read) }
    return { root: read.place.root, report: reportTuning(asked, read.facts, templates) }
  })
}

export const tuneShow = defineCommand({
  name: 'tune show',
  summary: 'Show the kernel parameters, limits, threads and pools that each host has, and who set them',
  examples: ['netops tune show', 'netops tune show --hosts web1 --json', 'netops tune show --root /tmp/site'],
  options: place,
  async run({ options }, context) {
    const { shownLines } = await import('../present/tune-text.ts')
    // The profile that names most settings; what it would set does not matter here.
    const asked = await reportAll(
      options,
      (read) => ({ profile: 'sized', skip: [], set: recordedNames(read) }),
      context,
    )
    const rows = asked.map((answer) =>
      answer.error !== undefined
        ? answer
        : {
            host: answer.host,
            outcome: 'done' as const,
            data: { settings: answer.value.report.items.map(present) },
            lines: shownLines({ ...answer.value.report, items: answer.value.report.items.map(withoutWish) }),
          },
    )
    return told(rows, await pools())
  },
})

const present = ({ name, kind, now, from }: TuningItem) => ({ name, kind, now: now ?? null, from })

/** Settings that an earlier run set beside the profiles'. */
const recordedNames = (read: ReadHost | undefined): TuningOptions['set'] => read?.facts.record?.kernel ?? {}

/** Remarks about a wish have no place where only the present is shown. */
const withoutWish = (item: TuningItem) => ({
  ...item,
  problems: [],
  notes: item.notes.filter(isPresent),
})
const isPresent = (note: string): boolean => note.startsWith('the running service has')

export const tunePlan = defineCommand({
  name: 'tune plan',
  summary: 'Show what tuning would set and why, what stands against it, and change nothing',
  examples: [
    'netops tune plan',
    'netops tune plan --profile sized --hosts web1',
    'netops tune plan --skip fs.file-max,fs.nr_open --set vm.swappiness=1',
  ],
  options: [...place, ...wishOptions],
  async run({ options }, context) {
    const { wishOf } = await import('../../procedures/tune/options.ts')
    const { pendingLine, plannedLines, relocatedLine } = await import('../present/tune-text.ts')
    const wish = wishOf(parseOptions(z.object(wishSchema), options))
    const asked = await reportAll(options, () => wish, context)
    const rows = asked.map((answer) =>
      answer.error !== undefined
        ? answer
        : {
            host: answer.host,
            outcome: 'done' as const,
            data: { profile: wish.profile, settings: plainItems(answer.value.report) },
            lines: [
              ...plannedLines(answer.value.report),
              ...[...relocatedLine(answer.value.root), ...pendingLine(answer.value.report, 'apply with --restart')].map(
                (line) => `  ${line}`,
              ),
            ],
          },
    )
    return told(rows, await pools())
  },
})

/** What scripts are told of each setting. */
export const plainItems = ({ items }: TuningReport) => items.map((item) => ({ ...item, now: item.now ?? null }))

/** What is told of all hosts together. */
interface Common {
  readonly data: Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
}

/** The guide's figures for pools that no setting takes. */
async function pools(): Promise<Common> {
  const { guidePools } = await import('../../model/tuning-profiles.ts')
  const { table } = await import('../present/tune-text.ts')
  const rows = guidePools.map(({ name, value, reason }) => [name, value, `(${reason})`])
  return {
    data: { pools: guidePools.map(({ name, value, reason: source }) => ({ name, value, source })) },
    lines: ["The guide's pools, which no key of the server's configuration sets:", ...table(rows, '    ')],
  }
}

type Row = { readonly host: string } & (
  | { readonly error: NetopsError }
  | {
      readonly error?: undefined
      readonly outcome: Outcome
      readonly data: Readonly<Record<string, unknown>>
      readonly lines: readonly string[]
    }
)

async function told(rows: readonly Row[], common: Common = { data: {}, lines: [] }): Promise<CommandResult> {
  const failureOf = ({ code, message, hint }: NetopsError) => ({ code, message, hint })
  const outcomes = rows.map((row): HostOutcome => ({
    outcome: row.error === undefined ? row.outcome : row.error.code,
    changed: false,
  }))
  const hosts = rows.map((row) => {
    if (row.error !== undefined) return { host: row.host, error: failureOf(row.error) }
    return { host: row.host, ...row.data }
  })
  const text = rows.flatMap((row) =>
    row.error !== undefined
      ? [`${row.host}: ${row.error.message}`, ...(row.error.hint === undefined ? [] : [`  hint: ${row.error.hint}`])]
      : [`${row.host}:`, ...row.lines],
  )
  return {
    outcome: joinOutcomes(outcomes),
    data: { hosts, ...common.data },
    text: [...text, ...common.lines].join('\n'),
  }
}

export const tuneVerify = defineCommand({
  name: 'tune verify',
  summary: 'Compare each host with what was applied to it; exit 9 when something differs, 7 when nothing was applied',
  examples: [
    'netops tune verify',
    'netops tune verify --hosts web1,web2 --json',
    'netops tune verify --root /tmp/site',
  ],
  options: place,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { readTuning } = await import('../../fleet/tuning-facts.ts')
    const { findDrift } = await import('../../procedures/tune/verify.ts')
    const { relocatedLine } = await import('../present/tune-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    const asked = await readTuning(fleet, {}, context, ({ place: at, facts }) => {
      if (facts.record === undefined) {
        throw new NetopsError('refused', {
          host: at.host,
          message: 'nothing was ever applied here, so there is nothing to compare with',
          hint: 'netops tune plan shows what would be set, netops tune apply sets it',
        })
      }
      return { root: at.root, record: facts.record, drift: findDrift(at, facts.record, facts) }
    })
    const rows = asked.map((answer) => {
      if (answer.error !== undefined) return answer
      const { root, record, drift } = answer.value
      const outcome: Outcome = drift.length === 0 ? 'done' : 'damaged'
      const state =
        drift.length === 0 ? `  as profile ${record.profile} set it` : `  differs from profile ${record.profile}:`
      const lines = [
        state,
        ...driftLines(drift),
        ...Object.entries(record.notSet).map(([name, reason]) => `  never set: ${name}: ${reason}`),
        ...relocatedLine(root).map((line) => `  ${line}`),
      ]
      const data = { profile: record.profile, drift, notSet: record.notSet }
      return { host: answer.host, outcome, data, lines }
    })
    return told(rows)
  },
})

/** `    vm.swappiness: 60, not 10`. */
export const driftLines = (drift: readonly Drift[]): readonly string[] =>
  drift.map(({ what, expected, found }) => `    ${what}: ${found}; expected ${expected}`)
