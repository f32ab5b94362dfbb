// Before an effect: nobody else may have a say in the folders that it works in, whatever was so when the plan was made.
import { foldersOf, type HostEffect } from '../../model/effects.ts'
import { refuseDistrusted } from '../../system/folder-trust.ts'
import type { HostConnection } from './port.ts'

const lookTimeoutMs = 60_000

// A folder that is found to be nobody else's stays so: who else could change that? One look each is enough.
const seen = new WeakMap<HostConnection, Set<string>>()

/** @throws NetopsError `refused` with the folder and whose it is, before anything is changed in it */
export async function guardFolders(connection: HostConnection, effect: HostEffect): Promise<void> {
  const known = seen.get(connection) ?? new Set()
  seen.set(connection, known)
  const folders = foldersOf(effect).filter((folder) => !known.has(folder))
  if (folders.length === 0) return
  const query = (argv: readonly string[]) => connection.run(argv, { timeoutMs: lookTimeoutMs })
  const { there } = await refuseDistrusted(query, folders, connection.name)
  for (const folder of there) known.add(folder)
}
