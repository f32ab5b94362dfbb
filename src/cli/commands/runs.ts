// netops runs: what was run from here or on this host, how it went, and going on with what was cut off.
import * as z from 'zod'
import { exitCodes, NetopsError } from '../../model/errors.ts'
import type { JournalRecord } from '../../model/journal.ts'
import { defineCommand, type CommandContext, type CommandResult, type Invocation } from '../command.ts'
import { confirmOption } from '../terminal/confirm.ts'
import type { Ending } from '../../runs/follow.ts'
import { dryRunOption, parseOptions, rootOption } from '../options.ts'

const schema = z.object({ root: z.string().optional() })

/** The folder of runs that a command means, and the root whose host runs lie there. */
async function place(root: string | undefined, context: CommandContext): Promise<{ runs: string; root: string }> {
  const { operatorRuns, resolveRoot } = await import('../../fleet/fleet.ts')
  const { hostPaths } = await import('../../model/paths.ts')
  if (root === undefined) return { runs: operatorRuns(context), root: '/' }
  const full = resolveRoot(root, context.cwd)
  return { runs: hostPaths(full).runs, root: full }
}

async function mustRead(runs: string, run: string): Promise<readonly JournalRecord[]> {
  const { readJournal } = await import('../../engine/journal.ts')
  const records = await readJournal(runs, run)
  if (records !== undefined) return records
  throw new NetopsError('usage', { message: `there is no run ${run} in ${runs}`, hint: 'netops runs list shows them' })
}

export const runsList = defineCommand({
  name: 'runs list',
  summary: 'List runs, oldest first',
  examples: ['netops runs list', 'netops runs list --root /tmp/site --json'],
  options: [rootOption],
  async run({ options }, context) {
    const { runs } = await place(parseOptions(schema, options).root, context)
    const { listRuns } = await import('../../engine/journal.ts')
    const listed = (await listRuns(runs)).map(({ run, state }) => ({
      run,
      procedure: state.start?.procedure ?? 'unknown',
      started: state.start?.at ?? state.end?.at ?? null,
      outcome: state.end?.outcome ?? (state.records.at(-1)?.type === 'parked' ? 'parked' : 'unfinished'),
      undone: state.end?.undone === true && state.end.outcome !== 'refused',
    }))
    const lines = listed.map((entry) => `${entry.run}  ${entry.outcome}${entry.undone ? ', undone' : ''}`)
    return {
      outcome: 'done',
      data: { runs: listed },
      text: lines.length === 0 ? `no runs in ${runs}` : lines.join('\n'),
    }
  },
})

export const runsShow = defineCommand({
  name: 'runs show',
  summary: "Print a run's journal",
  args: '<run>',
  examples: ['netops runs show 20261123T104501Z-deploy-3f9a'],
  options: [rootOption],
  async run({ options, args }, context) {
    const { runs } = await place(parseOptions(schema, options).root, context)
    const records = await mustRead(runs, args[0] ?? '')
    const lines = records.map((record) => `${record.at}  ${summaryOf(record)}`)
    return { outcome: 'done', data: { records }, text: lines.join('\n') }
  },
})

function summaryOf(record: JournalRecord): string {
  const error = 'error' in record && record.error !== undefined ? `: ${record.error.message}` : ''
  switch (record.type) {
    case 'relayed':
      return `${record.step} > ${summaryOf(record.record)}`
    case 'run':
      return `${record.procedure} begun by netops ${record.by}`
    case 'resumed':
      return `resumed by netops ${record.by}`
    case 'undo':
      return 'to be taken back'
    case 'parked':
      return `stopped, and can go on${error}`
    case 'hook':
      return `${record.phase} hook ${record.argv.join(' ')}: ${record.outcome}${error}`
    case 'end':
      return `ended: ${record.outcome}${record.undone === true ? ', undone' : ''}${error}`
    default:
      return `${record.step}: ${record.type}${error}`
  }
}

export const runsFollow = defineCommand({
  name: 'runs follow',
  summary: 'Follow a run as it goes on, until it ends',
  args: '<run>',
  examples: ['netops runs follow 20261123T104501Z-deploy-3f9a.web1', 'netops runs follow RUN --from 12 --jsonl'],
  options: [
    rootOption,
    { flags: '--from <n>', description: 'begin with this record', default: '1' },
    { flags: '--jsonl', description: 'print the records as they are, one JSON document a line' },
  ],
  async run({ options, args }, context) {
    const parsed = parseOptions(
      schema.extend({ from: z.coerce.number().int().min(1), jsonl: z.boolean().default(false) }),
      options,
    )
    const at = await place(parsed.root, context)
    const { followRun } = await import('../../runs/follow.ts')
    const tell = parsed.jsonl
      ? (record: JournalRecord) => context.write(JSON.stringify(record))
      : await progressTo(context, parsed.from)
    const run = args[0] ?? ''
    const end = await followRun({ ...at, run }, { from: parsed.jsonl ? parsed.from : 1, tell }, context.signal)
    return { outcome: 'done', data: {}, text: parsed.jsonl ? '' : `${run} ended: ${howItEnded(end)}` }
  },
})

function howItEnded(ending: Ending): string {
  if (ending.type === 'parked') return `not yet: ${ending.error.message}`
  const { outcome, error } = ending
  return outcome === 'done'
    ? 'done'
    : `${exitCodes[outcome].meaning}${error === undefined ? '' : `\n  ${error.message}`}`
}

/** Shows a followed run: its lines are what the command is asked for, and go to standard output; a live view needs both. */
async function progressTo(context: CommandContext, from: number): Promise<(record: JournalRecord) => void> {
  const { runProgress } = await import('../present/progress/run-progress.ts')
  const screen = context.screen?.output === true ? context.screen : undefined
  const progress = runProgress({ ...context, screen }, context.json ? context.progress : context.write)
  return (record) => (record.seq < from ? progress.recall(record) : progress.see(record))
}

export const runsResume = defineCommand({
  name: 'runs resume',
  summary: 'Go on with a run that was cut off; what is finished is not done again',
  args: '<run>',
  examples: ['netops runs resume 20261123T104501Z-deploy-3f9a'],
  options: [rootOption],
  events: true,
  run: (invocation, context) => goOn('forward', invocation, context),
})

export const runsUndo = defineCommand({
  name: 'runs undo',
  summary: 'Take back what a run did, last step first, down to the last step that commits',
  args: '<run>',
  examples: [
    'netops runs undo 20261123T104501Z-tune-3f9a',
    'netops runs undo 20261123T104501Z-tune-3f9a.web1 --root /  # on the host',
    'netops runs undo 20261123T104501Z-tune-3f9a --dry-run',
  ],
  options: [rootOption, dryRunOption, confirmOption],
  events: true,
  run: (invocation, context) => goOn('back', invocation, context),
})

async function goOn(
  direction: 'forward' | 'back',
  { options, args }: Invocation,
  context: CommandContext,
): Promise<CommandResult> {
  const parsed = parseOptions(
    schema.extend({ dryRun: z.boolean().default(false), confirm: z.string().optional() }),
    options,
  )
  const at = await place(parsed.root, context)
  const run = args[0] ?? ''
  const records = await mustRead(at.runs, run)
  const start = records.find((record) => record.type === 'run')
  if (start === undefined) {
    throw new NetopsError('refused', { message: `run ${run} ended before it began: there is nothing to go on with` })
  }
  if (parsed.dryRun) return showUndo(run, records)
  const { isHostRun, resumeHere } = await import('../../runs/host-run.ts')
  if (isHostRun(run)) return resumeHere(at.root, run, direction, context)
  const { fleetInput, resumeFleet } = await import('../../runs/fleet-resume.ts')
  if (direction === 'back') {
    const { confirmDestructive } = await import('../terminal/confirm.ts')
    const { targets, environment } = fleetInput.parse(start.input)
    const order = { destroys: `takes back run ${run} on`, confirmed: parsed.confirm }
    await confirmDestructive(order, { targets, environment }, context)
  }
  return resumeFleet(at.runs, run, direction, context)
}

async function showUndo(run: string, records: readonly JournalRecord[]): Promise<CommandResult> {
  const { requireStart, runState } = await import('../../engine/journal.ts')
  const { undoableOf } = await import('../../engine/run.ts')
  const { steps, committed } = undoableOf(records, requireStart(run, runState(records)))
  const lines = steps.map((title) => `undo: ${title}`)
  if (committed !== undefined)
    lines.push(`and no further: "${committed}" was done, and past it a run only goes forward`)
  return {
    outcome: 'done',
    data: { dryRun: true, run, undo: steps, ...(committed === undefined ? {} : { committed }) },
    text: [...(steps.length === 0 ? ['nothing to undo'] : []), ...lines, 'Dry run: nothing was changed.'].join('\n'),
  }
}
