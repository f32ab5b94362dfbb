// netops tune verify: whether each host is still as it was tuned.
import { NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

export const tuneVerify = defineCommand({
  name: 'tune verify',
  summary: 'Compare each host with what was applied to it; exit 9 when something differs, 7 when nothing was applied',
  examples: [
    'netops tune verify',
    'netops tune verify --hosts web1,web2 --json',
    'netops tune verify --root /tmp/site',
  ],
  options: [...fleetOptions, rootOption],
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const { readTuning } = await import('../../fleet/tuning-facts.ts')
    const { findDrift } = await import('../../procedures/tune/verify.ts')
    const { driftLines, tuningResult } = await import('../present/tune-result.ts')
    const { relocatedLine } = await import('../present/tune-text.ts')
    const fleet = await readFleet(parseOptions(fleetSchema, options), context)
    const answers = await readTuning(fleet, {}, context, ({ place, facts }) => {
      if (facts.record === undefined) throw neverApplied(place.host)
      return { root: place.root, record: facts.record, drift: findDrift(place, facts.record, facts) }
    })
    return tuningResult(answers, ({ root, record, drift }) => {
      const same = drift.length === 0
      const state = same ? `  as profile ${record.profile} set it` : `  differs from profile ${record.profile}:`
      const neverSet = Object.entries(record.notSet).map(([name, reason]) => `  never set: ${name}: ${reason}`)
      return {
        outcome: same ? 'done' : 'damaged',
        data: { profile: record.profile, drift, notSet: record.notSet },
        lines: [state, ...driftLines(drift), ...neverSet, ...relocatedLine(root).map((line) => `  ${line}`)],
      }
    })
  },
})

const neverApplied = (host: string): NetopsError =>
  new NetopsError('refused', {
    host,
    message: 'nothing was ever applied here, so there is nothing to compare with',
    hint: 'netops tune plan shows what would be set, netops tune apply sets it',
  })
