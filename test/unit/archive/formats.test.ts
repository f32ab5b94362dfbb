// What an archive is made of, piece by piece: names, lines of the index, headers, cuts, compressed pieces.
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compress, decompress, spareBytes, type Compression } from '../../../src/archive/compression.ts'
import { entryOf, lineOf, lineStart, seenOf, type Entry } from '../../../src/archive/entries.ts'
import { compareNames, isWithin, nameOfText, pathOf, shownName } from '../../../src/archive/names.ts'
import { pieceBytes, SlabCutter } from '../../../src/archive/slab-cut.ts'
import { endOfTar, headerOf, padded, parseHeader, parseRecords, recordOf } from '../../../src/archive/tar-header.ts'
import { TarScanner, type TarEntry } from '../../../src/archive/tar-scanner.ts'
import { rootNames } from '../../../src/archive/walk.ts'

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code))
const name = fc.string({ unit: byte, minLength: 1, maxLength: 300 })

describe('names', () => {
  test('are the bytes that the file system has', () => {
    expect(pathOf('plain')).toBe('plain')
    expect(pathOf('\xff')).toEqual(Buffer.from([0xff]))
    expect(pathOf(nameOfText('ä'))).toEqual(Buffer.from('ä'))
  })

  test('are shown as text where they are, and byte by byte where not', () => {
    expect(shownName(nameOfText('ä/界'))).toBe('ä/界')
    expect(shownName('a\xffb')).toBe('a\\xffb')
    expect(shownName('a\nb\x1b[2J\\')).toBe('a\\nb\\x1b[2J\\\\')
  })

  test('are in an order in which what a folder holds follows it', () => {
    expect(['a-b', 'a', 'a/z', 'a/b', 'a.b'].toSorted(compareNames)).toEqual(['a', 'a/b', 'a/z', 'a-b', 'a.b'])
    fc.assert(fc.property(name, name, (a, b) => Math.sign(compareNames(a, b)) === -Math.sign(compareNames(b, a))))
  })

  test('lie within others by whole parts', () => {
    expect([isWithin('a/b', 'a'), isWithin('a', 'a'), isWithin('ab', 'a'), isWithin('a', 'a/b')]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('of roots are in order, none within another', () => {
    expect(rootNames(['var/lib', 'etc', 'var', 'etc-2'])).toEqual(['etc', 'etc-2', 'var'])
    for (const root of ['/etc', '', 'a/../b', 'a//b', '.', 'a/'])
      expect(() => rootNames([root])).toThrow('cannot be archived')
  })
})

const decimal = fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String)
const seen = {
  name,
  size: fc.maxSafeNat(),
  mode: fc.nat(0o7777),
  uid: fc.nat(),
  gid: fc.nat(),
  mtime: decimal,
  ctime: decimal,
  inode: decimal,
  device: decimal,
  settled: fc.boolean(),
}
const sha256 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ ...seen, kind: fc.constant('file' as const), sha256 }),
  fc.record({ ...seen, kind: fc.constant('file' as const), sha256, sparse: fc.constant(true as const) }),
  fc.record({ ...seen, kind: fc.constant('folder' as const) }),
  fc.record({ ...seen, kind: fc.constantFrom('link' as const, 'hardlink' as const), target: name }),
)

describe('lines of the index', () => {
  test('are read back as they were written, and begin with what lstat tells', () => {
    fc.assert(
      fc.property(entry, (one) => {
        expect(entryOf(lineOf(one))).toEqual(one)
        expect(lineOf(one).startsWith(lineStart(one))).toBe(true)
        expect(seenOf(`${lineStart(one)}]`)).toMatchObject({ name: one.name, mtime: one.mtime, settled: one.settled })
      }),
    )
  })

  test('that are none are refused', () => {
    const good = lineOf({
      name: 'a',
      kind: 'folder',
      size: 0,
      mode: 0,
      uid: 0,
      gid: 0,
      mtime: '1',
      ctime: '1',
      inode: '1',
      device: '1',
      settled: true,
    })
    for (const line of [
      '',
      '{}',
      '[]',
      '["f"]',
      good.replace('"d"', '"x"'),
      good.replace('"d"', '"f"'),
      good.replace(',0,0,0,', ',-1,0,0,'),
      good.slice(1),
    ]) {
      expect(() => entryOf(line)).toThrow('no entry')
    }
  })
})

/** What a scanner says of a tar, however it is cut. */
function scanned(tar: Buffer, cut: number): readonly { readonly entry: TarEntry; readonly data: string }[] {
  const found: { entry: TarEntry; data: string }[] = []
  const scanner = new TarScanner({
    entry: (one) => found.push({ entry: one, data: '' }),
    data: (bytes) => {
      const last = found.at(-1)
      if (last !== undefined) last.data += Buffer.from(bytes).toString('latin1')
    },
    over: () => undefined,
  })
  for (let at = 0; at < tar.length; at += cut) scanner.push(tar.subarray(at, at + cut))
  expect({ isBetween: scanner.isBetween, hasEnded: scanner.hasEnded }).toEqual({ isBetween: true, hasEnded: true })
  return found
}

describe('headers', () => {
  const fields = { type: '0', target: '', mode: 0o644, uid: 0, gid: 0, mtime: 1 }

  test('hold any name, and say again what they were made of', () => {
    const file = fc.record({
      name,
      data: fc.string({ unit: byte, maxLength: 1500 }),
      uid: fc.nat(2 ** 31),
      mtime: fc.nat(2 ** 35),
    })
    fc.assert(
      fc.property(fc.array(file, { maxLength: 4 }), fc.integer({ min: 1, max: 3000 }), (files, cut) => {
        const blocks = files.flatMap(({ data, ...rest }) => {
          const bytes = Buffer.from(data, 'latin1')
          const filling = Buffer.alloc(padded(bytes.length) - bytes.length)
          return [headerOf({ ...fields, ...rest, size: bytes.length }), bytes, filling]
        })
        const found = scanned(Buffer.concat([...blocks, endOfTar]), cut)
        expect(
          found.map((one) => ({ name: one.entry.name, data: one.data, uid: one.entry.uid, mtime: one.entry.mtime })),
        ).toEqual(files.map((one) => ({ ...one, mtime: one.mtime === 0 ? '0' : `${one.mtime}000000000` })))
      }),
    )
  })

  test('of a hard link hold a target of any length', () => {
    const tar = Buffer.concat([headerOf({ ...fields, type: '1', name: 'a', target: 'x'.repeat(300) }), endOfTar])
    expect(scanned(tar, 512)).toMatchObject([{ entry: { type: '1', name: 'a', target: 'x'.repeat(300) } }])
  })

  test('with one flipped bit are none', () => {
    const block = headerOf({ ...fields, name: 'a' })
    for (let bit = 0; bit < 512 * 8; bit += 5) {
      // The checksum's own field ends with a zero and a space, for which others have two zeros.
      if (bit >> 3 >= 154 && bit >> 3 < 156) continue
      const flipped = Buffer.from(block)
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(() => parseHeader(flipped)).toThrow('damaged')
    }
  })

  test('have records with their own length', () => {
    fc.assert(
      fc.property(name, (value) => parseRecords(Buffer.from(recordOf('key', value), 'latin1')).get('key') === value),
    )
    for (const text of ['5 a=b', '6 a=b\nx', '0 a=b\n', 'a=b\n', '7 ab\n\n\n'])
      expect(() => parseRecords(Buffer.from(text))).toThrow('damaged')
  })

  test('of a file whose data is known need not be given it, but no entry is passed with it', () => {
    const head = headerOf({ ...fields, name: 'a', size: 700 })
    const found: string[] = []
    const scanner = new TarScanner({
      entry: ({ name: begun }) => found.push(begun),
      data: (bytes) => found.push(`${bytes.length} bytes`),
      over: (padding) => found.push(`over ${padding}`),
    })
    scanner.push(Buffer.concat([head, Buffer.alloc(100)]))
    scanner.skip(500)
    scanner.skip(424)
    scanner.push(head)
    expect(() => scanner.skip(1025)).toThrow('an entry begins')
    scanner.skip(1024)
    expect(found).toEqual(['a', '100 bytes', 'over 324', 'a', 'over 324'])
    expect(scanner.isBetween).toBe(true)
  })

  test('of a tar that goes on after its end are damage', () => {
    expect(() => scanned(Buffer.concat([endOfTar, headerOf({ ...fields, name: 'a' })]), 512)).toThrow(
      'something follows its end',
    )
  })
})

describe('slabs', () => {
  const entries = Array.from({ length: 3000 }, (_, at) => ({ name: `folder/${at}`, size: (at * 7919) % 20_000 }))
  const cut = (list: typeof entries): readonly (readonly string[])[] => {
    const cutter = new SlabCutter()
    const slabs: string[][] = []
    for (const one of list) {
      if (cutter.beginsWith(one) || slabs.length === 0) slabs.push([])
      slabs.at(-1)?.push(one.name)
    }
    return slabs
  }

  test('are some dozen entries, and a change leaves nearly all of them as they were', () => {
    const before = cut(entries)
    expect(entries.length / before.length).toBeGreaterThan(16)
    expect(entries.length / before.length).toBeLessThan(32)
    const known = new Set(before.map((slab) => slab.join()))
    for (const at of [0, 1500, 2999]) {
      const without = cut(entries.toSpliced(at, 1))
      const grown = cut(entries.toSpliced(at, 1, { name: `folder/${at}`, size: 900_000 }))
      for (const after of [without, grown])
        expect(after.filter((slab) => !known.has(slab.join())).length).toBeLessThanOrEqual(3)
    }
  })

  test('of a large file hold nothing else', () => {
    const slabs = cut([
      { name: 'a', size: 1 },
      { name: 'b', size: pieceBytes * 3 },
      { name: 'c', size: 1 },
    ])
    expect(slabs).toEqual([['a'], ['b'], ['c']])
  })
})

const compressed = (bytes: Buffer, compression: Compression): Buffer => {
  const out = Buffer.alloc(bytes.length + 1000)
  return out.subarray(0, compress(bytes, out, compression))
}
const decompressed = (piece: Buffer, length: number, compression: Compression): Buffer => {
  const out = Buffer.alloc(length + spareBytes)
  decompress(piece, out, length, compression)
  return out.subarray(0, length)
}

test('pieces come back as they were, and no more of them than is expected', () => {
  for (const compression of ['gzip', 'zstd'] as const) {
    const bytes = Buffer.alloc(200_000, 'some text')
    const piece = compressed(bytes, compression)
    expect(compressed(bytes, compression)).toEqual(piece)
    expect(decompressed(piece, bytes.length, compression).equals(bytes)).toBe(true)
    for (const length of [bytes.length - 1, bytes.length + 1, 0])
      expect(() => decompressed(piece, length, compression)).toThrow()
    for (let at = 20; at < piece.length; at += 7) {
      const flipped = Buffer.from(piece)
      flipped.writeUInt8(flipped.readUInt8(at) ^ 16, at)
      expect(() => decompressed(flipped, bytes.length, compression)).toThrow('a piece')
    }
  }
})

test('pieces are as node:zlib makes them, one after another', () => {
  const params = { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 3 }
  const texts = [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(3_000_000, 'more text'), Buffer.from([0, 255])]
  for (const text of [...texts, ...texts]) {
    expect(compressed(text, 'gzip').equals(gzipSync(text))).toBe(true)
    expect(compressed(text, 'zstd').equals(zstdCompressSync(text, { params }))).toBe(true)
    expect(decompressed(gzipSync(text), text.length, 'gzip').equals(text)).toBe(true)
    expect(decompressed(zstdCompressSync(text), text.length, 'zstd').equals(text)).toBe(true)
  }
})

test('pieces that are cut short, or have something after them, are damaged', () => {
  for (const compression of ['gzip', 'zstd'] as const) {
    const piece = compressed(Buffer.alloc(50_000, 'some text'), compression)
    for (const other of [piece.subarray(0, -1), piece.subarray(0, 20), Buffer.concat([piece, Buffer.from('x')])])
      expect(() => decompressed(other, 50_000, compression)).toThrow('a piece')
    expect(decompressed(piece, 50_000, compression).equals(Buffer.alloc(50_000, 'some text'))).toBe(true)
  }
})
