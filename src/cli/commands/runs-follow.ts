// netops runs follow: a run as it goes on, until it ends.
import * as z from 'zod'
import { shownJson } from '../../model/escape.ts'
import type { JournalRecord } from '../../model/journal.ts'
import { defineCommand, type CommandContext } from '../command.ts'
import { parseOptions, rootOption } from '../options.ts'
import { placeOfRuns } from './runs-place.ts'

export const runsFollow = defineCommand({
  name: 'runs follow',
  summary: 'Follow a run as it goes on, until it ends',
  args: '<run>',
  endsUnread: true,
  examples: ['netops runs follow 20261123T104501Z-deploy-3f9a.web1', 'netops runs follow RUN --from 12 --jsonl'],
  options: [
    rootOption,
    { flags: '--from <n>', description: 'begin with this record', default: '1' },
    { flags: '--jsonl', description: 'print the records as they are, one JSON document a line' },
  ],
  async run({ options, args }, context) {
    const parsed = parseOptions(schema, options)
    const at = await placeOfRuns(parsed.root, context)
    const { followRun } = await import('../../runs/follow.ts')
    const { describeEnding } = await import('../present/run-records.ts')
    const see = parsed.jsonl
      ? (record: JournalRecord) => context.write(shownJson(record))
      : await progressTo(context, parsed.from)
    const run = args[0] ?? ''
    const end = await followRun({ ...at, run }, { from: parsed.jsonl ? parsed.from : 1, see }, context.signal)
    return { outcome: 'done', data: {}, text: parsed.jsonl ? '' : `${run} ended: ${describeEnding(end)}` }
  },
})

const schema = z.object({
  root: z.string().optional(),
  from: z.coerce.number().int().min(1),
  jsonl: z.boolean().default(false),
})

/** Shows a followed run: its lines are what the command is asked for, and go to standard output; a live view needs both. */
async function progressTo(context: CommandContext, from: number): Promise<(record: JournalRecord) => void> {
  const { runProgress } = await import('../present/progress/run-progress.ts')
  const screen = context.screen?.output === true ? context.screen : undefined
  const progress = runProgress({ ...context, screen }, context.json ? context.progress : context.write)
  return (record) => (record.seq < from ? progress.recall(record) : progress.see(record))
}
