// Whether hosts answer, and are what the fleet file is for.
import { readerOf } from '../drivers/hosts/readers.ts'
import { locate, type NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { readEnvironment, refuseOtherEnvironment } from '../procedures/environment-mark.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost } from './pool.ts'

export interface CheckedHost {
  readonly host: string
  /** `Linux 6.1.0 x86_64`; undefined for a host that does not answer. */
  readonly system: string | undefined
  /** The environment that the host is marked as. */
  readonly marked: string | undefined
  /** How long it took, with logging in. */
  readonly ms: number
  readonly error: NetopsError | undefined
}

/** Logs in to every host and looks. */
export async function checkHosts(
  { targets, environment }: Pick<Fleet, 'targets' | 'environment'>,
  context: FleetContext,
): Promise<readonly CheckedHost[]> {
  const answers = await onEachHost(
    {
      targets,
      work: async (connection, target) => {
        const reader = readerOf(connection)
        const { stdout } = await reader.query(['uname', '-srm'])
        const marked = await readEnvironment(reader, hostPaths(target.root))
        return { system: stdout.trim(), marked, error: otherEnvironment(target.name, marked, environment) }
      },
    },
    context,
  )
  return answers.map(({ host, ms, value, error }) => ({
    host,
    system: value?.system,
    marked: value?.marked,
    ms,
    error: error ?? value?.error,
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
