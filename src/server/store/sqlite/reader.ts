// Reads of a SQLite store beside the thread that writes: in the thread that serves, without a message and without waiting for
// the disk of a write.
import { DatabaseSync } from 'node:sqlite'
import type { StoreClient } from '../client.ts'
import { later, type Store } from '../port.ts'
import type { Commits } from './commits.ts'
import { inodeOf } from './file.ts'
import { schemaChange } from './schema.ts'
import { prepareReads, type Reads } from './statements.ts'

/** How long the file is left alone after it could not be opened, in ms: whoever asks meanwhile goes the other way. */
const retryMs = 250

export type Reader = Pick<Store, 'get' | 'list' | 'close'> & Required<Pick<Store, 'getNow'>>

/** The thread that keeps the store, as far as a reader needs it. */
export type Keeper = Pick<Store, 'get' | 'list'> & Pick<StoreClient, 'place'>

/**
 * Reads a file that another thread of this process keeps.
 *
 * All that is read in one turn of the loop is read in one transaction: to begin and to end one costs several times what it
 * takes to find a record. It is over before the turn ends where the process has written meanwhile.
 * @param keeper the way over that thread: taken whenever something is wrong here, so that it alone says what
 * @param commits what that thread has written
 */
export function createSqliteReader(file: string, keeper: Keeper, commits: Commits): Reader {
  let open: { readonly db: DatabaseSync; readonly inode: string; readonly reads: Reads } | undefined
  let kept: string | undefined
  let asking = false
  let retryAt = -Infinity
  // The commits that the transaction sees, all of them and maybe more; undefined where none is open.
  let seen: number | undefined

  const leave = () => {
    if (seen !== undefined) open?.reads.leave()
    seen = undefined
  }
  const shut = () => {
    seen = undefined
    open?.db.close()
    open = undefined
  }
  const askPlace = async () => {
    if (asking) return
    asking = true
    // Who cannot say has none.
    kept = await keeper.place().catch(() => undefined)
    asking = false
  }
  const endOfTurn = () => {
    try {
      leave()
    } catch {
      shut()
    }
  }
  const use = (): Reads | undefined => {
    const count = commits.count()
    if (open !== undefined && seen === count) return open.reads
    leave()
    const reads = openNow()
    if (reads === undefined) return undefined
    reads.enter()
    seen = count
    setImmediate(endOfTurn)
    return reads
  }
  const openNow = (): Reads | undefined => {
    const inode = inodeOf(file)
    if (open?.inode === inode) return open.reads
    shut()
    if (inode !== kept) {
      // A new file in the place may still have the log of the old one beside it, until the keeper has seen to that.
      void askPlace()
      return undefined
    }
    if (performance.now() < retryAt) return undefined
    retryAt = performance.now() + retryMs
    open = openReads(file, inode)
    return open.reads
  }
  const read = <T>(ask: (reads: Reads) => T, instead: () => Promise<T>): Promise<T> => {
    try {
      const reads = use()
      return reads === undefined ? instead() : Promise.resolve(ask(reads))
    } catch {
      // What is wrong is told by the other way, or is over there already.
      shut()
      return instead()
    }
  }
  return {
    getNow(id) {
      try {
        const reads = use()
        return reads === undefined ? later : reads.get(id)
      } catch {
        shut()
        return later
      }
    },
    get: (id) =>
      read(
        ({ get }) => get(id),
        () => keeper.get(id),
      ),
    list: (request) =>
      read(
        ({ list }) => list(request),
        () => keeper.list(request),
      ),
    close() {
      retryAt = Infinity
      shut()
      return Promise.resolve()
    },
  }
}

/** @throws what the file system and SQLite throw; Error where another release wrote the file, or it was replaced */
function openReads(file: string, inode: string) {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 0 })
  try {
    if (schemaChange(db).steps.length > 0 || inodeOf(file) !== inode) throw new Error('not the file that is kept')
    return { db, inode, reads: prepareReads(db) }
  } catch (error) {
    db.close()
    throw error
  }
}
