// `netops config diff`: two configurations by what they mean, not by their lines; of files, or of what hosts have.
import * as z from 'zod'
import type { ReadConfig } from '../../config/server-config.ts'
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
    const place = parseOptions(schema, options)
    const [left, right] =
      b === undefined
        ? await Promise.all([wantedOn(a, place, context), presentOn(a, place, context)])
        : await Promise.all([sideOf(a, place, context), sideOf(b, place, context)])
    const differences = differencesOf(left.read, right.read)
    const lines = differences.map(({ path, a: was, b: is }) => `  ${path}: ${shown(was)} -> ${shown(is)}`)
    return {
      outcome: 'done',
      data: { a: left.name, b: right.name, same: differences.length === 0, differences },
      text:
        differences.length === 0
          ? `${left.name} and ${right.name} mean the same`
          : [`--- ${left.name}`, `+++ ${right.name}`, ...lines].join('\n'),
    }
  },
})

const schema = z.object({ inventory: z.string().optional(), environment: z.string().optional() })
type Place = z.infer<typeof schema>

interface Side {
  readonly name: string
  readonly read: ReadConfig
}

/** A file if there is one of that name, else a host. */
async function sideOf(name: string, place: Place, context: CommandContext): Promise<Side> {
  const fs = await import('node:fs/promises')
  const path = await import('node:path')
  const isFile = await fs.stat(path.resolve(context.cwd, name)).then(
    (found) => found.isFile(),
    () => false,
  )
  // What looks like a file is one, so that a misspelt name is not looked for in the fleet.
  if (!isFile && !/[/.]/.test(name)) return presentOn(name, place, context)
  const { readServerConfig } = await import('../../config/server-config.ts')
  const { readGiven } = await import('../../config/examine.ts')
  return { name, read: readServerConfig(await readGiven(name, context.cwd), name) }
}

/** What a host has. */
async function presentOn(host: string, place: Place, context: CommandContext): Promise<Side> {
  const { readFleet } = await import('../../fleet/fleet.ts')
  const { hostPaths } = await import('../../model/paths.ts')
  const { NetopsError } = await import('../../model/errors.ts')
  const { readerOf } = await import('../../drivers/hosts/readers.ts')
  const { readServerConfig } = await import('../../config/server-config.ts')
  const [target] = (await readFleet({ ...place, hosts: [host] }, context)).targets
  if (target === undefined) throw new TypeError(`the fleet has ${host}, but no way to it`)
  const connection = await context.connections.connect(target)
  try {
    const path = hostPaths(target.root).config
    const text = await readerOf(connection).readText(path)
    const name = `${host}:${path}`
    if (text === undefined) {
      throw new NetopsError('usage', { host, message: `there is no ${path}`, hint: 'netops deploy brings it there' })
    }
    return { name, read: readServerConfig(text, name) }
  } finally {
    await connection.close()
  }
}

/** What a deployment would bring to a host. */
async function wantedOn(host: string, place: Place, context: CommandContext): Promise<Side> {
  const { readFleet } = await import('../../fleet/fleet.ts')
  const { readFleetConfigs } = await import('../../fleet/configs.ts')
  const { readServerConfig } = await import('../../config/server-config.ts')
  const { NetopsError } = await import('../../model/errors.ts')
  const fleet = await readFleet({ ...place, hosts: [host] }, context)
  const config = (await readFleetConfigs(undefined, fleet, context.cwd)).get(host)
  if (config === undefined) {
    throw new NetopsError('usage', {
      message: 'the fleet file names no configuration, so a deployment would bring none',
      hint: 'set config: { file: ... } in it, or name two: netops config diff FILE HOST',
    })
  }
  const name = `the fleet's, for ${host}`
  return { name, read: readServerConfig(config.text, name) }
}

interface Difference {
  readonly path: string
  readonly a: unknown
  readonly b: unknown
}

/** Keys whose values in effect differ. Of secrets only that they differ is told. */
function differencesOf(a: ReadConfig, b: ReadConfig): readonly Difference[] {
  return a.settings.flatMap(({ path, key, value: was }, index): readonly Difference[] => {
    const is = b.settings[index]?.value
    const [before, after] = [meant(a, key.section, key.name), meant(b, key.section, key.name)]
    if (JSON.stringify(before) === JSON.stringify(after)) return []
    const secret = key.secret === true && before !== undefined && after !== undefined
    return [{ path, a: was, b: secret ? '(set, another value)' : is }]
  })
}

const meant = ({ value }: ReadConfig, section: string, name: string): unknown =>
  (value as unknown as Record<string, Record<string, unknown>>)[section]?.[name]

const shown = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value))
