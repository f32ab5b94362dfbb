// netops runs: what was run from here or on this host, how it went, and going on with what was cut off.
import { z } from 'zod'
import { exitCodes, NetopsError } from '../model/errors.ts'
import type { EndRecord, JournalRecord } from '../model/journal.ts'
import { defineCommand, type CommandContext, type CommandResult } from './command.ts'
import { parseOptions, rootOption } from './options.ts'

const schema = z.object({ root: z.string().optional() })

/** The folder of runs that a command means, and the root whose host runs lie there. */
async function place(root: string | undefined, context: CommandContext): Promise<{ runs: string; root: string }> {
  const { operatorRuns, resolveRoot } = await import('./fleet.ts')
  const { hostPaths } = await import('../model/paths.ts')
  if (root === undefined) return { runs: operatorRuns(context), root: '/' }
  const full = resolveRoot(root, context.cwd)
  return { runs: hostPaths(full).runs, root: full }
}

async function mustRead(runs: string, run: string): Promise<readonly JournalRecord[]> {
  const { readJournal } = await import('../engine/journal.ts')
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
    const { listRuns } = await import('../engine/journal.ts')
    const listed = (await listRuns(runs)).map(({ run, state }) => ({
      run,
      procedure: state.start?.procedure ?? 'unknown',
      started: state.start?.at ?? state.end?.at ?? null,
      outcome: state.end?.outcome ?? 'unfinished',
    }))
    const lines = listed.map((entry) => `${entry.run}  ${entry.outcome}`)
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
  if (record.type === 'relayed') return `${record.step} > ${summaryOf(record.record)}`
  if (record.type === 'run') return `${record.procedure} begun by netops ${record.by}`
  if (record.type === 'resumed') return `resumed by netops ${record.by}`
  const error = 'error' in record && record.error !== undefined ? `: ${record.error.message}` : ''
  return record.type === 'end' ? `ended: ${record.outcome}${error}` : `${record.step}: ${record.type}${error}`
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
    const { followRun } = await import('./follow.ts')
    const tell = parsed.jsonl
      ? (record: JournalRecord) => context.write(JSON.stringify(record))
      : await progressTo(context, parsed.from)
    const run = args[0] ?? ''
    const end = await followRun({ ...at, run }, { from: parsed.jsonl ? parsed.from : 1, tell }, context.signal)
    return { outcome: 'done', data: {}, text: parsed.jsonl ? '' : `${run} ended: ${howItEnded(end)}` }
  },
})

const howItEnded = ({ outcome, error }: EndRecord): string =>
  outcome === 'done' ? 'done' : `${exitCodes[outcome].meaning}${error === undefined ? '' : `\n  ${error.message}`}`

/** Shows a followed run: its lines are what the command is asked for, and go to standard output; a live view needs both. */
async function progressTo(context: CommandContext, from: number): Promise<(record: JournalRecord) => void> {
  const { runProgress } = await import('./progress/run-progress.ts')
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
  async run({ options, args }, context): Promise<CommandResult> {
    const at = await place(parseOptions(schema, options).root, context)
    const run = args[0] ?? ''
    const start = (await mustRead(at.runs, run)).find((record) => record.type === 'run')
    if (start?.procedure === 'activate') {
      const { resumeHere } = await import('./host-part.ts')
      return resumeHere(at.root, run, context)
    }
    if (start === undefined) {
      throw new NetopsError('refused', { message: `run ${run} ended before it began: there is nothing to go on with` })
    }
    const { resumeFleet } = await import('./fleet-resume.ts')
    return resumeFleet(at.runs, run, context)
  },
})
