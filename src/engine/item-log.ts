// What work on many things has done so far, item by item: written in batches, so that an item costs no wait for the disk.
import { promises as fs } from 'node:fs'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { systemCode } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'

const item = z.object({ step: z.string(), key: z.string() })

// A kill loses at most this much of what was done; it is done again then.
const batch = { items: 1000, everyMs: 250 }

export const itemLogPath = (runs: string, run: string): string => join(runs, run, 'items.jsonl')

/** The items of one run. Work tolerates that the last of them are done again. */
export class ItemLog {
  readonly #path: string
  readonly #done = new Map<string, Set<string>>()
  #handle: fs.FileHandle | undefined
  #lines: string[] = []
  #writing: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #failed: Error | undefined

  private constructor(path: string) {
    this.#path = path
  }

  /** Opens a run's items; a line that a crash left unfinished is cut off. */
  static async open(path: string): Promise<ItemLog> {
    const log = new ItemLog(path)
    await log.#recall()
    log.#handle = await fs.open(path, 'a', 0o600)
    return log
  }

  /** Whether an item of a step was done, and that is on the disk. */
  isDone(step: string, key: string): boolean {
    return this.#done.get(step)?.has(key) === true
  }

  /** How many items of a step are done. */
  count(step: string): number {
    return this.#done.get(step)?.size ?? 0
  }

  /**
   * Notes an item; it is on the disk a moment later, or after {@link flush}.
   * @throws what an earlier batch failed with
   */
  add(step: string, key: string): void {
    if (this.#failed !== undefined) throw this.#failed
    this.#learn(step, key)
    this.#lines.push(JSON.stringify({ step, key }))
    if (this.#lines.length >= batch.items) void this.#write()
    else this.#timer ??= setTimeout(() => void this.#write(), batch.everyMs)
  }

  /** Returns when all items are on the disk. */
  async flush(): Promise<void> {
    await this.#write()
    if (this.#failed !== undefined) throw this.#failed
  }

  async close(): Promise<void> {
    await this.#write()
    await this.#handle?.close()
  }

  #write(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const lines = this.#lines
    this.#lines = []
    if (lines.length === 0) return this.#writing
    this.#writing = this.#writing
      .then(async () => {
        await this.#handle?.appendFile(`${lines.join('\n')}\n`)
        await this.#handle?.sync()
      })
      .catch((error: unknown) => {
        // Told to whoever adds the next item, or waits for the disk.
        this.#failed ??= error instanceof Error ? error : new Error(String(error))
      })
    return this.#writing
  }

  #learn(step: string, key: string): void {
    const known = this.#done.get(step) ?? new Set()
    known.add(key)
    this.#done.set(step, known)
  }

  async #recall(): Promise<void> {
    let whole = 0
    try {
      // A device has no earlier items, and may have no end.
      if (!(await fs.stat(this.#path)).isFile()) return
      for await (const line of createInterface({ input: createReadStream(this.#path), crlfDelay: Infinity })) {
        const parsed = item.safeParse(parseJson(line))
        if (!parsed.success) break
        this.#learn(parsed.data.step, parsed.data.key)
        whole += Buffer.byteLength(line) + 1
      }
      const { size } = await fs.stat(this.#path)
      // The last line may be whole but for its end.
      if (size !== whole) await fs.truncate(this.#path, Math.min(size, whole))
      if (size < whole) await fs.appendFile(this.#path, '\n')
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
}
