// netops runs undo: taking back what a run did.
import * as z from 'zod'
import { defineCommand, type CommandResult } from '../command.ts'
import { dryRunOption, parseOptions, rootOption } from '../options.ts'
import { confirmOption } from '../terminal/confirm.ts'
import { goOn } from './runs-go-on.ts'
import { mustReadRun, placeOfRuns } from './runs-place.ts'

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
  async run({ options, args: [run = ''] }, context) {
    const { root, dryRun, confirm } = parseOptions(schema, options)
    const place = await placeOfRuns(root, context)
    return dryRun ? showUndo(place.runs, run) : goOn({ ...place, run, direction: 'back', confirm }, context)
  },
})

const schema = z.object({
  root: z.string().optional(),
  dryRun: z.boolean().default(false),
  confirm: z.string().optional(),
})

async function showUndo(runs: string, run: string): Promise<CommandResult> {
  const { requireStart, runState } = await import('../../engine/journal.ts')
  const { undoableOf } = await import('../../engine/run.ts')
  const records = await mustReadRun(runs, run)
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
