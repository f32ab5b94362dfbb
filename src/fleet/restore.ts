// Backups on the hosts of a fleet, looked at and unpacked by the netops that lies there.
import * as z from 'zod'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import { hostPaths } from '../model/paths.ts'
import type { Target } from '../model/target.ts'
import { answerOf, askForLook, unpackCommand } from '../procedures/restore/ask.ts'
import type { HostLook } from '../procedures/restore/request.ts'
import type { FleetContext } from './context.ts'
import { guardEnvironment } from './environment.ts'
import type { Fleet } from './fleet.ts'
import { ownNetops } from './own-netops.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

/** What is meant on each host. */
export interface MeantBackup {
  /** An id, `latest` or a time. */
  readonly which: string
  /** A folder with archives, in the place of the host's catalogue. */
  readonly from: string | undefined
  readonly only: readonly string[]
}

export interface FoundBackup {
  readonly look: HostLook
  /** The netops on the host that looked. */
  readonly looker: string
}

/** This machine's own netops for a root of it; on another host the one that made its backups. */
const lookerFor = ({ kind, root }: Target, context: FleetContext): string =>
  kind === 'local' ? ownNetops(context) : hostPaths(root).netopsLink

/** Has each host say what restoring the backup would come to there. */
export const lookAtBackups = (
  { targets, environment }: Fleet,
  meant: MeantBackup,
  context: FleetContext,
): Promise<readonly HostAnswer<FoundBackup>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection, to) => {
        await guardEnvironment(to, connection, environment)
        const looker = lookerFor(to, context)
        return { looker, look: await askForLook(readerOf(connection), looker, { ...meant, root: to.root }) }
      },
    },
    context,
  )

const unpacked = z.object({ unpacked: z.object({ backup: z.string(), to: z.string(), entries: z.number() }) })
export type Unpacked = z.infer<typeof unpacked>['unpacked']

// A document of a few hundred bytes, and a login banner.
const mostOfAnswer = 2 ** 20

/** Has each host unpack the backup into a folder of its own; nothing else is touched. */
export const unpackBackups = (
  { targets, environment }: Fleet,
  { to: into, ...meant }: MeantBackup & { readonly to: string },
  context: FleetContext,
): Promise<readonly HostAnswer<Unpacked>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection: HostConnection, to) => {
        await guardEnvironment(to, connection, environment)
        const looker = lookerFor(to, context)
        const argv = unpackCommand(looker, { ...meant, root: to.root }, into)
        const said = await connection.run(argv, { signal: context.signal, most: mostOfAnswer })
        return answerOf(looker, said, unpacked).unpacked
      },
    },
    context,
  )
