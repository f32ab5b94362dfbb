// Makes an archive: looks at what is there, plans, takes over what has not changed, reads what has, and gives it its name when
// all of it is on the disk.
import { link, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import { writeFileAtomic } from '../system/files.ts'
import { ArchiveWriter, type WrittenArchive } from './archive-writer.ts'
import type { Compression } from './compression.ts'
import { archiveSchema } from './index-file.ts'
import { indexOf, type LastArchive } from './last-pieces.ts'
import {
  archiveFile,
  indexFile,
  manifestFile,
  manifestText,
  readManifest,
  restoreCommand,
  type ArchivePlace,
  type Manifest,
} from './manifest.ts'
import { shownName } from './names.ts'
import { beginMaking, type Making } from './place.ts'
import { PlanFile } from './plan-file.ts'
import { readPlan, writePlan, type PlanTotals } from './plan.ts'
import { ProgressMeter, type OnProgress } from './progress.ts'
import { withPool, type ThreadPool } from './threads/pool.ts'
import { walk, type LeftOut, type Trouble } from './walk.ts'
import { weave } from './weave.ts'

export interface ArchiveRequest {
  /** Where it is to lie: a folder for archives, in which nobody else may write. */
  readonly place: ArchivePlace
  /** The folder to which names are relative: `/`. */
  readonly base: string
  /** What it holds, relative to the base: `etc/network_system`. */
  readonly roots: readonly string[]
  readonly exclude?: readonly string[] | undefined
  readonly compression: Compression
  /** The name of an archive in the same folder: what has not changed since is taken over from it. */
  readonly last?: string | undefined
}

export interface MakeTools {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  /** The machine's clock. */
  readonly now?: (() => Date) | undefined
  /** Threads to work with; without them it starts its own. */
  readonly pool?: ThreadPool | undefined
  /** Asked as soon as it is known what is to be written, with what that comes to; what it throws ends it, and nothing is left. */
  readonly onSize?: ((size: ArchiveSize) => Promise<void>) | undefined
}

/** What an archive is about to take of a disk. */
export interface ArchiveSize {
  /** Bytes that are compressed anew, before that. */
  readonly anew: number
  /** Bytes that are copied from the last archive as they are. */
  readonly taken: number
}

export interface MadeArchive {
  readonly manifest: Manifest
  /** How many slabs were made anew, and taken over; nothing was made where the archive is the last one by another name. */
  readonly slabs: { readonly made: number; readonly copied: number }
  /** Why the last archive was not made use of, where it should have been. */
  readonly lastRefused: string | undefined
}

/**
 * Makes an archive. What is unreadable, changes while it is read, or is left out, is named in its manifest.
 * @throws NetopsError `usage` for roots that cannot be; `failed` where nothing is there, the disk is full, or tar fails;
 * `refused` where others may write to the folder; `locked` where another archive is being made there; `interrupted` when aborted.
 * Then nothing is there that was not there before.
 */
export async function makeArchive(request: ArchiveRequest, tools: MakeTools = {}): Promise<MadeArchive> {
  const { last, refusal } = await usableLast(request)
  try {
    return await makeOnce(request, tools, { last, lastRefused: refusal })
  } catch (error) {
    if (last === undefined || !(error instanceof NetopsError) || error.code !== 'damaged') throw error
    // What was damaged is the last archive. All that it was good for is in the files.
    return makeOnce(request, tools, { last: undefined, lastRefused: error.message })
  }
}

interface Before {
  readonly last: LastArchive | undefined
  readonly lastRefused: string | undefined
}

async function makeOnce(request: ArchiveRequest, tools: MakeTools, before: Before): Promise<MadeArchive> {
  const making = await beginMaking(request.place)
  try {
    tools.signal?.throwIfAborted()
    return await new Maker(request, tools, making).make(before)
  } catch (error) {
    if (tools.signal?.aborted !== true) throw error
    throw new NetopsError('interrupted', { message: 'stopped; no archive was made', cause: error })
  } finally {
    await making.close()
  }
}

async function usableLast({
  place,
  last: name,
  compression,
}: ArchiveRequest): Promise<{ readonly last?: LastArchive; readonly refusal?: string }> {
  if (name === undefined) return {}
  const last = { folder: place.folder, name }
  try {
    const manifest = await readManifest(last)
    if (manifest.compression !== compression) return { refusal: `it is compressed by ${manifest.compression}` }
    if (manifest.unlisted.troubles > 0) return { refusal: 'more was wrong with it than it could list' }
    const { size } = await stat(join(last.folder, manifest.archive.file))
    if (size !== manifest.archive.bytes) return { refusal: `it has ${size} bytes instead of ${manifest.archive.bytes}` }
    return { last: { place: last, manifest } }
  } catch (error) {
    return { refusal: error instanceof Error ? error.message : String(error) }
  }
}

// A manifest names as many, and counts what is beyond.
const mostListed = 10_000

class Maker {
  readonly #request: ArchiveRequest
  readonly #tools: MakeTools
  readonly #making: Making
  readonly #work: ArchivePlace
  readonly #begun: Date
  readonly #leftOut: LeftOut[] = []
  readonly #troubles: Trouble[] = []
  readonly #unlisted = { leftOut: 0, troubles: 0 }

  constructor(request: ArchiveRequest, tools: MakeTools, making: Making) {
    this.#request = request
    this.#tools = tools
    this.#making = making
    this.#work = { folder: making.work, name: making.name }
    this.#begun = (tools.now ?? (() => new Date()))()
  }

  async make({ last, lastRefused }: Before): Promise<MadeArchive> {
    const progress = new ProgressMeter(this.#tools.onProgress)
    const file = await PlanFile.begin(join(this.#work.folder, 'plan'))
    const stop = new AbortController()
    const { planning, isMade } = this.#plan(file, { last, progress, signal: this.#signalWith(stop.signal) })
    try {
      const written = await this.#follow(file, { planning, isMade, last, progress })
      const plan = await planning
      const manifest = this.#manifest(written, { plan, last: plan.copied > 0 ? last : undefined })
      const name = manifestFile(this.#work.name)
      await writeFileAtomic(join(this.#work.folder, name), manifestText(manifest), 0o600)
      this.#tools.signal?.throwIfAborted()
      await this.#making.publish([manifest.archive.file, manifest.index.file, name])
      return { manifest, slabs: { made: plan.made, copied: plan.copied }, lastRefused }
    } finally {
      stop.abort()
      await planning.catch(() => undefined) // it was told above, or is the consequence of what was
      await file.close()
    }
  }

  #signalWith(stop: AbortSignal): AbortSignal {
    const { signal } = this.#tools
    return signal === undefined ? stop : AbortSignal.any([signal, stop])
  }

  /** Begins the walk. `isMade` tells as soon as it is known that anything is to be made; where the walk fails, it is not. */
  #plan(
    file: PlanFile,
    { last, progress, signal }: { last: LastArchive | undefined; progress: ProgressMeter; signal: AbortSignal },
  ): { readonly planning: Promise<PlanTotals>; readonly isMade: Promise<boolean> } {
    const made = Promise.withResolvers<boolean>()
    const plan = async (): Promise<PlanTotals> =>
      writePlan({
        entries: walk(await this.#walkRequest(), this.#notes(), BigInt(this.#begun.getTime()) * 1_000_000n),
        last: last === undefined ? undefined : indexOf(last),
        ...{ isDistrusted: distrustOf(last), file, signal },
        onEntries: (entries) => progress.seen(entries),
        onMake: () => made.resolve(true),
        onTotals: async (totals) => {
          if (!totals.isSame || last === undefined) await this.#tools.onSize?.(totals)
        },
      })
    const planning = plan()
    planning.then(
      ({ rough }) => {
        progress.begin(rough)
        made.resolve(false)
      },
      () => made.resolve(false),
    )
    return { planning, isMade: made.promise }
  }

  /** Writes the archive while the walk goes on: the plan's beginning is as good as all of it. */
  async #follow(file: PlanFile, { planning, isMade, last, progress }: Following): Promise<Written> {
    if (!(await isMade)) {
      const plan = await planning
      if (plan.entries === 0) {
        throw new NetopsError('failed', { message: `there is nothing to archive: ${this.#request.roots.join(', ')}` })
      }
      if (plan.isSame && last !== undefined) return this.#sameAs(last)
    }
    return this.#write(file, { last, progress })
  }

  async #walkRequest() {
    const { dev, ino } = await stat(this.#request.place.folder, { bigint: true })
    const { base, roots, exclude } = this.#request
    return { base, roots, exclude, own: [{ device: `${dev}`, inode: `${ino}` }] }
  }

  #notes() {
    return {
      leave: (left: LeftOut): void => {
        if (this.#leftOut.length < mostListed) this.#leftOut.push({ ...left, name: shownName(left.name) })
        else this.#unlisted.leftOut += 1
      },
      trouble: (trouble: Trouble): void => {
        if (this.#troubles.length < mostListed) this.#troubles.push({ ...trouble, name: shownName(trouble.name) })
        else this.#unlisted.troubles += 1
      },
    }
  }

  /** The last archive by another name. */
  async #sameAs({ place, manifest }: LastArchive): Promise<Written> {
    const { name, folder } = this.#work
    await link(join(place.folder, manifest.archive.file), join(folder, archiveFile(name, manifest.compression)))
    await link(join(place.folder, manifest.index.file), join(folder, indexFile(name)))
    return { archive: manifest.archive, index: manifest.index, ...pick(manifest.totals) }
  }

  async #write(
    file: PlanFile,
    { last, progress }: { last: LastArchive | undefined; progress: ProgressMeter },
  ): Promise<Written> {
    const { compression, base } = this.#request
    const { signal } = this.#tools
    return withPool(this.#tools.pool, async (pool) => {
      const onBytes = (raw: number): void => progress.bytes(raw)
      const writer = await ArchiveWriter.begin(this.#work, last, { compression, pool, signal, onBytes })
      try {
        await weave({ plan: readPlan(file), base, writer, signal, trouble: this.#notes().trouble })
        const { archive, index, raw }: WrittenArchive = await writer.end()
        return { archive, index, raw, slabs: index.totals.slabs, entries: index.totals.entries }
      } finally {
        await writer.close()
      }
    })
  }

  #manifest(written: Written, { plan, last }: { plan: PlanTotals; last: LastArchive | undefined }): Manifest {
    const { name } = this.#work
    const { base, roots, exclude = [], compression } = this.#request
    const now = this.#tools.now ?? (() => new Date())
    const begun = this.#begun.toISOString()
    const file = archiveFile(name, compression)
    const { files, folders, links, hardlinks, bytes } = plan
    const { entries } = written
    return {
      netops: 'archive-manifest',
      schema: archiveSchema,
      ...{ name, begun, ended: now().toISOString(), rebuilt: last?.manifest.rebuilt ?? begun },
      ...{ base, roots: [...roots], exclude: [...exclude], compression },
      archive: { file, bytes: written.archive.bytes, sha256: written.archive.sha256 },
      index: { file: indexFile(name), bytes: written.index.bytes, sha256: written.index.sha256 },
      totals: { entries, files, folders, links, hardlinks, bytes, raw: written.raw, slabs: written.slabs },
      leftOut: this.#leftOut,
      troubles: this.#troubles,
      unlisted: this.#unlisted,
      restore: restoreCommand(join(this.#request.place.folder, file), base, compression),
    }
  }
}

interface Following {
  readonly planning: Promise<PlanTotals>
  readonly isMade: Promise<boolean>
  readonly last: LastArchive | undefined
  readonly progress: ProgressMeter
}

interface Written {
  readonly archive: { readonly bytes: number; readonly sha256: string }
  readonly index: { readonly bytes: number; readonly sha256: string }
  readonly raw: number
  readonly slabs: number
  readonly entries: number
}

const pick = ({ raw, slabs, entries }: Manifest['totals']) => ({ raw, slabs, entries })

/** What was not read as it should be is read again, whatever its times say. */
function distrustOf(last: LastArchive | undefined): (name: string) => boolean {
  const names = new Set(last?.manifest.troubles.map(({ name }) => name))
  return (name) => names.size > 0 && names.has(shownName(name))
}
