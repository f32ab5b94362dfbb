// netops gc: removes old journals, netops builds that no run needs, and what was left half written.
import * as z from 'zod'
import { duration } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { confirmOption } from '../terminal/confirm.ts'
import { dryRunOption, fleetOptions, parseOptions, rootOption } from '../options.ts'

// A month of journals answers what happened lately; a hundred runs, what happened where little does.
const defaults = { olderThan: '30d', keepRuns: '100' }

export const gc = defineCommand({
  name: 'gc',
  summary: 'Remove old journals, netops builds that no run needs, and half-written files',
  examples: ['netops gc --dry-run', 'netops gc --older-than 7d --keep-runs 20', 'netops gc --root /tmp/site'],
  options: [
    ...fleetOptions,
    rootOption,
    {
      flags: '--older-than <duration>',
      description: 'remove runs that ended longer ago than this',
      default: defaults.olderThan,
    },
    {
      flags: '--keep-runs <n>',
      description: 'keep this many of the newest runs whatever their age',
      default: defaults.keepRuns,
    },
    dryRunOption,
    confirmOption,
  ],
  events: true,
  async run({ options }, context) {
    const { fleetSchema, readFleet } = await import('../../fleet/fleet.ts')
    const { placeOf, runFleet } = await import('../../runs/fleet-run.ts')
    const schema = fleetSchema.extend({
      olderThan: duration,
      keepRuns: z.coerce.number().int().min(0),
      dryRun: z.boolean().default(false),
      confirm: z.string().optional(),
    })
    const { olderThan, keepRuns, dryRun, confirm, ...parsed } = parseOptions(schema, options)
    const fleet = await readFleet(parsed, context)
    const result = await runFleet(
      {
        procedure: 'gc',
        fleet,
        dryRun,
        destroys: 'removes old journals and builds on',
        confirmed: confirm,
        decide: (site, run) =>
          Promise.resolve({
            order: { procedure: 'gc', ...placeOf(site, run), olderThanMs: olderThan, keepRuns },
            pushes: [],
          }),
      },
      context,
    )
    // Below a root the operator's runs lie with the host's own, and went with them.
    if (fleet.targets.some(({ kind }) => kind === 'local')) return result
    const wish = { olderThanMs: olderThan, keepRuns }
    const removed = await removeOwnRuns(fleet.runs, wish, dryRun ? 'only look' : 'remove')
    const what = `${removed.length} old run${removed.length === 1 ? '' : 's'} of this machine`
    return {
      ...result,
      data: { ...result.data, ownRuns: removed },
      text: `${result.text}\n${dryRun ? `would remove ${what}` : `removed ${what}`}`,
    }
  },
})

/** The operator's own journals, which lie on this machine and belong to no host; returns the runs' names. */
async function removeOwnRuns(
  runs: string,
  wish: { readonly olderThanMs: number; readonly keepRuns: number },
  mode: 'remove' | 'only look',
): Promise<readonly string[]> {
  const { listRuns } = await import('../../engine/journal.ts')
  const { oldRuns } = await import('../../procedures/gc/clean-up.ts')
  const { rm } = await import('node:fs/promises')
  const path = await import('node:path')
  const listed = (await listRuns(runs)).map(({ run, state: { records, end } }) => {
    const last = records.at(-1)
    return { run, at: last && Date.parse(last.at), over: end !== undefined, netops: undefined }
  })
  const gone = oldRuns(listed, Date.now(), wish).map(({ run }) => run)
  if (mode === 'remove') for (const run of gone) await rm(path.join(runs, run), { recursive: true, force: true })
  return gone
}
