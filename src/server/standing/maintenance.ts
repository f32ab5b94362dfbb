// Watches the maintenance flag (guide: Maintenance Procedure): a file that holds `true` or `false`.
import { constants, promises as fs, watch, type FSWatcher } from 'node:fs'
import { basename, dirname } from 'node:path'
import { messageOf, systemCode } from '../../model/errors.ts'

export interface FlagOptions {
  /** Its folder may come later, and go. */
  readonly path: string
  /** Called with what it says first, and whenever it says something else. */
  readonly onChange: (on: boolean) => void
  /** Called once for each thing that is wrong with it; what it said before stays in effect. */
  readonly onProblem: (problem: string) => void
  /** How often it is read without a notification, in ms. */
  readonly pollMs?: number
}

export interface FlagWatch {
  close(): void
}

// inotify(7) loses notifications when its queue is full, and none come of a folder that is not there.
const usualPollMs = 1000
// `false` with a line end; whatever is longer is something else.
const mostBytes = 16

/** Reads the flag, and from then on follows it; resolves after the first reading. */
export async function watchMaintenance(options: FlagOptions): Promise<FlagWatch> {
  const { path, pollMs = usualPollMs } = options
  const folder = new FolderWatch(dirname(path), (name) => {
    if (name === null || name === basename(path)) void look()
  })
  const follow = follower(options)
  let looking: Promise<void> | undefined
  let asked = 0
  const look = (): Promise<void> => {
    asked += 1
    looking ??= (async () => {
      // What changes while it is read is read afterwards.
      for (let seen = 0; seen !== asked;) {
        seen = asked
        follow(await readFlag(path))
      }
      looking = undefined
    })()
    return looking
  }
  await folder.renew()
  await look()
  const poll = setInterval(() => void folder.renew().then(look), pollMs).unref()
  return {
    close() {
      clearInterval(poll)
      folder.close()
    },
  }
}

type Reading = { readonly says: boolean } | { readonly problem: string } | 'empty'

/** Makes changes of readings. */
function follower({ onChange, onProblem }: FlagOptions): (reading: Reading) => void {
  let on: boolean | undefined
  let told: string | undefined
  let empty = 0
  return (reading) => {
    // A shell's `>` empties the file before it writes: only what stays empty is wrong.
    empty = reading === 'empty' ? empty + 1 : 0
    if (reading === 'empty' && empty < 3) {
      if (on === undefined) onChange((on = false))
      return
    }
    if (reading === 'empty' || 'problem' in reading) {
      const problem = reading === 'empty' ? 'it is empty' : reading.problem
      if (problem !== told) onProblem(problem)
      told = problem
      if (on === undefined) onChange((on = false))
      return
    }
    told = undefined
    if (reading.says !== on) onChange((on = reading.says))
  }
}

/** What the flag says now. Without a file there is no maintenance. */
async function readFlag(path: string): Promise<Reading> {
  try {
    // No link, which could lead anywhere; and no waiting for whoever writes to a pipe.
    const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      if (!(await handle.stat()).isFile()) return { problem: 'it is no file' }
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(mostBytes + 1), 0, mostBytes + 1, 0)
      const text = buffer.toString('latin1', 0, bytesRead).trim()
      if (text === 'true' || text === 'false') return { says: text === 'true' }
      return bytesRead === 0 ? 'empty' : { problem: 'it says neither true nor false' }
    } finally {
      await handle.close()
    }
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return { says: false }
    return { problem: code === 'ELOOP' ? 'it is a link, which is not followed' : messageOf(error) }
  }
}

/** Notifications of a folder, also after it was made anew. */
class FolderWatch {
  readonly #folder: string
  readonly #onChange: (name: string | null) => void
  #watched: { readonly watcher: FSWatcher; readonly inode: string } | undefined
  #closed = false

  constructor(folder: string, onChange: (name: string | null) => void) {
    this.#folder = folder
    this.#onChange = onChange
  }

  /** Watches the folder that is there now. */
  async renew(): Promise<void> {
    const inode = await fs.stat(this.#folder).then(
      ({ dev, ino }) => `${dev}:${ino}`,
      () => undefined,
    )
    if (this.#closed || this.#watched?.inode === inode) return
    this.#stop()
    if (inode === undefined) return
    try {
      const watcher = watch(this.#folder, { persistent: false }, (_event, name) => this.#onChange(name))
      watcher.on('error', () => this.#stop())
      this.#watched = { watcher, inode }
    } catch {
      // No notifications (out of inotify watches, or the folder just went): the poll reads it all the same.
    }
  }

  close(): void {
    this.#closed = true
    this.#stop()
  }

  #stop(): void {
    this.#watched?.watcher.close()
    this.#watched = undefined
  }
}
