// netops rollback: back to what was in service before, release and configuration.
import * as z from 'zod'
import { hostPaths } from '../../model/paths.ts'
import { defineCommand } from '../command.ts'
import { confirmOption } from '../terminal/confirm.ts'
import { dryRunOption, fleetOptions, parseOptions, rootOption } from '../options.ts'
import { timingOf, timingOptions, timingSchema } from '../timing.ts'

export const rollback = defineCommand({
  name: 'rollback',
  summary: 'Go back to what was in service before: the release with the configuration it ran with',
  examples: [
    'netops rollback',
    'netops rollback --hosts web1 --to 1.0.0',
    'netops rollback --root /tmp/site --dry-run',
  ],
  options: [
    ...fleetOptions,
    rootOption,
    {
      flags: '--to <release>',
      description: 'a release that was in service: its id or version (default: the one before)',
    },
    ...timingOptions,
    dryRunOption,
    confirmOption,
  ],
  events: true,
  async run({ options }, context) {
    const { fleetSchema, readFleet } = await import('../../fleet/fleet.ts')
    const { placeOf, runFleet } = await import('../../runs/fleet-run.ts')
    const { readerOf } = await import('../../drivers/hosts/readers.ts')
    const { readActivations } = await import('../../procedures/deploy/facts.ts')
    const { chooseRollback } = await import('../../procedures/deploy/rollback.ts')
    const schema = fleetSchema.extend({
      ...timingSchema,
      to: z.string().optional(),
      confirm: z.string().optional(),
      dryRun: z.boolean().default(false),
    })
    const parsed = parseOptions(schema, options)
    const fleet = await readFleet(parsed, context)
    return runFleet(
      {
        procedure: 'rollback',
        fleet,
        dryRun: parsed.dryRun,
        destroys: 'rolls back',
        confirmed: parsed.confirm,
        decide: async (site, run) => {
          const { root, name } = site.target
          const paths = hostPaths(root)
          const activations = await readActivations(readerOf(site.connection), paths)
          const wanted = chooseRollback(name, activations, parsed.to)
          return {
            order: {
              procedure: 'activate',
              ...placeOf(site, run),
              ...timingOf(parsed, fleet),
              release: { ...wanted.release, checksConfig: wanted.checksConfig },
              config: { from: `${paths.history}/${wanted.id}/config.yaml`, sha256: wanted.configSha256 },
              endpoints: wanted.endpoints,
              reason: 'rollback',
              restores: wanted.id,
            },
            pushes: [],
          }
        },
      },
      context,
    )
  },
})
