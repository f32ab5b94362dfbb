// netops db archive status: whether the log of each host's database comes, and how far what is archived is behind.
import { duration, size } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

const schema = fleetSchema.extend({ rpo: duration.optional(), maxRetained: size.prefault('1GiB') })

export const dbArchiveStatus = defineCommand({
  name: 'db archive status',
  summary:
    'Show whether the log of the database comes, how far it is behind, and what is missing; exit 5 where it is not well',
  examples: [
    'netops db archive status',
    'netops db archive status --hosts db1 --rpo 10s --json',
    'netops db archive status --max-retained 10GiB',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    {
      flags: '--rpo <duration>',
      description: 'how long what is archived may be behind (default: backup.objectives.rpo.log of the fleet file)',
    },
    {
      flags: '--max-retained <size>',
      description: 'how much of its log the server may keep for the slot before its disk is in danger',
      default: '1GiB',
    },
  ],
  async run({ options }, context) {
    const { rpo, maxRetained, ...chosen } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { walArchivesOf } = await import('../../fleet/wal-archives.ts')
    const { walArchivesResult } = await import('../present/wal-archive-text.ts')
    const fleet = await readFleet(chosen, context)
    const bounds = { rpoMs: rpo ?? fleet.backup.objectives.rpo.log, mostKept: maxRetained }
    return walArchivesResult(await walArchivesOf(fleet, bounds, context))
  },
})
