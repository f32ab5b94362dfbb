// Has each host's server take a checkpoint of its state now. The server does it, alone and one at a time, and there is nothing
// to undo: so it is one command a host, and no run with a journal and a lease, which would keep a backup or a deployment out.
import type { HostConnection } from '../drivers/hosts/port.ts'
import type { TakenCheckpoint } from '../model/checkpoint.ts'
import { checkpointCommand, readCheckpointAnswer } from '../procedures/checkpoint/ask.ts'
import type { FleetContext } from './context.ts'
import { guardEnvironment } from './environment.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

// A document of a few hundred bytes, and a login banner.
const mostOfAnswer = 2 ** 20

/** Asks each host's server; how long one may take is the server's to say (checkpoint.timeout). */
export const takeCheckpoints = (
  { targets, environment }: Fleet,
  context: FleetContext,
): Promise<readonly HostAnswer<TakenCheckpoint>[]> =>
  onEachHost(
    {
      targets,
      work: async (connection, to) => {
        await guardEnvironment(to, connection, environment)
        return askOn(connection, to.root, context.signal)
      },
    },
    context,
  )

async function askOn(connection: HostConnection, root: string, signal: AbortSignal): Promise<TakenCheckpoint> {
  const answer = await connection.run(checkpointCommand(root), { signal, most: mostOfAnswer })
  return readCheckpointAnswer(root, answer)
}
