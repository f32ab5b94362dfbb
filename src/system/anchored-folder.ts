// A folder that is held open: what is done to its entries is done there, whatever its name leads to by now. So root can work in
// a folder that others may write to, and no link that they put in the way is followed. Names are of one character a byte.
import { constants, promises as fs, type BigIntStats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { NetopsError, systemCode } from '../model/errors.ts'

const asFolder = constants.O_RDONLY | constants.O_DIRECTORY

export class AnchoredFolder {
  readonly #handle: FileHandle

  private constructor(handle: FileHandle) {
    this.#handle = handle
  }

  /** @param path a folder on a way that is nobody else's: links on it are followed */
  static async open(path: string | Buffer): Promise<AnchoredFolder> {
    return new AnchoredFolder(await fs.open(path, asFolder))
  }

  /** Its path for commands that this process starts, good for as long as it is open (proc(5)). */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.#handle.fd}`
  }

  /** An entry's path for calls of this process. */
  at(part: string): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#handle.fd}/${part}`, 'latin1')
  }

  /**
   * Opens a folder in it.
   * @throws NetopsError `refused` where a link or something else lies in its place
   */
  async folder(part: string): Promise<AnchoredFolder | undefined> {
    try {
      return new AnchoredFolder(await fs.open(this.at(part), asFolder | constants.O_NOFOLLOW))
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      if (systemCode(error) !== 'ELOOP' && systemCode(error) !== 'ENOTDIR') throw error
      throw new NetopsError('refused', { message: `${await this.shown(part)} is no folder, and one belongs there` })
    }
  }

  /** As {@link folder}, of a folder that is made where there is none. @param mode permission bits */
  async madeFolder(part: string, mode: number): Promise<AnchoredFolder> {
    try {
      await fs.mkdir(this.at(part), mode)
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
    const made = await this.folder(part)
    if (made !== undefined) return made
    throw new NetopsError('failed', { message: `${await this.shown(part)} was removed by somebody else` })
  }

  /** What lies there, a link as such; undefined where nothing does. */
  async look(part: string): Promise<BigIntStats | undefined> {
    try {
      return await fs.lstat(this.at(part), { bigint: true })
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Of the folder itself. */
  facts(): Promise<BigIntStats> {
    return this.#handle.stat({ bigint: true })
  }

  /** What it holds, in the order of the bytes of its names. */
  async names(): Promise<readonly string[]> {
    return (await fs.readdir(this.at(''), 'latin1')).sort()
  }

  /** Gives an entry another name, here or in another folder of the same file system. What is there by that name is replaced. */
  async move(part: string, to: AnchoredFolder, as: string): Promise<void> {
    await fs.rename(this.at(part), to.at(as))
  }

  /** Removes a file or link; fine where there is none. */
  async remove(part: string): Promise<void> {
    await fs.rm(this.at(part), { force: true })
  }

  /** What it lists is on the disk. */
  async sync(): Promise<void> {
    await this.#handle.sync()
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  /** An entry's path for people. */
  async shown(part: string): Promise<string> {
    const folder = await fs.readlink(`/proc/self/fd/${this.#handle.fd}`).catch(() => '?')
    return `${folder === '/' ? '' : folder}/${part}`
  }
}

/** Works with a folder, and closes it however that ends. */
export async function within<T>(folder: AnchoredFolder, work: (folder: AnchoredFolder) => Promise<T>): Promise<T> {
  try {
    return await work(folder)
  } finally {
    await folder.close()
  }
}
