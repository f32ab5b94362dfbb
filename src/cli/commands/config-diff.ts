// `netops config diff`: two configurations by what they mean, not by their lines; of files, or of what hosts have.
import { resolve } from 'node:path'
import * as z from 'zod'
import type { InventoryOptions, NamedConfig } from '../../fleet/host-config.ts'
import { defineCommand, type CommandContext } from '../command.ts'
import { inventoryOptions, parseOptions } from '../options.ts'

export const configDiff = defineCommand({
  name: 'config diff',
  summary: 'Compare two configurations of the server by the values in effect: files, or what hosts of the fleet have',
  args: '<a> [b]',
  examples: [
    'netops config diff config/staging.yaml config/production.yaml',
    'netops config diff config/production.yaml web1  # what web1 has',
    'netops config diff web1  # what a deployment would bring to web1, against what it has',
  ],
  options: inventoryOptions,
  async run({ options, args: [a = '', b] }, context) {
    const inventory = parseOptions(schema, options)
    const { differencesOf } = await import('../../config/differences.ts')
    const { configForHost, configOnHost } = await import('../../fleet/host-config.ts')
    const { differencesText } = await import('../present/config-text.ts')
    const [left, right] =
      b === undefined
        ? await Promise.all([configForHost(a, inventory, context), configOnHost(a, inventory, context)])
        : await Promise.all([configNamed(a, inventory, context), configNamed(b, inventory, context)])
    const differences = differencesOf(left.read, right.read)
    return {
      outcome: 'done',
      data: { a: left.name, b: right.name, same: differences.length === 0, differences },
      text: differencesText([left.name, right.name], differences),
    }
  },
})

const schema = z.object({ inventory: z.string().optional(), environment: z.string().optional() })

/** A file if there is one of that name, else what a host has. */
async function configNamed(name: string, inventory: InventoryOptions, context: CommandContext): Promise<NamedConfig> {
  const { isFile } = await import('../../system/files.ts')
  // What looks like a file is one, so that a misspelt name is not looked for in the fleet.
  if (!/[/.]/.test(name) && !(await isFile(resolve(context.cwd, name)))) {
    const { configOnHost } = await import('../../fleet/host-config.ts')
    return configOnHost(name, inventory, context)
  }
  const { readGiven } = await import('../../config/examine.ts')
  const { readServerConfig } = await import('../../config/server-config.ts')
  return { name, read: readServerConfig(await readGiven(name, context.cwd), name) }
}
