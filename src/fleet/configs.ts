// The configurations that a deployment would bring to the hosts of a fleet.
import { resolve } from 'node:path'
import { readConfigs, type HostConfig } from '../procedures/deploy/configs.ts'
import type { Fleet } from './fleet.ts'

/**
 * @param given the file that the command names; without it the fleet file's
 * @throws NetopsError `usage` with every problem of every host, each once
 */
export const readFleetConfigs = (
  given: string | undefined,
  fleet: Fleet,
  cwd: string,
): Promise<ReadonlyMap<string, HostConfig>> =>
  readConfigs(
    given === undefined ? fleet.config : { path: resolve(cwd, given), name: given },
    fleet.targets.map(({ name }) => ({ name, overrides: fleet.members.get(name)?.overrides ?? [] })),
  )
