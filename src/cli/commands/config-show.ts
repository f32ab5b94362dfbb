// `netops config show`: the server's configuration as it would be in effect, and where each value comes from.
import * as z from 'zod'
import type { Setting } from '../../config/server-config.ts'
import { defineCommand } from '../command.ts'
import { inventoryOptions, parseOptions } from '../options.ts'

export const configShow = defineCommand({
  name: 'config show',
  summary: "Show the server's configuration: what is set, or all that is in effect, with the origin of each value",
  args: '[file]',
  examples: [
    'netops config show --effective --origin config.yaml',
    'netops config show --effective --env --set logging.level=DEBUG config.yaml',
    'netops config show --host web1 --origin',
  ],
  options: [
    { flags: '--effective', description: 'defaults too' },
    { flags: '--origin', description: 'where each value comes from, and what it wins over' },
    { flags: '--env', description: "with this shell's NETWORK_* variables" },
    {
      flags: '--set <key=value>',
      description: 'with these values, as network_server --set would take them',
      repeats: true,
    },
    { flags: '--host <name>', description: 'as a deployment would bring it to this host of the fleet' },
    ...inventoryOptions,
  ],
  async run({ options, args: [file] }, context) {
    const { effective, origin, env, set, host, ...inventory } = parseOptions(schema, options)
    const { settingEntry, settingsText } = await import('../present/config-text.ts')
    const layers = { ...(env ? { env: context.env } : {}), set }
    let settings: readonly Setting[]
    if (host === undefined) {
      const { readServerConfig } = await import('../../config/server-config.ts')
      const { readGiven } = await import('../../config/examine.ts')
      const name = file ?? 'config.yaml'
      settings = readServerConfig(await readGiven(name, context.cwd), name, layers).settings
    } else {
      const { settingsForHost } = await import('../../fleet/host-config.ts')
      settings = await settingsForHost({ host, file, ...inventory }, layers, context)
    }
    const shown = settings.filter(
      ({ origins: [first] }) => first !== undefined && (effective || first.from !== 'default'),
    )
    return {
      outcome: 'done',
      data: { settings: shown.map(settingEntry) },
      text: settingsText(shown, origin ? 'with origins' : 'values'),
    }
  },
})

const schema = z.object({
  effective: z.boolean().default(false),
  origin: z.boolean().default(false),
  env: z.boolean().default(false),
  set: z.array(z.string()).default([]),
  host: z.string().optional(),
  inventory: z.string().optional(),
  environment: z.string().optional(),
})
