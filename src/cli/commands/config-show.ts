// `netops config show`: the server's configuration as it would be in effect, and where each value comes from.
import * as z from 'zod'
import type { Setting } from '../../config/server-config.ts'
import { defineCommand, type CommandContext } from '../command.ts'
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
  async run({ options, args }, context) {
    const parsed = parseOptions(schema, options)
    const settings = await settingsOf(args[0], parsed, context)
    const wanted = settings.filter(({ origins }) => {
      const [first] = origins
      return first !== undefined && (parsed.effective || first.from !== 'default')
    })
    return {
      outcome: 'done',
      data: {
        settings: wanted.map(({ path, key, value, origins }) => ({
          path,
          value,
          ...(key.secret === true ? { secret: true } : {}),
          ...(key.pending === undefined ? {} : { notInEffect: key.pending }),
          origins,
        })),
      },
      text: await showSettings(wanted, parsed.origin ? 'with origins' : 'values'),
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
type Parsed = z.infer<typeof schema>

async function settingsOf(
  file: string | undefined,
  { env, set, host, ...place }: Parsed,
  context: CommandContext,
): Promise<readonly Setting[]> {
  const { readServerConfig } = await import('../../config/server-config.ts')
  const { readGiven } = await import('../../config/examine.ts')
  const layers = { ...(env ? { env: context.env } : {}), set }
  if (host === undefined) {
    const name = file ?? 'config.yaml'
    return readServerConfig(await readGiven(name, context.cwd), name, layers).settings
  }
  const { readFleet } = await import('../../fleet/fleet.ts')
  const { NetopsError } = await import('../../model/errors.ts')
  const fleet = await readFleet({ ...place, hosts: [host] }, context)
  const name = file ?? fleet.config?.name
  if (name === undefined) {
    const hint = 'set config: { file: ... } in it, or name the file: netops config show FILE --host HOST'
    throw new NetopsError('usage', { message: 'the fleet file names no configuration', hint })
  }
  const overrides = fleet.members.get(host)?.overrides ?? []
  return readServerConfig(await readGiven(name, context.cwd), name, { overrides, ...layers }).settings
}

/** As a configuration file would say it. */
async function showSettings(settings: readonly Setting[], how: 'values' | 'with origins'): Promise<string> {
  const { inlineYaml: inline } = await import('../../config/render.ts')
  if (settings.length === 0) return '# nothing is set: all defaults (--effective shows them)'
  const sections = [...new Set(settings.map(({ key }) => key.section))]
  return sections
    .map((section) => {
      const lines = settings
        .filter(({ key }) => key.section === section)
        .map(({ key, value, origins: [winner, ...others] }) => {
          const line = `  ${key.name}: ${inline(value)}`
          const over = others.map((origin) => `${origin.said} ${inline(origin.value)}`)
          const words = `${winner?.said ?? ''}${over.length === 0 ? '' : `, over ${over.join(', ')}`}`
          return how === 'values' ? line : `${line}  # ${words}`
        })
      return [`${section}:`, ...lines].join('\n')
    })
    .join('\n')
}
