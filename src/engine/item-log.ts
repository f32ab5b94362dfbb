// What work on many things has done so far, item by item: written in batches, so that an item costs no wait for the disk.
import { createReadStream, promises as fs } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { systemCode } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { damagedState, putAside } from '../model/state-text.ts'

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

  /**
   * Opens a run's items; a line that a crash left unfinished is cut off.
   * @throws NetopsError `damaged` where a folder lies in their place
   */
  static async open(path: string): Promise<ItemLog> {
    const log = new ItemLog(path)
    try {
      await log.#recall()
      log.#handle = await fs.open(path, 'a', 0o600)
      return log
    } catch (error) {
      if (systemCode(error) !== 'EISDIR') throw error
      throw damagedState({ path, hint: putAside(path) }, 'it is a folder', error)
    }
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

  /** Counts in bytes: what a disk flipped may be no text, and longer when it is read as one. */
  async #recall(): Promise<void> {
    // A device has no earlier items, and may have no end.
    const found = await fs.stat(this.#path).catch(ignoreMissing)
    if (found?.isFile() !== true) return
    let whole = 0
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of createReadStream(this.#path) as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk])
      const learnt = this.#learnLines(rest)
      whole += learnt
      rest = rest.subarray(learnt)
      // What follows a line that is none cannot be trusted; done again, it does no harm.
      if (rest.includes(newline) || rest.length > longestLine) break
    }
    const last = item.safeParse(parseJson(rest.toString('utf8')))
    if (last.success) this.#learn(last.data.step, last.data.key)
    const end = whole + (last.success ? rest.length : 0)
    if (found.size !== end) await fs.truncate(this.#path, end)
    // The last line may be whole but for its end.
    if (last.success) await fs.appendFile(this.#path, '\n')
  }

  /** Learns the items in whole lines, up to one that is none; returns how many bytes they had. */
  #learnLines(bytes: Buffer): number {
    let at = 0
    for (;;) {
      const end = bytes.indexOf(newline, at)
      const line = end < 0 ? undefined : item.safeParse(parseJson(bytes.toString('utf8', at, end)))
      if (line?.success !== true) return at
      this.#learn(line.data.step, line.data.key)
      at = end + 1
    }
  }
}

const newline = 0x0a
/** A path has 4 KiB (PATH_MAX), and JSON makes six bytes of one at most. */
const longestLine = 1 << 16

const ignoreMissing = (error: unknown): undefined => {
  if (systemCode(error) === 'ENOENT') return undefined
  throw error
}
