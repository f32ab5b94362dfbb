// What can be read only once, such as standard input, for several readers: kept in a file that no folder names.
import { randomBytes } from 'node:crypto'
import { open, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf, NetopsError } from '../model/errors.ts'

export interface Spooled {
  /** A path that this process alone can open, as often as it likes. */
  readonly file: string
  readonly close: () => Promise<void>
}

/**
 * Reads a source to its end.
 * @throws NetopsError `failed` where there is no room for it; otherwise what reading it throws
 */
export async function spool(source: AsyncIterable<Uint8Array>): Promise<Spooled> {
  const folder = tmpdir()
  const path = join(folder, `netops-${randomBytes(8).toString('hex')}`)
  const file = await open(path, 'wx+', 0o600).catch((cause: unknown) => {
    throw noRoom(folder, cause)
  })
  try {
    // Its bytes go with this process, however that ends.
    await unlink(path)
    for await (const chunk of source) {
      await file.writeFile(chunk).catch((cause: unknown) => {
        throw noRoom(folder, cause)
      })
    }
  } catch (error) {
    await file.close()
    throw error
  }
  return { file: `/proc/self/fd/${file.fd}`, close: () => file.close() }
}

const noRoom = (folder: string, cause: unknown): NetopsError =>
  new NetopsError('failed', {
    message: `standard input cannot be kept in ${folder}: ${messageOf(cause)}`,
    hint: 'name a folder with room by TMPDIR, or give the file itself: --input FILE',
    cause,
  })
