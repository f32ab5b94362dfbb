// Archives as somebody with bad intentions makes them: with an index and a manifest that fit, or nearly.
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { lineOf, type Entry } from '../../src/archive/entries.ts'
import { IndexWriter } from '../../src/archive/index-file.ts'
import { archiveFile, indexFile, manifestFile, manifestText, type ArchivePlace } from '../../src/archive/manifest.ts'
import { endOfTar, headerOf, padded, type HeaderFields } from '../../src/archive/tar-header.ts'
import { slabOf, type Piece } from '../../src/archive/slab.ts'

/** One entry: what its header says, its data, and what the index says of it where that is not the same. */
export interface Handmade {
  readonly name: string
  readonly type?: string
  readonly target?: string
  readonly data?: string
  readonly header?: Partial<HeaderFields>
  readonly index?: Partial<Entry>
}

const kinds: Readonly<Record<string, Entry['kind']>> = { 0: 'file', 1: 'hardlink', 2: 'link', 5: 'folder' }
const hashOf = (bytes: Uint8Array, as: 'hex' | 'base64url'): string => createHash('sha256').update(bytes).digest(as)

/** Makes an archive of one slab. @param told how many bytes the index says come of the slab, where that is not true */
export async function handmade(place: ArchivePlace, entries: readonly Handmade[], told?: number): Promise<void> {
  mkdirSync(place.folder, { recursive: true, mode: 0o700 })
  const raw = Buffer.concat(entries.flatMap(blocksOf))
  const piece = gzipSync(raw)
  const end = gzipSync(endOfTar)
  const archive = Buffer.concat([piece, end])
  const pieceOf = (bytes: Buffer, length: number): Piece => [bytes.length, length, hashOf(bytes, 'base64url')]
  const writer = await IndexWriter.begin(join(place.folder, indexFile(place.name)))
  const lines = entries.map((one) => lineOf(entryOf(one)))
  await writer.slab(slabOf([pieceOf(piece, told ?? raw.length)], lines))
  const index = await writer.end(pieceOf(end, endOfTar.length))
  await writer.close()
  const file = archiveFile(place.name, 'gzip')
  writeFileSync(join(place.folder, file), archive)
  const time = '2026-01-01T00:00:00.000Z'
  const text = manifestText({
    ...{ netops: 'archive-manifest', schema: 1, name: place.name, begun: time, ended: time, rebuilt: time },
    ...{ base: '/', roots: ['top'], exclude: [], compression: 'gzip', leftOut: [], troubles: [], restore: '' },
    archive: { file, bytes: archive.length, sha256: hashOf(archive, 'hex') },
    index: { file: indexFile(place.name), bytes: index.bytes, sha256: index.sha256 },
    totals: {
      ...{ entries: entries.length, files: 0, folders: 0, links: 0, hardlinks: 0, bytes: 0 },
      ...{ raw: (told ?? raw.length) + endOfTar.length, slabs: 1 },
    },
    unlisted: { leftOut: 0, troubles: 0 },
  })
  writeFileSync(join(place.folder, manifestFile(place.name)), text)
}

function blocksOf({ name, type = '0', target = '', data = '', header = {} }: Handmade): readonly Buffer[] {
  const bytes = Buffer.from(data)
  const size = bytes.length
  const fields = { type, name, target, mode: 0o644, uid: 0, gid: 0, mtime: 1, size, ...header }
  return [headerOf(fields), bytes, Buffer.alloc(padded(size) - size)]
}

const entryOf = ({ name, type = '0', target, data = '', index = {} }: Handmade): Entry => ({
  ...{ name, kind: kinds[type] ?? 'file', size: Buffer.byteLength(data), mode: 0o644, uid: 0, gid: 0 },
  ...{ mtime: '1000000000', ctime: '1', inode: '1', device: '1', settled: true },
  ...(type === '0' || kinds[type] === undefined ? { sha256: hashOf(Buffer.from(data), 'hex') } : {}),
  ...(target === undefined ? {} : { target }),
  ...index,
})
