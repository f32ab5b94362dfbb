// Proves an archive: reads every byte of it, or a sample, and holds it against its index and manifest.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { messageOf, NetopsError } from '../model/errors.ts'
import { readManifest, type ArchivePlace, type Manifest } from './manifest.ts'
import { ProgressMeter, type OnProgress } from './progress.ts'
import { readSlabs, type ReadTotals } from './slab-reader.ts'
import { withPool, type ThreadPool } from './threads/pool.ts'

export interface VerifyOptions {
  /** Read this share of the slabs instead of all, from 0 to 1; which, the seed decides. */
  readonly sample?: { readonly share: number; readonly seed: number } | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  readonly pool?: ThreadPool | undefined
}

export interface Verification {
  /** Undefined where it cannot be read. */
  readonly manifest: Manifest | undefined
  /** What is not as it was written; none where all that was read is whole. */
  readonly damages: readonly string[]
  /** How many more there are. */
  readonly unlisted: number
  readonly read: ReadTotals
}

const mostListed = 100

/**
 * Verifies an archive. With a sample, the index and the chosen slabs are read wholly, the others not at all.
 * @returns what is damaged; a missing archive is damage too
 * @throws NetopsError `refused` where a newer netops wrote it, `interrupted` when aborted
 */
export async function verifyArchive(place: ArchivePlace, options: VerifyOptions = {}): Promise<Verification> {
  const damages: string[] = []
  let unlisted = 0
  const damage = (what: string): void => {
    if (damages.length < mostListed) damages.push(what)
    else unlisted += 1
  }
  let manifest: Manifest | undefined
  let read: ReadTotals = { slabs: 0, entries: 0, raw: 0 }
  try {
    manifest = await readManifest(place)
    read = await verifyAgainst(manifest, place, { ...options, damage })
  } catch (error) {
    if (options.signal?.aborted === true) throw stopped(error)
    if (error instanceof NetopsError && error.code !== 'damaged') throw error
    damage(messageOf(error))
  }
  return { manifest, damages, unlisted, read }
}

const stopped = (cause: unknown): NetopsError => new NetopsError('interrupted', { message: 'stopped', cause })

interface Against extends VerifyOptions {
  readonly damage: (what: string) => void
}

async function verifyAgainst(manifest: Manifest, place: ArchivePlace, options: Against): Promise<ReadTotals> {
  const { sample, signal, damage } = options
  const { archive, totals } = manifest
  const path = join(place.folder, archive.file)
  const { size } = await stat(path)
  if (size !== archive.bytes) damage(`the archive ${path} has ${size} bytes instead of ${archive.bytes}`)
  const progress = new ProgressMeter(options.onProgress, 'reading')
  progress.begin(totals.raw * (sample?.share ?? 1))
  try {
    const read = await withPool(options.pool, (pool) =>
      readSlabs(
        { place, manifest },
        {
          ...{ pool, signal, onDamage: damage },
          chosen: sample === undefined ? undefined : (_, number) => isChosen(number, sample),
          onBytes: (raw) => progress.bytes(raw),
        },
      ),
    )
    if (sample !== undefined) return read
    const isAll = read.slabs === totals.slabs && read.entries === totals.entries && read.raw === totals.raw
    if (!isAll) damage(`the archive ${path} has not as many entries as its manifest says`)
    return read
  } catch (error) {
    // Without an index, the archive itself can still be judged: it may be as good as it was.
    if (error instanceof NetopsError && error.code === 'damaged' && sample === undefined) {
      if ((await sha256Of(path, signal)) !== archive.sha256)
        damage(`the archive ${path} has another hash than its manifest says`)
    }
    throw error
  }
}

async function sha256Of(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256')
  const file = createReadStream(path, { highWaterMark: 1 << 20 })
  await (signal === undefined ? pipeline(file, hash) : pipeline(file, hash, { signal }))
  return hash.digest('hex')
}

/** Spread evenly whatever the seed is (Knuth, The Art of Computer Programming 3, 6.4: multiplicative hashing). */
const isChosen = (number: number, { share, seed }: { readonly share: number; readonly seed: number }): boolean =>
  Math.imul(number + 1 + Math.imul(seed, 0x85ebca6b), 0x9e3779b1) >>> 0 < share * 2 ** 32
