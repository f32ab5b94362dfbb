// How hosts are read: this machine's files directly, another's by its own plain commands. Starting a command takes ten times as
// long as reading a file, and a host that is looked at is asked for dozens.
import { promises as fs } from 'node:fs'
import { leavable } from './leavable.ts'
import { connectLocal } from './local.ts'
import { usualAnswer, type HostConnection, type HostReader } from './port.ts'
import { folderInstead, readerOver } from './reader.ts'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { readFileUpTo } from '../../system/bounded.ts'
import { sha256OfFile } from '../../system/files.ts'

const here = new WeakSet<HostConnection>()

/**
 * This machine as a host.
 * @param leaving aborted when what runs on it is not waited for any longer
 */
export function connectHere(name: string, leaving?: AbortSignal): HostConnection {
  const local = connectLocal(name)
  const connection = leaving === undefined ? local : leavable(local, leaving)
  here.add(connection)
  return connection
}

/** A reader over a connection. */
export function readerOf(connection: HostConnection): HostReader {
  const overCommands = readerOver(connection)
  return here.has(connection) ? { ...overCommands, ...filesHere(connection.name) } : overCommands
}

const filesHere = (host: string): Omit<HostReader, 'name' | 'query'> => ({
  readText: (path) => orMissing(host, path, async () => (await readFileUpTo(path, usualAnswer)).toString('utf8')),
  // As readlink(1): what is no link, is not there or cannot be looked at has no target.
  readLink: (path) => fs.readlink(path).catch(() => undefined),
  list: async (path) => ((await orMissing(host, path, () => fs.readdir(path))) ?? []).sort(),
  exists: (path) =>
    fs.lstat(path).then(
      () => true,
      () => false,
    ),
  sha256: (path) => orMissing(host, path, () => sha256OfFile(path)),
})

// ESRCH: below /proc, of a process that ended while it was looked at.
const missing = ['ENOENT', 'ENOTDIR', 'ESRCH']

async function orMissing<T>(host: string, path: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    // What cannot be reached is not there, as test(1) says; what is there and cannot be read is an error.
    if (error instanceof NetopsError) throw error
    if (missing.includes(systemCode(error) ?? '') || !(await isReached(path))) return undefined
    if (systemCode(error) === 'EISDIR') throw folderInstead(host, path)
    throw new NetopsError('failed', { message: `cannot read ${path}: ${messageOf(error)}`, host, cause: error })
  }
}

const isReached = (path: string): Promise<boolean> =>
  fs.stat(path).then(
    () => true,
    () => false,
  )
