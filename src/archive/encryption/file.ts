// Files encrypted and decrypted as a whole: what comes out has its name only when all of it is there.
import { createHash, randomBytes } from 'node:crypto'
import { constants, promises as fs } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { syncFolder } from '../../system/files.ts'
import type { LocalFile } from '../../system/local-file.ts'
import { decrypted, encrypted } from './age.ts'

const readBytes = 1 << 20

/**
 * Encrypts a file into another, for its owner alone.
 * @param to in a folder that nobody else may write to; what is there is replaced
 * @throws NetopsError `usage` for what is no recipient
 */
export const encryptFile = (
  from: string,
  to: string,
  recipients: readonly string[],
  signal?: AbortSignal,
): Promise<LocalFile> => keep(to, encrypted(bytesOf(from), recipients), signal)

/**
 * Decrypts a stream into a file, for its owner alone.
 * @param to in a folder that nobody else may write to; what is there is replaced
 * @throws NetopsError `damaged` for what was changed or cut off, and then there is no file; `failed` where no identity fits
 */
export const decryptTo = (
  sealed: AsyncIterable<Uint8Array>,
  to: string,
  identities: readonly string[],
  signal?: AbortSignal,
): Promise<LocalFile> => keep(to, decrypted(sealed, identities), signal)

async function* bytesOf(path: string): AsyncGenerator<Uint8Array> {
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(readBytes), 0, readBytes, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

async function keep(path: string, bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<LocalFile> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  const hash = createHash('sha256')
  let size = 0
  try {
    const handle = await fs.open(temporary, 'wx', 0o600)
    try {
      for await (const chunk of bytes) {
        if (signal?.aborted === true) throw new NetopsError('interrupted', { message: `${basename(path)} was left` })
        hash.update(chunk)
        await handle.writeFile(chunk)
        size += chunk.length
      }
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.rename(temporary, path)
  } catch (error) {
    await fs.rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
  return { path, size, sha256: hash.digest('hex') }
}
