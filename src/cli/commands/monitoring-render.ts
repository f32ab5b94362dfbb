// `netops monitoring render`: what Prometheus and Grafana need to watch the fleet, as files.
import { join, resolve } from 'node:path'
import * as z from 'zod'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { inventoryOptions, parseOptions } from '../options.ts'

export const monitoringRender = defineCommand({
  name: 'monitoring render',
  summary: 'Write what Prometheus and Grafana need to watch the fleet: targets, rules, alerts, a dashboard',
  examples: [
    'netops monitoring render --out /etc/prometheus/network_service',
    'netops monitoring render --out monitoring --dry-run',
  ],
  options: [
    { flags: '--out <dir>', description: 'the folder for the files; those that are there are replaced' },
    { flags: '-n, --dry-run', description: 'say which files would change, and change nothing' },
    ...inventoryOptions,
  ],
  async run({ options }, context) {
    const { out, dryRun, ...inventory } = parseOptions(schema, options)
    const { fleetMonitoring } = await import('../../fleet/monitoring.ts')
    const { readTextIfAny, writeFileAtomic } = await import('../../system/files.ts')
    const { files, warnings } = await fleetMonitoring(inventory, context)
    const folder = resolve(context.cwd, out)
    const states = await Promise.all(
      files.map(async ({ name, text }) => {
        const there = await readTextIfAny(join(folder, name)).catch(cannot('read', join(folder, name)))
        return { name, text, state: there === undefined ? 'new' : there === text ? 'unchanged' : 'changed' }
      }),
    )
    if (!dryRun) {
      const { mkdir } = await import('node:fs/promises')
      await mkdir(folder, { recursive: true }).catch(cannot('make the folder', folder))
      // Prometheus reads targets.yml whenever it changes: what is the same is left alone.
      for (const { name, text, state } of states) {
        if (state === 'unchanged') continue
        await writeFileAtomic(join(folder, name), text).catch(cannot('write', join(folder, name)))
      }
    }
    return {
      outcome: 'done',
      data: { folder, dryRun, files: states.map(({ name, state }) => ({ name, state })), warnings },
      text: [
        ...states.map(
          ({ name, state }) => `${join(out, name)}: ${dryRun && state !== 'unchanged' ? `would be ${state}` : state}`,
        ),
        ...warnings.map((warning) => `warning: ${warning}`),
      ].join('\n'),
    }
  },
})

/** What lies there, or the system, is in the way: nothing that a later run would not put right. */
const cannot =
  (what: string, path: string) =>
  (cause: unknown): never => {
    const message = `cannot ${what} ${path}: ${messageOf(cause)}`
    throw new NetopsError('failed', { message, hint: 'name a folder that you may write to: --out DIR', cause })
  }

const schema = z.object({
  out: z.string('expected a folder: --out DIR').min(1, 'expected a folder'),
  dryRun: z.boolean().default(false),
  inventory: z.string().optional(),
  environment: z.string().optional(),
})
