// netops runs list: what was run from here, or on this host, and how it went.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { parseOptions, rootOption } from '../options.ts'
import { placeOfRuns } from './runs-place.ts'

export const runsList = defineCommand({
  name: 'runs list',
  summary: 'List runs, oldest first',
  examples: ['netops runs list', 'netops runs list --root /tmp/site --json'],
  options: [rootOption],
  async run({ options }, context) {
    const { runs } = await placeOfRuns(parseOptions(z.object({ root: z.string().optional() }), options).root, context)
    const { describeRuns } = await import('../../engine/run-file.ts')
    const { errorDocument } = await import('../present/errors.ts')
    const listed = (await describeRuns(runs)).map(({ run, procedure, started, state, outcome, undone, damage }) => ({
      run,
      procedure,
      started: started === '' ? null : started,
      outcome: outcome ?? (state === 'parked' ? 'parked' : 'unfinished'),
      undone: undone === true && outcome !== 'refused',
      ...(damage === undefined ? {} : { damage: errorDocument(damage.error) }),
    }))
    const lines = listed.map(({ damage, ...entry }) =>
      [
        `${entry.run}  ${entry.outcome}${entry.undone ? ', undone' : ''}`,
        ...(damage === undefined ? [] : [`  damaged: ${damage.message}\n  hint: ${damage.hint ?? 'netops status'}`]),
      ].join('\n'),
    )
    return {
      outcome: 'done',
      data: { runs: listed },
      text: lines.length === 0 ? `no runs in ${runs}` : lines.join('\n'),
    }
  },
})
