// Has each host's server take a checkpoint of its state now. The server does it, alone and one at a time, and there is nothing
// to undo: so it is one command a host, and no run with a journal and a lease, which would keep a backup or a deployment out.
import * as z from 'zod'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { takenCheckpoint, type TakenCheckpoint } from '../model/checkpoint.ts'
import { errorCodes, NetopsError } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { hostPaths } from '../model/paths.ts'
import type { FleetContext } from './context.ts'
import { guardEnvironment } from './environment.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost, type HostAnswer } from './pool.ts'

// A document of a few hundred bytes, and a login banner.
const mostOfAnswer = 2 ** 20

const refusal = z.object({
  error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }),
})

/** The command that asks the server of a host for one. */
export const checkpointCommand = (root: string): readonly string[] => [
  hostPaths(root).serverLink,
  ...['checkpoint', '--root', root, '--json'],
]

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
        return askOn(connection, checkpointCommand(to.root), context.signal)
      },
    },
    context,
  )

async function askOn(
  connection: HostConnection,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<TakenCheckpoint> {
  const { code, stdout, stderr } = await connection.run(argv, { signal, most: mostOfAnswer })
  // A login banner may stand before the document.
  const document = parseJson(stdout.trim().split('\n').at(-1) ?? '')
  const taken = takenCheckpoint.safeParse(document)
  if (code === 0 && taken.success) return taken.data
  const refused = refusal.safeParse(document)
  if (refused.success) throw new NetopsError(refused.data.error.code, refused.data.error)
  // env(1): 127 where there is no such program.
  if (code === 127) {
    throw new NetopsError('failed', {
      message: `no server is deployed: there is no ${argv[0] ?? ''}`,
      hint: 'netops deploy',
    })
  }
  const reason = stderr.trim().split('\n').at(0) ?? ''
  throw new NetopsError('failed', {
    message: `the server took no checkpoint: ${reason === '' ? `its command exited with ${code}` : reason}`,
    hint: 'is it a release that takes checkpoints? netops status tells which one runs',
  })
}
