// A file that is read while it is still being written: the plan of an archive, which need not be held in memory for that.
import { open, type FileHandle } from 'node:fs/promises'

const readBytes = 256 << 10

export class PlanFile {
  readonly #file: FileHandle
  #written = 0
  #end: { readonly error?: Error } | undefined
  #wake: (() => void) | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** @param path where nothing lies yet */
  static async begin(path: string): Promise<PlanFile> {
    return new PlanFile(await open(path, 'wx+', 0o600))
  }

  async append(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    await this.#file.appendFile(bytes)
    this.#written += bytes.length
    this.#wake?.()
  }

  /** All of it is there; or it will not be, for the reason that its reader is told too. */
  end(error?: Error): void {
    this.#end ??= error === undefined ? {} : { error }
    this.#wake?.()
  }

  /** Reads it from its beginning to its end, as it comes. For one reader. @throws what it was ended with */
  async *read(): AsyncGenerator<Buffer, void, undefined> {
    for (let at = 0; ;) {
      if (this.#end?.error !== undefined) throw this.#end.error
      if (at < this.#written) {
        const bytes = Buffer.allocUnsafe(Math.min(readBytes, this.#written - at))
        const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, at)
        if (bytesRead === 0) throw new Error('the plan is shorter than what was written')
        at += bytesRead
        yield bytes.subarray(0, bytesRead)
      } else if (this.#end !== undefined) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
