// A file of this machine that hosts are to get, with what tells it from any other.
import { stat } from 'node:fs/promises'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { sha256OfFile } from './files.ts'

export interface LocalFile {
  readonly path: string
  readonly sha256: string
  /** In bytes. */
  readonly size: number
}

/**
 * Reads it once, for its hash.
 * @throws NetopsError `usage` when there is no such file, `failed` when it cannot be read
 */
export async function readLocalFile(path: string): Promise<LocalFile> {
  const found = await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw new NetopsError('failed', { message: `cannot read ${path}: ${messageOf(error)}`, cause: error })
  })
  if (found?.isFile() !== true) {
    throw new NetopsError('usage', {
      message: `there is no file ${path}`,
      hint: 'build the executables first: netops build',
    })
  }
  return { path, sha256: await sha256OfFile(path), size: found.size }
}
