// What a restore begins from: a checkpoint or any copy with its hash beside it, opened before privileges are given up.
import { constants, promises as fs } from 'node:fs'
import { resolve } from 'node:path'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { hashPath, listCheckpoints, readHash } from './files.ts'

export interface RestoreSource {
  readonly path: string
  readonly handle: fs.FileHandle
  readonly bytes: number
  /** What its content must hash to, as 64 hexadecimal digits. */
  readonly sha256: string
}

/**
 * Opens what is to be restored.
 * @param which a file's path, or `latest` for the newest checkpoint
 * @throws NetopsError `failed` where it cannot be opened, `refused` where no hash lies beside it
 */
export async function openSource(which: string, checkpoints: string): Promise<RestoreSource> {
  const path = which === 'latest' ? await newestIn(checkpoints) : resolve(which)
  const sha256 = await readHash(path)
  const handle = await openFile(path)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new NetopsError('failed', { message: `${path} is no file` })
    if (sha256 === undefined) {
      throw new NetopsError('refused', {
        message: `no hash lies beside ${path}: what was copied there cannot be verified`,
        hint: `bring ${hashPath(path)} along with it`,
      })
    }
    return { path, handle, bytes: stat.size, sha256 }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function openFile(path: string): Promise<fs.FileHandle> {
  try {
    return await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch (error) {
    const gone = systemCode(error) === 'ENOENT'
    throw new NetopsError('failed', {
      message: gone ? `there is no file ${path}` : `cannot read ${path}: ${messageOf(error)}`,
      hint: 'name a checkpoint, or latest',
      cause: error,
    })
  }
}

async function newestIn(folder: string): Promise<string> {
  const [newest] = await listCheckpoints(folder)
  if (newest !== undefined) return newest.path
  throw new NetopsError('failed', {
    message: `there is no checkpoint in ${folder}`,
    hint: 'name a file: network_server restore FILE',
  })
}
