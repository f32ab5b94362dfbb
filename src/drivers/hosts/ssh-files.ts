// A host's files by SFTP, over a connection that is logged in: also where its account may do nothing else (sftp-only).
import type { Client, SFTPWrapper, Stats } from 'ssh2'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { printHash } from './commands.ts'
import type { FileFacts, HostConnection, HostFile, HostFiles } from './port.ts'

/** What an SFTP session takes of a connection. */
export interface FilesOver {
  readonly client: Client
  readonly connection: HostConnection
  /** Rejects when the connection is lost. */
  readonly lost: Promise<never>
  /** The connection's loss in words. */
  readonly unreachable: (error: unknown) => NetopsError
}

// draft-ietf-secsh-filexfer-02, 7: all that servers of version 3 tell. OpenSSH's says FAILURE of a full disk and of a name that
// is taken alike.
const status = { eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4 } as const
// A disk that is written to by others takes its time; what takes longer than that hangs.
const answerWithinMs = 60_000
const syncWithinMs = 600_000

// The same, 6.3: READ 1, WRITE 2, CREAT 8, EXCL 32.
const openFlags = { read: 1, more: 1 | 2, new: 1 | 2 | 8 | 32 } as const

// The same, 3: servers take packets of 34,000 bytes at least.
const longestRequest = 32 * 1024

const statusOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

/**
 * Opens an SFTP session.
 * @throws NetopsError `failed` where the host has none; `unreachable` where it is lost
 */
export async function filesOver(over: FilesOver): Promise<HostFiles> {
  const { name } = over.connection
  const opened = new Promise<SFTPWrapper>((resolve, reject) => {
    try {
      over.client.sftp((error, sftp) => (error === undefined ? resolve(sftp) : reject(noSftp(name, error))))
    } catch (error) {
      // ssh2 throws where the connection has gone.
      reject(over.unreachable(error))
    }
  })
  opened.catch(() => undefined)
  const session = new Session(over, await Promise.race([opened, over.lost, after(answerWithinMs, over)]))
  return session.files()
}

const noSftp = (host: string, error: Error): NetopsError =>
  new NetopsError('failed', {
    host,
    message: `it has no SFTP: ${error.message}`,
    hint: 'its sshd needs a line such as: Subsystem sftp internal-sftp (sshd_config(5))',
    cause: error,
  })

const after = (ms: number, { unreachable }: FilesOver): Promise<never> =>
  new Promise((_, reject) => {
    setTimeout(() => reject(unreachable(new Error(`no answer within ${ms / 1000} s`))), ms).unref()
  })

const kindOf = (stats: Stats): FileFacts['kind'] =>
  stats.isSymbolicLink() ? 'link' : stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'other'

const factsOf = (stats: Stats): FileFacts => ({
  kind: kindOf(stats),
  size: stats.size,
  modifiedMs: stats.mtime * 1000,
})

type Answer<T> = (error: Error | null | undefined, value: T) => void

class Session {
  readonly #over: FilesOver
  readonly #sftp: SFTPWrapper
  /** Whether commands can be run there is found out once. */
  #hashes: 'unknown' | 'yes' | 'no' = 'unknown'

  constructor(over: FilesOver, sftp: SFTPWrapper) {
    this.#over = over
    this.#sftp = sftp
    // It is told by the call that is under way, or the next one.
    sftp.on('error', () => undefined)
  }

  files(): HostFiles {
    return {
      name: this.#over.connection.name,
      look: async (path) => {
        const stats = await this.#ifThere(path, (done: Answer<Stats>) => this.#sftp.lstat(path, done))
        return stats === undefined ? undefined : factsOf(stats)
      },
      list: (folder) => this.#list(folder),
      makeFolder: (path) => this.#makeFolder(path),
      open: (path, how) => this.#open(path, how),
      rename: (from, to) => this.#rename(from, to),
      remove: async (path) => {
        await this.#ifThere(path, (done: Answer<void>) => this.#sftp.unlink(path, done))
      },
      free: (folder) => this.#free(folder),
      hash: (path, signal) => this.#hash(path, signal),
      // The protocol has nothing for it; a rename is on the disk when the file system writes its log, seconds later.
      syncFolder: async (folder) => {
        if (this.#hashes === 'yes') await this.#over.connection.run(['sync', '--', folder])
      },
      close: () => this.#over.connection.close(),
    }
  }

  /** One request and its answer. */
  async #ask<T>(path: string, request: (done: Answer<T>) => void, withinMs = answerWithinMs): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    promise.catch(() => undefined)
    const late = setTimeout(
      () => reject(this.#over.unreachable(new Error(`no answer about ${path} within ${withinMs / 1000} s`))),
      withinMs,
    )
    try {
      request((error, value) => {
        if (error === undefined || error === null) resolve(value)
        else reject(error)
      })
      return await Promise.race([promise, this.#over.lost])
    } catch (error) {
      if (error instanceof NetopsError) throw error
      // Only what has a status is the host's answer.
      if (typeof statusOf(error) !== 'number') throw this.#over.unreachable(error)
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  async #orTell<T>(path: string, request: (done: Answer<T>) => void, withinMs?: number): Promise<T> {
    try {
      return await this.#ask(path, request, withinMs)
    } catch (error) {
      throw await this.#told(path, error)
    }
  }

  async #ifThere<T>(path: string, request: (done: Answer<T>) => void): Promise<T | undefined> {
    try {
      return await this.#ask(path, request)
    } catch (error) {
      if (statusOf(error) === status.noSuchFile) return undefined
      throw await this.#told(path, error)
    }
  }

  /** The host's refusal in words, with the likely reason where the protocol has none. */
  async #told(path: string, error: unknown): Promise<NetopsError> {
    if (error instanceof NetopsError) return error
    const host = this.#over.connection.name
    const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 1))
    const isFull =
      statusOf(error) === status.failure && ((await this.#free(folder).catch(() => undefined)) ?? Infinity) < 2 ** 20
    if (isFull) {
      const hint = 'free some space there, or let more expire'
      return new NetopsError('failed', { host, message: `${path}: no space left`, hint, cause: error })
    }
    const hint =
      statusOf(error) === status.permissionDenied
        ? 'give the account there the right to write to that folder'
        : undefined
    return new NetopsError('failed', { host, message: `${path}: ${messageOf(error)}`, hint, cause: error })
  }

  async *#list(folder: string): ReturnType<HostFiles['list']> {
    const handle = await this.#ifThere(folder, (done: Answer<Buffer>) => this.#sftp.opendir(folder, done))
    if (handle === undefined) return
    try {
      for (;;) {
        const page = await this.#ask(folder, (done: Answer<{ filename: string; attrs: Stats }[]>) =>
          this.#sftp.readdir(handle, done),
        ).catch(async (error: unknown) => {
          if (statusOf(error) === status.eof) return undefined
          throw await this.#told(folder, error)
        })
        if (page === undefined) return
        for (const { filename, attrs } of page) {
          // A server that names other folders' files, or none, is not followed there.
          if (filename !== '' && filename !== '.' && filename !== '..' && !filename.includes('/')) {
            yield { name: filename, facts: factsOf(attrs) }
          }
        }
      }
    } finally {
      await this.#close(handle)
    }
  }

  async #makeFolder(path: string): Promise<void> {
    const at = path.startsWith('/') ? '/' : ''
    const names = path.split('/').filter(Boolean)
    for (let count = 1; count <= names.length; count += 1) {
      const folder = `${at}${names.slice(0, count).join('/')}`
      if ((await this.#ifThere(folder, (done: Answer<Stats>) => this.#sftp.stat(folder, done))) !== undefined) continue
      await this.#orTell(folder, (done: Answer<void>) => this.#sftp.mkdir(folder, { mode: 0o700 }, done))
    }
  }

  async #open(path: string, how: 'read' | 'more' | 'new'): Promise<HostFile> {
    const handle = await this.#orTell(path, (done: Answer<Buffer>) =>
      this.#sftp.open(path, openFlags[how], how === 'new' ? { mode: 0o600 } : {}, done),
    )
    return {
      read: (at, length) => this.#read(path, handle, { at, length }),
      write: (bytes, at) => this.#write(path, handle, { bytes, at }),
      sync: async () => {
        if (!this.#has('fsync@openssh.com')) return
        await this.#orTell(path, (done: Answer<void>) => this.#sftp.ext_openssh_fsync(handle, done), syncWithinMs)
      },
      close: () => this.#close(handle),
    }
  }

  /** In requests as long as every server takes, sent in order: a server carries them out in order, so that no gap is left. */
  async #write(
    path: string,
    handle: Buffer,
    { bytes, at }: { readonly bytes: Uint8Array; readonly at: number },
  ): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const requests: Promise<void>[] = []
    for (let from = 0; from < buffer.length; from += longestRequest) {
      const length = Math.min(longestRequest, buffer.length - from)
      const written = this.#ask(path, (done: Answer<void>) =>
        this.#sftp.write(handle, buffer, from, length, at + from, (error) => done(error, undefined)),
      )
      requests.push(written)
    }
    try {
      await Promise.all(requests)
    } catch (error) {
      throw await this.#told(path, error)
    }
  }

  async #read(
    path: string,
    handle: Buffer,
    { at, length }: { readonly at: number; readonly length: number },
  ): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(length)
    let filled = 0
    // A server may give less than it was asked for; nothing at all is the end.
    while (filled < length) {
      const from = filled
      const came = await this.#orTell(path, (done: Answer<number>) =>
        this.#sftp.read(handle, buffer, from, length - from, at + from, (error, bytes) => done(error, bytes)),
      )
      if (came === 0) break
      filled += came
    }
    return buffer.subarray(0, filled)
  }

  /** As link(2) and unlink(2) where the server has them: nothing that is there is ever replaced. */
  async #rename(from: string, to: string): Promise<boolean> {
    try {
      // OpenSSH's (sftp-server.c) fails where the name is taken; so it says in the draft, 6.5.
      await this.#ask(to, (done: Answer<void>) => this.#sftp.rename(from, to, done))
      return true
    } catch (error) {
      if (error instanceof NetopsError) throw error
      const taken = await this.#ifThere(to, (done: Answer<Stats>) => this.#sftp.lstat(to, done))
      if (taken !== undefined) return false
      throw await this.#told(to, error)
    }
  }

  async #free(folder: string): Promise<number | undefined> {
    if (!this.#has('statvfs@openssh.com')) return undefined
    const said: unknown = await this.#ask(folder, (done: Answer<unknown>) =>
      this.#sftp.ext_openssh_statvfs(folder, done),
    )
    const number = (key: string): number => {
      const value: unknown = typeof said === 'object' && said !== null ? Reflect.get(said, key) : undefined
      return Number(value)
    }
    const bytes = number('f_frsize') * number('f_bavail')
    return Number.isFinite(bytes) ? bytes : undefined
  }

  async #hash(path: string, signal?: AbortSignal): Promise<string | undefined> {
    if (this.#hashes === 'no') return undefined
    try {
      const { code, stdout } = await this.#over.connection.run(['sh', '-c', printHash, path], { signal })
      const said = code === 0 ? /^[0-9a-f]{64}(?= )/.exec(stdout)?.[0] : undefined
      // A file that only SFTP can see: its account is locked into other folders there.
      if (said !== undefined) this.#hashes = 'yes'
      return said
    } catch (error) {
      if (signal?.aborted === true) throw error
      // The account may run nothing, which is as it should be where it is there for copies alone. Where the connection was
      // lost, the next request says so.
      this.#hashes = 'no'
      return undefined
    }
  }

  #has(extension: string): boolean {
    const known: unknown = Reflect.get(this.#sftp, '_extensions')
    return typeof known === 'object' && known !== null && extension in known
  }

  async #close(handle: Buffer): Promise<void> {
    await this.#ask('', (done: Answer<void>) => this.#sftp.close(handle, done)).catch(() => undefined)
  }
}
