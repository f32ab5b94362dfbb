// An index is read back as it was written, and one that is not whole is damaged.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { IndexReader, IndexWriter } from '../../../src/archive/index-file.ts'
import { linesIn, slabOf, type Piece, type Slab } from '../../../src/archive/slab.ts'

let scratch: string
let path: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'index-'))
  path = join(scratch, 'index.gz')
})
afterEach(() => rm(scratch, { recursive: true }))

const piece: Piece = [100, 1000, 'x'.repeat(43)]
// Of more than one piece of text as it is decompressed, with lines that lie across.
const slabs = Array.from({ length: 400 }, (_, slab) =>
  slabOf(
    slab % 7 === 0 ? [piece, piece] : [piece],
    Array.from({ length: 1 + (slab % 40) }, (_line, at) => `["f","${`ä${slab}/${at} `.repeat(20)}"]`),
  ),
)

async function written(): Promise<void> {
  const writer = await IndexWriter.begin(path)
  for (const slab of slabs) await writer.slab(slab)
  await writer.end(piece)
  await writer.close()
}

/** Reads whatever lies there, as if the manifest said that it is so. */
async function read(): Promise<{ readonly found: readonly Slab[]; readonly reader: IndexReader }> {
  const bytes = await readFile(path)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const reader = new IndexReader(path, { bytes: bytes.length, sha256 })
  const found: Slab[] = []
  for await (const slab of reader.slabs()) found.push(slab)
  return { found, reader }
}

test('slabs come back with their pieces and lines', async () => {
  await written()
  const { found, reader } = await read()
  expect(found.map(({ pieces, text }) => ({ pieces, lines: linesIn(text) }))).toEqual(
    slabs.map(({ pieces, text }) => ({ pieces, lines: linesIn(text) })),
  )
  expect(reader.totals).toEqual({
    slabs: slabs.length,
    entries: slabs.reduce((sum, { entries }) => sum + entries, 0),
    last: piece,
  })
})

test('an index that is cut short, goes on after its end, or lacks a line is damaged', async () => {
  await written()
  const text = gunzipSync(await readFile(path)).toString()
  const lines = text.split('\n')
  const others = [
    text.slice(0, -1),
    text.slice(0, -20),
    text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1),
    `${text}more\n`,
    `${text}more`,
    lines.toSpliced(5, 1).join('\n'),
    lines.toSpliced(5, 0, lines[5] ?? '').join('\n'),
    '',
  ]
  for (const other of others) {
    await writeFile(path, gzipSync(other))
    await expect(read()).rejects.toMatchObject({ code: 'damaged' })
  }
})
