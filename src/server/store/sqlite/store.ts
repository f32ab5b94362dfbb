// The records in a SQLite file: one connection, whose writes share transactions, so that one sync of the disk serves all that
// came while the one before was at work.
import type { CountedStore, StoreStats } from '../counted.ts'
import { idempotencyKeptMs, StoreUnavailable } from '../port.ts'
import { applyWrite, type Group } from './apply.ts'
import { openCommits, type Commits } from './commits.ts'
import { judgeFault } from './faults.ts'
import { openStateFile, type Identity, type OpenFile } from './file.ts'
import type { SchemaChange } from './schema.ts'

export interface SqliteOptions {
  readonly file: string
  /** Where threads that read the file beside this one see that it was written. */
  readonly commits?: Commits
  /** The time in ms since 1970. */
  readonly now?: () => number
  /** Told when a file of an older release was migrated. */
  readonly onMigrated?: (change: SchemaChange) => void
}

/** Counts since the store was made. */
export interface SqliteStats extends StoreStats {
  /** Transactions that changed something: each was a sync of the disk. */
  readonly commits: number
  /** Writes in them. */
  readonly writes: number
  /** What the transactions took, with their syncs, in seconds. */
  readonly commitSeconds: number
  /** Writes that wait for a transaction now. */
  readonly waiting: number
}

export interface SqliteStore extends CountedStore {
  readonly stats: () => SqliteStats
}

// One transaction of many large values would keep everybody waiting for long, and its pages in memory.
const mostOfGroup = { writes: 1000, characters: 32 * 2 ** 20 } as const

/** One piece of work in a transaction that it shares. */
interface Job {
  readonly size: number
  /** @returns what to do once the transaction is on the disk */
  readonly work: (group: Group) => Done
  readonly fail: (error: unknown) => void
}

interface Done {
  readonly settle: () => void
  readonly changed: boolean
}

/**
 * A store in a file. The file is made, or migrated, at the first use; from then on a missing file is an error and never made
 * anew, because a new empty one in its place would look healthy. After any fault the next request tries again.
 */
export function createSqliteStore({
  file,
  commits = openCommits(),
  now = Date.now,
  onMigrated,
}: SqliteOptions): SqliteStore {
  const counts = { commits: 0, writes: 0, commitSeconds: 0 }
  let waiting: Job[] = []
  let open: OpenFile | undefined
  let last: Identity | undefined
  let scheduled = false
  let closed = false

  const use = (): OpenFile => {
    if (closed) throw new StoreUnavailable('the database is closed')
    if (open === undefined) {
      open = openStateFile(file, last ?? 'new')
      last = open.identity
      if (open.change.from > 0 && open.change.steps.length > 0) onMigrated?.(open.change)
    }
    open.checkPlace()
    return open
  }
  const shut = () => {
    open?.close()
    open = undefined
  }
  /** What to throw for an error; a file that it says nothing good about is opened anew next time. */
  const judged = (error: unknown): unknown => {
    const { error: told, keepsFile } = judgeFault(error)
    try {
      if (!keepsFile) shut()
      return told
    } catch (failure) {
      // It stays open, and the next request comes here again.
      return judgeFault(failure).error
    }
  }
  const read = <T>(ask: (file: OpenFile) => T): Promise<T> => {
    try {
      return Promise.resolve(ask(use()))
    } catch (error) {
      return Promise.reject(asError(judged(error)))
    }
  }

  const commitGroup = (jobs: readonly Job[]): void => {
    const started = performance.now()
    let done: readonly (Done | undefined)[]
    try {
      const used = use()
      done = transact(used, jobs, now())
      // It may have been replaced since: then nobody will ever read what was written.
      used.checkPlace()
    } catch (error) {
      // Also what failed may have been written.
      commits.rise()
      if (open?.db.isTransaction === true) open.statements.rollback()
      const told = judged(error)
      for (const { fail } of jobs) fail(told)
      return
    }
    commits.rise()
    const changed = done.filter((one) => one?.changed).length
    if (changed > 0) {
      counts.commits += 1
      counts.writes += changed
      counts.commitSeconds += (performance.now() - started) / 1000
    }
    for (const one of done) one?.settle()
  }
  const commitNext = () => {
    const { group, rest } = nextGroup(waiting)
    waiting = rest
    if (group.length > 0) commitGroup(group)
  }
  const schedule = () => {
    if (scheduled) return
    scheduled = true
    // Whatever else has arrived by now comes first, and joins.
    setImmediate(() => {
      scheduled = false
      commitNext()
      if (waiting.length > 0) schedule()
    })
  }
  const enqueue = <T>(size: number, work: (group: Group) => { readonly result: T; readonly changed: boolean }) =>
    new Promise<T>((resolve, reject) => {
      waiting.push({
        size,
        work(group) {
          const { result, changed } = work(group)
          return { settle: () => resolve(result), changed }
        },
        fail: (error) => reject(asError(error)),
      })
      schedule()
    })

  return {
    place: () => open?.identity[0],
    stats: () => ({ ...counts, waiting: waiting.length }),
    get: (id) => read(({ statements }) => statements.get(id)),
    list: (request) => read(({ statements }) => statements.list(request)),
    write: (write) =>
      enqueue(write.value?.length ?? 0, (group) => {
        const { outcome, changed } = applyWrite(group, write)
        return { result: outcome, changed }
      }),
    async verify() {
      await enqueue(0, ({ statements, nowMs }) => {
        statements.setHealthCheck(nowMs)
        return { result: undefined, changed: true }
      })
      // Which one it is does not matter: another process may have checked since.
      const found = await read(({ statements }) => statements.healthCheck())
      if (found === undefined) throw new StoreUnavailable('the database does not give back what was written')
    },
    close() {
      while (waiting.length > 0) commitNext()
      closed = true
      shut()
      return Promise.resolve()
    },
  }
}

/** Does all jobs in one transaction. @returns what each came to, undefined for one that failed alone and was told so */
function transact({ statements }: OpenFile, jobs: readonly Job[], nowMs: number): readonly (Done | undefined)[] {
  statements.begin()
  const before = statements.lastVersion()
  let version = before
  // Ahead of the clock's microseconds: a checkpoint that was restored does not give out again what clients have seen since.
  const nextVersion = () => (version = Math.max(version + 1, nowMs * 1000))
  const done = jobs.map((job) => doApart(job, { statements, nowMs, nextVersion }))
  if (version !== before) statements.setLastVersion(version)
  // Faster than they can come, and never many at once.
  if (done.some((one) => one?.changed)) statements.forget(nowMs - idempotencyKeptMs, 16 + 2 * jobs.length)
  statements.commit()
  return done
}

function doApart(job: Job, group: Group): Done | undefined {
  try {
    return group.statements.apart(() => job.work(group))
  } catch (error) {
    const { error: told } = judgeFault(error)
    if (told instanceof StoreUnavailable) throw error
    job.fail(error)
    return undefined
  }
}

function nextGroup(waiting: readonly Job[]): { readonly group: readonly Job[]; readonly rest: Job[] } {
  let count = 0
  for (let characters = 0; count < Math.min(waiting.length, mostOfGroup.writes); count += 1) {
    characters += waiting[count]?.size ?? 0
    if (count > 0 && characters > mostOfGroup.characters) break
  }
  return { group: waiting.slice(0, count), rest: waiting.slice(count) }
}

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))
