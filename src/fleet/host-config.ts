// The server's configuration of one host: what it has, what a deployment would bring, and with what in effect.
import { readGiven } from '../config/examine.ts'
import { readServerConfig, type ReadConfig, type Setting } from '../config/server-config.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import { NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { readFleetConfigs } from './configs.ts'
import type { FleetContext } from './context.ts'
import { readFleet, type FleetOptions } from './fleet.ts'
import { onHost } from './pool.ts'

/** Which fleet file is meant. */
export type InventoryOptions = Pick<FleetOptions, 'inventory' | 'environment'>

export interface NamedConfig {
  /** As messages name it. */
  readonly name: string
  readonly read: ReadConfig
}

/** What a host has. @throws NetopsError `usage` where it has none */
export async function configOnHost(
  host: string,
  inventory: InventoryOptions,
  context: FleetContext,
): Promise<NamedConfig> {
  const [target] = (await readFleet({ ...inventory, hosts: [host] }, context)).targets
  if (target === undefined) throw new TypeError(`the fleet has ${host}, but no way to it`)
  const path = hostPaths(target.root).config
  const text = await onHost(target, (connection) => readerOf(connection).readText(path), context)
  const name = `${host}:${path}`
  if (text !== undefined) return { name, read: readServerConfig(text, name) }
  throw new NetopsError('usage', { host, message: `there is no ${path}`, hint: 'netops deploy brings it there' })
}

/** What a deployment would bring to a host. @throws NetopsError `usage` where it would bring none */
export async function configForHost(
  host: string,
  inventory: InventoryOptions,
  context: FleetContext,
): Promise<NamedConfig> {
  const fleet = await readFleet({ ...inventory, hosts: [host] }, context)
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

/** What is put over a configuration. */
export interface ConfigLayers {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly set: readonly string[]
}

/**
 * The values in effect on a host, with their origins.
 * @param file the configuration; without it the one that the fleet file names
 * @throws NetopsError `usage` where neither is there
 */
export async function settingsForHost(
  { host, file, ...inventory }: InventoryOptions & { readonly host: string; readonly file: string | undefined },
  layers: ConfigLayers,
  context: FleetContext,
): Promise<readonly Setting[]> {
  const fleet = await readFleet({ ...inventory, hosts: [host] }, context)
  const name = file ?? fleet.config?.name
  if (name === undefined) {
    const hint = 'set config: { file: ... } in it, or name the file: netops config show FILE --host HOST'
    throw new NetopsError('usage', { message: 'the fleet file names no configuration', hint })
  }
  const overrides = fleet.members.get(host)?.overrides ?? []
  return readServerConfig(await readGiven(name, context.cwd), name, { overrides, ...layers }).settings
}
