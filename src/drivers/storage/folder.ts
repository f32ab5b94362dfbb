// A folder of this machine as a place for copies, such as a mounted disk.
import { constants, promises as fs } from 'node:fs'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { linked, syncFolder } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import type { FileFacts, HostFile, HostFiles } from '../hosts/port.ts'
import { StorageInFiles } from './in-files.ts'
import type { Storage } from './port.ts'
import { usualPatience } from './retry.ts'

/**
 * A folder of this machine.
 * @param folder an absolute path without a slash at its end
 */
export const storageInFolder = (folder: string): Storage =>
  new StorageInFiles({
    place: folder,
    folder,
    connect: () => Promise.resolve(filesHere),
    trust: refuseDistrustedHere,
    patience: usualPatience,
  })

const kindOf = (found: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): FileFacts['kind'] =>
  found.isFile() ? 'file' : found.isDirectory() ? 'folder' : found.isSymbolicLink() ? 'link' : 'other'

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'free some space there, or let more expire',
  EDQUOT: 'the quota there is used up: let more expire, or have it raised',
  EROFS: 'it is mounted to be read only',
  EACCES: 'give the account that netops runs as the right to write there',
  EPERM: 'give the account that netops runs as the right to write there',
}

/** An error of the system in the words of the port. */
function told(path: string, error: unknown): NetopsError {
  if (error instanceof NetopsError) return error
  const code = systemCode(error) ?? ''
  const message = code === 'ENOSPC' ? `${path}: no space left` : `${path}: ${messageOf(error)}`
  return new NetopsError('failed', { message, hint: hints[code], cause: error })
}

/** Undefined where nothing is there. */
async function ifThere<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined
    throw told(path, error)
  }
}

async function orTell<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw told(path, error)
  }
}

const flags = {
  read: constants.O_RDONLY,
  more: constants.O_RDWR,
  new: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const

const filesHere: HostFiles = {
  name: 'this machine',
  look: (path) =>
    ifThere(path, async () => {
      const found = await fs.lstat(path)
      return { kind: kindOf(found), size: found.size, modifiedMs: found.mtimeMs }
    }),
  async *list(folder) {
    const opened = await ifThere(folder, () => fs.opendir(folder))
    if (opened === undefined) return
    for await (const { name } of opened) {
      const facts = await filesHere.look(`${folder}/${name}`)
      if (facts !== undefined) yield { name, facts }
    }
  },
  makeFolder: (path) =>
    orTell(path, async () => {
      await fs.mkdir(path, { mode: 0o700, recursive: true })
      await syncFolder(path)
    }),
  open: (path, how) =>
    orTell(path, async () => {
      const handle = await fs.open(path, flags[how] | constants.O_NOFOLLOW, 0o600)
      let [before, isClosed] = [Promise.resolve(), false]
      const file: HostFile = {
        read: (at, length) =>
          orTell(path, async () => {
            const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, at)
            return buffer.subarray(0, bytesRead)
          }),
        write: (bytes, at) => {
          // One after the other: a process that is killed leaves no gap.
          before = before.then(() =>
            orTell(path, async () => {
              for (let done = 0; done < bytes.length && !isClosed;) {
                done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten
              }
            }),
          )
          return before
        },
        sync: () => orTell(path, () => handle.sync()),
        close: () => {
          isClosed = true
          return handle.close()
        },
      }
      return file
    }),
  rename: (from, to) =>
    orTell(to, async () => {
      try {
        if (!(await linked(from, to))) return false
        await fs.unlink(from)
      } catch (error) {
        // No hard links there (FAT, some network file systems): then a look has to do, and our lease keeps others out.
        if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemCode(error) ?? '')) throw error
        if ((await filesHere.look(to)) !== undefined) return false
        await fs.rename(from, to)
      }
      return true
    }),
  remove: (path) => orTell(path, () => fs.rm(path, { force: true })),
  free: (folder) =>
    ifThere(folder, async () => {
      const { bavail, bsize } = await fs.statfs(folder)
      return bavail * bsize
    }),
  // It is read back, which is the same here.
  hash: () => Promise.resolve(undefined),
  syncFolder: (folder) => orTell(folder, () => syncFolder(folder)),
  close: () => Promise.resolve(),
}
