// netops tune apply and revert: a host's kernel parameters, limits, threads and pools, set and taken back.
import * as z from 'zod'
import { exitCodes } from '../../model/errors.ts'
import type { TuningRecord, TuningOptions } from '../../model/tuning.ts'
import type { TuningPlace } from '../../procedures/tune/facts.ts'
import { defineCommand, type CommandContext, type CommandResult } from '../command.ts'
import { confirmOption } from '../terminal/confirm.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { timingOf } from '../../procedures/deploy/timing.ts'
import { timingOptions, timingSchema } from '../timing.ts'
import { driftLines, plainItems } from './tune-look.ts'
import { restartOption, wishOptions, wishSchema } from '../tune-options.ts'

const runOptions = [restartOption, ...timingOptions, dryRunOption]
const runSchema = { ...timingSchema, restart: z.boolean().default(false), dryRun: z.boolean().default(false) }

export const tuneApply = defineCommand({
  name: 'tune apply',
  summary: 'Set kernel parameters, limits, threads and pools; exit 3 when not all of it is in effect afterwards',
  examples: [
    'netops tune apply --dry-run',
    'netops tune apply --profile sized --restart',
    'netops tune apply --hosts web1 --skip fs.file-max --set net.core.somaxconn=32768',
    'netops tune apply --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption, ...wishOptions, ...runOptions],
  events: true,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { wishOf } = await import('../../procedures/tune/options.ts')
    const parsed = parseOptions(fleetSchema.extend({ ...wishSchema, ...runSchema }), options)
    const wish = wishOf(parsed)
    const fleet = await readFleet(parsed, context)
    const result = await runTuning({ fleet, action: 'apply', wish, flags: parsed }, context)
    return parsed.dryRun || result.outcome !== 'done' ? result : checkApplied(result, fleet, wish, context)
  },
})

export const tuneRevert = defineCommand({
  name: 'tune revert',
  summary: 'Put back the kernel parameters and files that were there before the first `tune apply`',
  examples: [
    'netops tune revert --dry-run',
    'netops tune revert --hosts web1 --restart',
    'netops tune revert --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption, ...runOptions, confirmOption],
  events: true,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { readTuning } = await import('../../fleet/tuning-facts.ts')
    const parsed = parseOptions(fleetSchema.extend({ ...runSchema, confirm: z.string().optional() }), options)
    const fleet = await readFleet(parsed, context)
    const before = await readTuning(fleet, {}, context, ({ facts }) => facts.record)
    const wish = { profile: 'guide', skip: [], set: {} } as const
    const result = await runTuning({ fleet, action: 'revert', wish, flags: parsed }, context)
    if (parsed.dryRun || result.outcome !== 'done') return result
    const records = new Map(before.map((answer) => [answer.host, answer.value]))
    return checkReverted(result, fleet, records, context)
  },
})

interface Tuning {
  readonly fleet: Fleet
  readonly action: 'apply' | 'revert'
  readonly wish: TuningOptions
  readonly flags: z.infer<z.ZodObject<typeof runSchema>> & { readonly confirm?: string | undefined }
}

async function runTuning({ fleet, action, wish, flags }: Tuning, context: CommandContext): Promise<CommandResult> {
  const { startFleetRun } = await import('../../fleet/start-run.ts')
  const { tuneApply: apply, tuneRevert: revert } = await import('../../procedures/tune/fleet-procedure.ts')
  const { fleetRunResult } = await import('../present/run-result.ts')
  const { confirmation } = await import('../terminal/confirm.ts')
  const tuning = { ...wish, restart: flags.restart, timing: timingOf(flags, fleet) }
  const what = { destroys: 'takes tuning back on', confirmed: flags.confirm }
  const confirm = action === 'revert' ? { confirm: confirmation(what, fleet, context) } : {}
  const options = { dryRun: flags.dryRun, ...confirm }
  const procedure = action === 'apply' ? apply : revert
  return fleetRunResult(await startFleetRun(procedure, tuning, { fleet, options }, context))
}

/** What was found out about a host after its run. */
interface Finding {
  readonly host: string
  /** Why not all is as it should be; none when it is. */
  readonly problems: readonly string[]
  readonly lines: readonly string[]
  readonly data: Readonly<Record<string, unknown>>
}

async function checkApplied(
  result: CommandResult,
  fleet: Fleet,
  wish: TuningOptions,
  context: CommandContext,
): Promise<CommandResult> {
  const { readTuning } = await import('../../fleet/tuning-facts.ts')
  const { reportTuning } = await import('../../procedures/tune/report.ts')
  const { tuningTemplates } = await import('../../procedures/tune/templates.ts')
  const { pendingLine, problemLines, relocatedLine } = await import('../present/tune-text.ts')
  const templates = tuningTemplates()
  const answers = await readTuning(fleet, wish.set, context, ({ place, facts }) => ({
    root: place.root,
    report: reportTuning({ ...place, ...wish }, facts, templates),
  }))
  const findings = answers.map((answer): Finding => {
    if (answer.error !== undefined) return unread(answer.host, answer.error.message)
    const { root, report } = answer.value
    const problems = problemLines(report.items)
    const notes = report.items.flatMap(({ name, notes: each }) =>
      each.map((note) => (note.startsWith(name) ? note : `${name}: ${note}`)),
    )
    return {
      host: answer.host,
      problems,
      data: { profile: wish.profile, settings: plainItems(report), pending: report.pending },
      lines: [
        `${report.items.length - problems.length} of ${report.items.length} settings are in effect`,
        ...problems.map((problem) => `NOT in effect: ${problem}`),
        ...notes.map((note) => `note: ${note}`),
        ...pendingLine(report, restartCommand(root)),
        ...relocatedLine(root),
      ],
    }
  })
  return joined(
    result,
    findings,
    'leave out what the host cannot have with --skip, and remove or change the files that win',
  )
}

const restartCommand = (root: string): string =>
  root === '/'
    ? 'the same command with --restart, or on the host: systemctl restart network_service'
    : `the same command with --restart, or netops service stop --root ${root} && netops service start --root ${root}`

async function checkReverted(
  result: CommandResult,
  fleet: Fleet,
  records: ReadonlyMap<string, TuningRecord | undefined>,
  context: CommandContext,
): Promise<CommandResult> {
  const { readTuning } = await import('../../fleet/tuning-facts.ts')
  const { findRemains } = await import('../../procedures/tune/verify.ts')
  const { pendingLine, relocatedLine } = await import('../present/tune-text.ts')
  const { stillTuned } = await import('../../procedures/tune/plan.ts')
  const keysOf = (host: string): TuningPlace['set'] => records.get(host)?.originals.kernel ?? {}
  const all = Object.assign({}, ...[...records.keys()].map(keysOf)) as TuningPlace['set']
  const answers = await readTuning(fleet, all, context, (read) => read)
  const findings = answers.map((answer): Finding => {
    if (answer.error !== undefined) return unread(answer.host, answer.error.message)
    const { place, facts } = answer.value
    const record = records.get(answer.host)
    if (record === undefined) {
      return { host: answer.host, problems: [], data: { remains: [] }, lines: ['nothing was ever applied here'] }
    }
    const remains = findRemains(place, record, facts)
    const pending = stillTuned(record, facts)
    const { kernel, files } = record.originals
    const count = `${Object.keys(kernel).length} kernel parameters and ${Object.keys(files).length} files`
    return {
      host: answer.host,
      problems: remains.map(({ what, expected, found }) => `${what}: ${found}; before it was ${expected}`),
      data: { remains, pending },
      lines: [
        remains.length === 0 ? `${count} are as they were before` : `of ${count} these are NOT as before:`,
        ...driftLines(remains),
        ...pendingLine({ items: [], pending }, restartCommand(place.root)),
        ...relocatedLine(place.root),
      ],
    }
  })
  return joined(result, findings, 'set these by hand; the run shows what was done: netops runs show')
}

const unread = (host: string, message: string): Finding => ({
  host,
  problems: [`the host could not be read afterwards: ${message}`],
  data: {},
  lines: [`the host could not be read afterwards: ${message}`],
})

/** A run's result with what was found afterwards: `partly` where a host is changed and not all is as it should be. */
function joined(result: CommandResult, findings: readonly Finding[], hint: string): CommandResult {
  const failed = findings.filter(({ problems }) => problems.length > 0)
  const { exit } = exitCodes.partly
  const hosts = (result.data.hosts as readonly Readonly<Record<string, unknown>>[]).map((host) => {
    const found = findings.find((finding) => finding.host === host.host)
    const outcome = (found?.problems.length ?? 0) > 0 ? { outcome: 'partly', exit, problems: found?.problems } : {}
    return { ...host, ...found?.data, ...outcome }
  })
  const lines = findings.flatMap(({ host, lines: each }) => each.map((line) => `${host}: ${line}`))
  const first = failed[0]
  const error = first && { code: 'partly', host: first.host, message: first.problems.join('\n'), hint }
  return {
    outcome: first === undefined ? result.outcome : 'partly',
    data: { ...result.data, hosts, ...(error === undefined ? {} : { error }) },
    text: [result.text, ...lines, ...(error === undefined ? [] : [`hint: ${hint}`])].join('\n'),
  }
}
