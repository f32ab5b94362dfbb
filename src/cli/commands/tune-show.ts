// netops tune show: what each host has, and who set it.
import type { ReadHost } from '../../fleet/tuning-facts.ts'
import type { TuningOptions } from '../../model/tuning.ts'
import type { TuningItem } from '../../procedures/tune/report.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const tuneShow = defineCommand({
  name: 'tune show',
  summary: 'Show the kernel parameters, limits, threads and pools that each host has, and who set them',
  examples: ['netops tune show', 'netops tune show --hosts web1 --json', 'netops tune show --root /tmp/site'],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { reportOnHosts } = await import('../../fleet/tuning-report.ts')
    const { poolsOfGuide, tuningResult } = await import('../present/tune-result.ts')
    const { shownLines } = await import('../present/tune-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    // The profile that names most settings; what it would set does not matter here.
    const wanted = (read: ReadHost | undefined) => ({ profile: 'sized', skip: [], set: recordedNames(read) }) as const
    const answers = await reportOnHosts(fleet, wanted, context)
    return tuningResult(
      answers,
      ({ report }) => ({
        outcome: 'done',
        data: { settings: report.items.map(present) },
        lines: shownLines({ ...report, items: report.items.map(withoutWanted) }),
      }),
      poolsOfGuide(),
    )
  },
})

const present = ({ name, kind, now, from }: TuningItem) => ({ name, kind, now: now ?? null, from })

/** Settings that an earlier run set beside the profiles'. */
const recordedNames = (read: ReadHost | undefined): TuningOptions['set'] => read?.facts.record?.kernel ?? {}

/** Remarks about what is wanted have no place where only the present is shown. */
const withoutWanted = (item: TuningItem) => ({
  ...item,
  problems: [],
  notes: item.notes.filter((note) => note.startsWith('the running service has')),
})
