// How the hosts of a fleet file are reached, by that file and ssh_config together.
import type { FleetHost } from '../config/fleet-file.ts'
import type { SshSettings } from '../drivers/hosts/ssh-settings.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'

export interface HostLogin {
  readonly host: FleetHost
  readonly settings: SshSettings
}

/** The login of every host; none is reached for it, and a relocated root has none. */
export async function readLogins(
  { targets, members }: Fleet,
  { connections }: Pick<FleetContext, 'connections'>,
): Promise<readonly HostLogin[]> {
  const all = await Promise.all(
    targets.map(async (target) => {
      const [host, settings] = [members.get(target.name), await connections.settings(target)]
      return host === undefined || settings === undefined ? [] : [{ host, settings }]
    }),
  )
  return all.flat()
}
