// What a run that came to nothing has brought to its hosts: it takes room, may be secret, and nobody will ask for it again.
import { join } from 'node:path'
import { applyEffect } from '../drivers/hosts/apply.ts'
import { guardFolders } from '../drivers/hosts/guard.ts'
import type { RunResult } from '../engine/run.ts'
import { hostPaths } from '../model/paths.ts'
import type { HostRequest } from '../procedures/host-request.ts'
import type { RunHost } from './hosts.ts'

/** Removes it from every host that the run has not lost; one that goes on later keeps what it has brought. */
export async function clearBrought(
  hosts: ReadonlyMap<string, RunHost>,
  requests: readonly HostRequest[],
  { outcome, open, failures }: RunResult,
): Promise<void> {
  if (outcome === 'done' || open) return
  const lost = new Set(failures.flatMap(({ code, host }) => (code === 'unreachable' ? [host] : [])))
  await Promise.all(
    requests.map(async ({ host: name, root, run }) => {
      const host = hosts.get(name)
      if (host === undefined || lost.has(name)) return
      const effect = { kind: 'remove-tree', path: join(hostPaths(root).incoming, run) } as const
      try {
        const connection = await host.connection()
        await guardFolders(connection, effect)
        await applyEffect(connection, effect)
      } catch {
        // How the run ended is told already; `netops gc` finds what could not be removed.
      }
    }),
  )
}
