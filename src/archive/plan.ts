// Decides what the next archive is made of, before anything is read: which slabs of the last archive it takes as they lie, and
// which it makes anew. The decision goes to a file, so that it takes no more memory for a million files than for one.
import { messageOf } from '../model/errors.ts'
import { boundYoungGeneration } from '../system/heap.ts'
import { entryOf, lineStart, roughBytes, seenOf, type Seen } from './entries.ts'
import type { IndexReader } from './index-file.ts'
import { linesOf, LineWriter } from './lines.ts'
import { compareNames } from './names.ts'
import type { PlanFile } from './plan-file.ts'
import { bytesOfSlab, linesIn, rawBytesOf, type Slab } from './slab.ts'
import { SlabCutter } from './slab-cut.ts'

/** What the archive is made of, in order. */
export type PlanItem =
  /** Consecutive slabs of the last archive. */
  | { readonly kind: 'copy'; readonly from: number; readonly count: number }
  /** A slab that is made of these. */
  | { readonly kind: 'make'; readonly entries: readonly Seen[] }

export interface PlanTotals {
  readonly entries: number
  readonly files: number
  readonly folders: number
  readonly links: number
  readonly hardlinks: number
  /** Bytes of all files. */
  readonly bytes: number
  /** What is to be read, and what is to be copied, as bytes of the tar: about, for headers are not written yet. */
  readonly rough: number
  readonly made: number
  readonly copied: number
  /** Of the rough bytes those that are compressed anew; what is copied, in bytes of the last archive. */
  readonly anew: number
  readonly taken: number
  /** All slabs of the last archive as they are, and nothing else. */
  readonly isSame: boolean
}

export interface PlanRequest {
  /** From the walk, in order. */
  readonly entries: Iterable<Seen>
  /** The last archive's index, whose slabs are taken where nothing of them has changed. */
  readonly last: IndexReader | undefined
  /** Whether an entry is not in the last archive as it should be, whatever the times say. */
  isDistrusted(name: string): boolean
  /** Where the plan is written, and read from meanwhile. */
  readonly file: PlanFile
  readonly signal: AbortSignal | undefined
  /** Hears now and then how many entries were seen. */
  onEntries(entries: number): void
  /** Hears once that a slab is to be made: that the archive is not the last one by another name. */
  onMake(): void
  /** Hears what it comes to, before whoever follows the plan sees its end; what it throws is the plan's end for them too. */
  onTotals(totals: PlanTotals): Promise<void>
}

const roundEntries = 1000

/** Writes the plan to its file, and ends that. */
export async function writePlan(request: PlanRequest): Promise<PlanTotals> {
  try {
    const planner = new Planner(request)
    await planner.begin()
    let seen = 0
    for (const entry of request.entries) {
      await planner.take(entry, entry.settled && !request.isDistrusted(entry.name))
      seen += 1
      if (seen % roundEntries !== 0) continue
      request.onEntries(seen)
      boundYoungGeneration()
      // The walk is done at once: others, and a stop, have their turn in between.
      await new Promise(setImmediate)
      request.signal?.throwIfAborted()
    }
    request.onEntries(seen)
    const totals = await planner.end()
    await request.onTotals(totals)
    request.file.end()
    return totals
  } catch (error) {
    request.file.end(error instanceof Error ? error : new Error(messageOf(error)))
    throw error
  }
}

class Planner {
  readonly #out: LineWriter
  readonly #request: PlanRequest
  readonly #last: LastArchive | undefined
  readonly #cutter = new SlabCutter()
  #slab: { readonly seen: Seen; readonly start: string }[] = []
  /** The slab of the last archive that this one is so far, from its beginning. */
  #same: { readonly number: number; readonly slab: Slab } | undefined
  #copy: { readonly from: number; count: number } | undefined
  #rough = 0
  #copied = 0
  #made = 0
  #anew = 0
  #taken = 0
  #bytes = 0
  readonly #counts = { file: 0, folder: 0, link: 0, hardlink: 0 }

  constructor(request: PlanRequest) {
    const { file, last } = request
    this.#request = request
    this.#out = new LineWriter(file)
    this.#last = last === undefined ? undefined : new LastArchive(last)
  }

  async begin(): Promise<void> {
    await this.#last?.next()
  }

  async take(seen: Seen, trusted: boolean): Promise<void> {
    this.#counts[seen.kind] += 1
    this.#bytes += seen.size
    if (this.#cutter.beginsWith(seen)) await this.#cut()
    const start = lineStart(seen, true)
    const place = await this.#last?.find(seen.name, start)
    if (this.#slab.length === 0) this.#same = place
    const isSame = trusted && place?.at === this.#slab.length && place.number === this.#same?.number
    if (!isSame) this.#same = undefined
    this.#slab.push({ seen, start: seen.settled ? start : lineStart(seen) })
  }

  async #cut(): Promise<void> {
    const { number, slab } = this.#same ?? {}
    if (number !== undefined && slab?.entries === this.#slab.length) {
      this.#copied += 1
      this.#rough += rawBytesOf(slab.pieces)
      this.#taken += bytesOfSlab(slab)
      if (this.#copy !== undefined && this.#copy.from + this.#copy.count === number) this.#copy.count += 1
      else {
        this.#endCopy()
        this.#copy = { from: number, count: 1 }
      }
    } else {
      this.#endCopy()
      if (this.#made === 0) this.#request.onMake()
      this.#made += 1
      this.#out.line(JSON.stringify({ make: this.#slab.length }))
      for (const { seen, start } of this.#slab) {
        this.#rough += roughBytes(seen)
        this.#anew += roughBytes(seen)
        this.#out.line(`${start}]`)
      }
    }
    this.#slab = []
    if (this.#out.isFull) await this.#out.flush()
  }

  #endCopy(): void {
    if (this.#copy !== undefined) this.#out.line(JSON.stringify({ copy: this.#copy }))
    this.#copy = undefined
  }

  async end(): Promise<PlanTotals> {
    if (this.#slab.length > 0) await this.#cut()
    this.#endCopy()
    await this.#out.flush()
    // To its end, where it shows whether it is the index that it should be.
    await this.#last?.drain()
    const { file, folder, link, hardlink } = this.#counts
    return {
      entries: file + folder + link + hardlink,
      ...{ files: file, folders: folder, links: link, hardlinks: hardlink },
      ...{ bytes: this.#bytes, rough: this.#rough, made: this.#made, copied: this.#copied },
      ...{ anew: this.#anew, taken: this.#taken },
      isSame: this.#made === 0 && this.#copied === this.#last?.slabs,
    }
  }
}

/** Goes through the last archive's entries beside those that are there now: both in the same order. */
class LastArchive {
  readonly #slabs: AsyncGenerator<Slab, void, undefined>
  #slab: Slab | undefined
  #lines: readonly string[] = []
  #at = 0
  /** How many slabs were begun. */
  slabs = 0

  constructor(index: IndexReader) {
    this.#slabs = index.slabs()
  }

  async next(): Promise<void> {
    const { value } = await this.#slabs.next()
    this.#slab = value ?? undefined
    this.#lines = value === undefined ? [] : linesIn(value.text)
    this.#at = 0
    if (this.#slab !== undefined) this.slabs += 1
  }

  async drain(): Promise<void> {
    while (this.#slab !== undefined) await this.next()
  }

  /** @returns where an entry lies there that is as it is now */
  async find(
    name: string,
    start: string,
  ): Promise<{ readonly number: number; readonly slab: Slab; readonly at: number } | undefined> {
    for (;;) {
      const line = this.#lines[this.#at]
      if (this.#slab === undefined || line === undefined) return undefined
      const place = { number: this.slabs - 1, slab: this.#slab, at: this.#at }
      const isSame = line.startsWith(start)
      const order = isSame ? 0 : compareNames(entryOf(line).name, name)
      if (order > 0) return undefined
      this.#at += 1
      if (this.#at === this.#lines.length) await this.next()
      if (order === 0) return isSame ? place : undefined
    }
  }
}

const longestLine = 1 << 20

/** Reads a plan, in order, as it is written. */
export async function* readPlan(file: PlanFile): AsyncGenerator<PlanItem, void, undefined> {
  let making: { readonly entries: Seen[]; readonly count: number } | undefined
  for await (const lines of linesOf(file.read(), longestLine)) {
    for (const line of lines) {
      if (making === undefined) {
        const { copy, make } = JSON.parse(line) as { copy?: { from: number; count: number }; make?: number }
        if (copy !== undefined) yield { kind: 'copy', ...copy }
        if (make !== undefined) making = { entries: [], count: make }
      } else {
        making.entries.push(seenOf(line))
        if (making.entries.length < making.count) continue
        yield { kind: 'make', entries: making.entries }
        making = undefined
      }
    }
  }
}
