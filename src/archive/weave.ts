// Weaves an archive by its plan: slabs of the last archive, entries that tar(1) reads, and hard links, which need no reading.
import { NetopsError } from '../model/errors.ts'
import { BufferCollector } from '../system/heap.ts'
import type { ArchiveWriter } from './archive-writer.ts'
import { roughBytes, type EntryKind, type Seen } from './entries.ts'
import type { EntryInMaking, SlabInMaking } from './loader.ts'
import { shownName } from './names.ts'
import type { PlanItem } from './plan.ts'
import { headerOf } from './tar-header.ts'
import { TarScanner, type TarEntry } from './tar-scanner.ts'
import { writeTar } from './tar-source.ts'
import type { Trouble } from './walk.ts'

export interface WeaveRequest {
  readonly plan: AsyncIterable<PlanItem>
  readonly base: string
  readonly writer: ArchiveWriter
  readonly signal: AbortSignal | undefined
  trouble(trouble: Trouble): void
}

// One tar(1) reads as much: more processes would cost time, more names memory.
const batchEntries = 8192
const batchBytes = 1 << 30
const batchItems = 16_384

/** @throws NetopsError `failed` where tar could not do its work */
export async function weave(request: WeaveRequest): Promise<void> {
  const missing = new Set<string>()
  let items: PlanItem[] = []
  let [entries, bytes] = [0, 0]
  const weaveBatch = async (): Promise<void> => {
    await new Batch(request, items, missing).weave()
    items = []
    entries = 0
    bytes = 0
  }
  for await (const item of request.plan) {
    items.push(item)
    if (item.kind === 'make') {
      entries += item.entries.length
      bytes += roughOf(item.entries)
    }
    if (entries >= batchEntries || bytes >= batchBytes || items.length >= batchItems) await weaveBatch()
  }
  await weaveBatch()
}

const roughOf = (entries: readonly Seen[]): number => entries.reduce((sum, seen) => sum + roughBytes(seen), 0)

const kindsByType: Readonly<Record<string, EntryKind>> = { 0: 'file', 2: 'link', 5: 'folder' }

// What tar wrote is copied to where it is compressed.
const garbage = new BufferCollector(8 << 20)

class Batch {
  readonly #request: WeaveRequest
  readonly #items: readonly PlanItem[]
  /** Names of files that are not in the archive, to which no hard link may lead. */
  readonly #missing: Set<string>
  readonly #scanner: TarScanner
  /** What tar was asked for and did not write. */
  readonly #leftOut: string[] = []
  /** Where in the plan we are: which item, and which of its entries. */
  #item = -1
  #at = 0
  #slab: SlabInMaking | undefined
  #writing: EntryInMaking | 'nothing' = 'nothing'

  constructor(request: WeaveRequest, items: readonly PlanItem[], missing: Set<string>) {
    this.#request = request
    this.#items = items
    this.#missing = missing
    this.#scanner = new TarScanner({
      entry: (found, head) => this.#begin(found, head),
      data: (bytes) => {
        if (this.#writing !== 'nothing') this.#loader.append(bytes)
      },
      over: (padding) => this.#over(padding),
    })
  }

  get #loader() {
    return this.#request.writer.loader
  }

  async weave(): Promise<void> {
    const { base, signal, writer } = this.#request
    const made = this.#items.flatMap((item) => (item.kind === 'make' ? item.entries : []))
    const read = made.filter(({ kind }) => kind !== 'hardlink')
    this.#nextItem()
    if (read.length > 0) {
      const troubles = await writeTar({
        ...{ base, entries: read, signal },
        onBytes: (bytes) => {
          if (!this.#scanner.hasEnded) this.#scanner.push(bytes)
          garbage.thrown(bytes.length)
          return writer.room()
        },
      })
      if (!this.#scanner.hasEnded) throw new NetopsError('failed', { message: 'what tar wrote broke off' })
      for (const trouble of troubles) this.#request.trouble(trouble)
      // What tar left out at the end.
      this.#passTo(undefined)
      this.#tellSilence(new Set(troubles.map(({ name }) => name)))
    }
    this.#passTo(undefined)
    await writer.room()
  }

  /** Nothing may be missing without a word. */
  #tellSilence(told: ReadonlySet<string>): void {
    for (const name of this.#leftOut) {
      if (!told.has(name)) this.#request.trouble({ name, what: 'unreadable', reason: 'tar left it out' })
    }
  }

  /** Goes on to the next slab that is made; those that are copied are on the way. */
  #nextItem(): void {
    for (;;) {
      this.#item += 1
      this.#at = 0
      const item = this.#items[this.#item]
      if (item?.kind === 'copy') {
        this.#request.writer.copy(item.from, item.count)
        continue
      }
      if (item === undefined) return
      this.#slab = { entries: [], pieces: [] }
      this.#loader.beginSlab(this.#slab, roughOf(item.entries))
      return
    }
  }

  get #expected(): Seen | undefined {
    const item = this.#items[this.#item]
    return item?.kind === 'make' ? item.entries[this.#at] : undefined
  }

  #advance(): void {
    const item = this.#items[this.#item]
    this.#at += 1
    if (item?.kind !== 'make' || this.#at < item.entries.length) return
    this.#loader.endSlab()
    this.#nextItem()
  }

  /** Passes what comes before an entry: writes hard links, and leaves out what tar has left out. */
  #passTo(name: string | undefined): void {
    for (let seen = this.#expected; seen !== undefined && seen.name !== name; seen = this.#expected) {
      if (seen.kind === 'hardlink') this.#link(seen)
      else {
        this.#missing.add(seen.name)
        this.#leftOut.push(seen.name)
      }
      this.#advance()
    }
  }

  #link(seen: Seen): void {
    const { name, target = '', mode, uid, gid, mtime } = seen
    if (this.#missing.has(target)) {
      const reason = `it is the file ${shownName(target)}, which could not be read`
      this.#request.trouble({ name, what: 'unreadable', reason })
      return
    }
    const seconds = Number(BigInt(mtime) / 1_000_000_000n)
    this.#loader.append(headerOf({ type: '1', name, target, mode, uid, gid, mtime: Math.max(0, seconds) }))
    this.#slab?.entries.push({ ...seen })
  }

  #begin(found: TarEntry, head: Uint8Array): void {
    this.#passTo(found.name)
    const seen = this.#expected
    if (seen === undefined)
      throw new NetopsError('failed', { message: `tar wrote what it was not asked for: ${shownName(found.name)}` })
    const kind = kindsByType[found.type]
    if (kind === undefined) {
      this.#request.trouble({ name: seen.name, what: 'changed', reason: 'it is no file any more' })
      this.#missing.add(seen.name)
      this.#writing = 'nothing'
      return
    }
    const { mode, uid, gid, mtime, size, target, sparse } = found
    // What changed since the walk is told by its times at the next one; what became another thing is no more the file that others link to.
    if (kind !== 'file') this.#missing.add(seen.name)
    const { name, ctime, inode, device } = seen
    const settled =
      seen.settled && mtime === seen.mtime && kind === seen.kind && (kind !== 'file' || size === seen.size)
    // One shape for nearly all of them: there are as many as files.
    const writing: EntryInMaking =
      kind === 'link'
        ? { name, kind, size: 0, mode, uid, gid, mtime, ctime, inode, device, settled, target }
        : { name, kind, size: kind === 'file' ? size : 0, mode, uid, gid, mtime, ctime, inode, device, settled }
    if (sparse) writing.sparse = true
    this.#writing = writing
    this.#loader.append(head)
    if (kind === 'file') this.#loader.beginFile(writing)
  }

  #over(padding: number): void {
    const written = this.#writing
    if (written !== 'nothing') {
      if (written.kind === 'file') this.#loader.endFile()
      if (padding > 0) this.#loader.append(zeros.subarray(0, padding))
      this.#slab?.entries.push(written)
    }
    this.#writing = 'nothing'
    this.#advance()
  }
}

const zeros = new Uint8Array(512)
