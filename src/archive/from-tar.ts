// Makes an archive of a tar that somebody else writes as a stream: cut into slabs, compressed by threads, indexed and given its
// name like every other. Nothing of it is taken over from an earlier one.
import { join } from 'node:path'
import { NetopsError } from '../model/errors.ts'
import { writeFileAtomic } from '../system/files.ts'
import { ArchiveWriter } from './archive-writer.ts'
import type { Compression } from './compression.ts'
import { roughBytes } from './entries.ts'
import { archiveSchema } from './index-file.ts'
import type { EntryInMaking, Loader, SlabInMaking } from './loader.ts'
import {
  archiveFile,
  indexFile,
  manifestFile,
  manifestText,
  restoreCommand,
  type ArchivePlace,
  type Manifest,
} from './manifest.ts'
import { beginMaking, type Making } from './place.ts'
import { ProgressMeter, type OnProgress } from './progress.ts'
import { SlabCutter } from './slab-cut.ts'
import { TarScanner, type TarEntry } from './tar-scanner.ts'
import { withPool, type ThreadPool } from './threads/pool.ts'

export interface TarArchiveRequest {
  readonly place: ArchivePlace
  readonly compression: Compression
  /** The folder that it is to be unpacked into, for the command in its manifest. */
  readonly base: string
  /** About how many bytes the tar will have. */
  readonly expected: number
  /** Writes the tar; what `onBytes` returns is waited for. */
  readonly write: (onBytes: (bytes: Uint8Array) => Promise<void>) => Promise<void>
  /** Hears the data of each file as it comes; the bytes are valid during the call alone. */
  readonly onData?: (name: string, bytes: Uint8Array) => void
  /** Asked once all of the tar came: what the manifest says of the cluster in it. */
  readonly cluster: () => Promise<NonNullable<Manifest['cluster']>>
}

export interface TarArchiveTools {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  readonly now?: (() => Date) | undefined
  readonly pool?: ThreadPool | undefined
}

/**
 * Makes an archive of a stream.
 * @throws NetopsError as `makeArchive` does, and whatever `write` and `cluster` throw. Then nothing is there that was not there before.
 */
export async function archiveTar(request: TarArchiveRequest, tools: TarArchiveTools = {}): Promise<Manifest> {
  const making = await beginMaking(request.place)
  try {
    tools.signal?.throwIfAborted()
    return await withPool(tools.pool, (pool) => new TarArchiver(request, { ...tools, pool }, making).make())
  } catch (error) {
    if (tools.signal?.aborted !== true) throw error
    throw new NetopsError('interrupted', { message: 'stopped; no archive was made', cause: error })
  } finally {
    await making.close()
  }
}

const kinds: Readonly<Record<string, 'file' | 'folder' | 'link'>> = { 0: 'file', 2: 'link', 5: 'folder' }
const zeros = new Uint8Array(512)

class TarArchiver {
  readonly #request: TarArchiveRequest
  readonly #tools: TarArchiveTools & { readonly pool: ThreadPool }
  readonly #making: Making
  readonly #cutter = new SlabCutter()
  readonly #counts = { entries: 0, files: 0, folders: 0, links: 0, hardlinks: 0, bytes: 0 }
  #slab: SlabInMaking | undefined
  #entry: EntryInMaking | undefined

  constructor(request: TarArchiveRequest, tools: TarArchiveTools & { readonly pool: ThreadPool }, making: Making) {
    this.#request = request
    this.#tools = tools
    this.#making = making
  }

  async make(): Promise<Manifest> {
    const { compression, place, base, expected, write, cluster } = this.#request
    const { pool, signal, now = () => new Date() } = this.#tools
    const { work: folder, name } = this.#making
    const begun = now().toISOString()
    const progress = new ProgressMeter(this.#tools.onProgress)
    progress.begin(expected)
    const onBytes = (raw: number): void => progress.bytes(raw)
    const writer = await ArchiveWriter.begin({ folder, name }, undefined, { compression, pool, signal, onBytes })
    try {
      const scanner = this.#scanner(writer.loader)
      await write(async (bytes) => {
        scanner.push(bytes)
        await writer.room()
      })
      if (!scanner.hasEnded) throw new NetopsError('failed', { message: 'the stream broke off' })
      if (this.#slab !== undefined) writer.loader.endSlab()
      const { archive, index, raw } = await writer.end()
      const file = archiveFile(name, compression)
      const manifest: Manifest = {
        netops: 'archive-manifest',
        schema: archiveSchema,
        ...{ name, begun, ended: now().toISOString(), rebuilt: begun },
        ...{ base, roots: [], exclude: [], compression },
        archive: { file, bytes: archive.bytes, sha256: archive.sha256 },
        index: { file: indexFile(name), bytes: index.bytes, sha256: index.sha256 },
        totals: { ...this.#counts, raw, slabs: index.totals.slabs },
        ...{ leftOut: [], troubles: [], unlisted: { leftOut: 0, troubles: 0 } },
        cluster: await cluster(),
        restore: restoreCommand(join(place.folder, file), base, compression),
      }
      await writeFileAtomic(join(folder, manifestFile(name)), manifestText(manifest), 0o600)
      signal?.throwIfAborted()
      await this.#making.publish([file, indexFile(name), manifestFile(name)])
      return manifest
    } finally {
      await writer.close()
    }
  }

  #scanner(loader: Loader): TarScanner {
    return new TarScanner({
      entry: (found, head) => this.#begin(loader, found, head),
      data: (bytes) => {
        loader.append(bytes)
        if (this.#entry !== undefined) this.#request.onData?.(this.#entry.name, bytes)
      },
      over: (padding) => {
        if (this.#entry?.kind === 'file') loader.endFile()
        if (padding > 0) loader.append(zeros.subarray(0, padding))
        if (this.#entry !== undefined) this.#slab?.entries.push(this.#entry)
        this.#entry = undefined
      },
    })
  }

  #begin(loader: Loader, found: TarEntry, head: Uint8Array): void {
    const { name, type, mode, uid, gid, mtime, target } = found
    const kind = kinds[type]
    if (kind === undefined) throw new NetopsError('failed', { message: `the stream holds ${name}, which is no file` })
    const size = kind === 'file' ? found.size : 0
    if (this.#cutter.beginsWith({ name, size }) || this.#slab === undefined) {
      if (this.#slab !== undefined) loader.endSlab()
      this.#slab = { entries: [], pieces: [] }
      loader.beginSlab(this.#slab, roughBytes({ size }))
    }
    // What lstat(2) would tell, nobody knows of a stream.
    const unknown = { ctime: '0', inode: '0', device: '0', settled: false }
    this.#entry = { name, kind, size, mode, uid, gid, mtime, ...unknown, ...(kind === 'link' ? { target } : {}) }
    this.#counts.entries += 1
    this.#counts.bytes += size
    this.#counts[kind === 'file' ? 'files' : kind === 'folder' ? 'folders' : 'links'] += 1
    loader.append(head)
    if (kind === 'file') loader.beginFile(this.#entry)
  }
}
