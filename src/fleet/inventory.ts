// The hosts of a fleet as they are reached, and whether they answer and are what the fleet file says.
import type { FleetHost } from '../config/fleet-file.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import type { SshSettings } from '../drivers/hosts/ssh-settings.ts'
import { locate, type NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { readEnvironment, refuseOtherEnvironment } from '../procedures/environment-mark.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost } from './pool.ts'

/** A host of the fleet file with how it is reached, by that file and ssh_config together. */
export interface ReachedHost {
  readonly host: FleetHost
  readonly settings: SshSettings
}

export async function withSettings(
  { targets, members }: Fleet,
  { connections }: FleetContext,
): Promise<readonly ReachedHost[]> {
  const all = await Promise.all(
    targets.map(async (target) => {
      const [host, settings] = [members.get(target.name), await connections.settings(target)]
      return host === undefined || settings === undefined ? [] : [{ host, settings }]
    }),
  )
  return all.flat()
}

/** What a host answered to a login. */
export interface LoginCheck {
  readonly host: string
  /** uname(1). */
  readonly system: string | undefined
  /** What it is marked as. */
  readonly marked: string | undefined
  /** How long it took, with logging in. */
  readonly ms: number
  readonly error: NetopsError | undefined
}

/** Logs in to every host and looks what it is marked as. */
export async function checkLogins(
  { targets, environment }: Fleet,
  context: FleetContext,
): Promise<readonly LoginCheck[]> {
  const answers = await onEachHost(
    {
      targets,
      work: async (connection, { name, root }) => {
        const reader = readerOf(connection)
        const { stdout } = await reader.query(['uname', '-srm'])
        const marked = await readEnvironment(reader, hostPaths(root))
        return { system: stdout.trim(), marked, error: otherEnvironment(name, marked, environment) }
      },
    },
    context,
  )
  return answers.map(({ host, value, ms, error }) => ({
    host,
    system: value?.system,
    marked: value?.marked,
    ms,
    error: error ?? value.error,
  }))
}

function otherEnvironment(...host: Parameters<typeof refuseOtherEnvironment>): NetopsError | undefined {
  try {
    refuseOtherEnvironment(...host)
    return undefined
  } catch (thrown) {
    return locate(thrown, { host: host[0] })
  }
}
