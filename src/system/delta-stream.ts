// How a file is put together on another machine, as a stream of frames: a header, then copies of what lies there and the
// bytes that do not, then an end. A frame is a letter, the length of what follows in four bytes, and that.
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import * as z from 'zod'
import { messageOf, NetopsError } from '../model/errors.ts'
import type { Run } from './delta.ts'
import type { Stretch } from './shared-files.ts'

const header = z.strictObject({
  delta: z.literal(1),
  /** Of the file that is made. */
  size: z.number().int().nonnegative(),
  bases: z.array(z.string()).max(16).readonly(),
})
export type DeltaHeader = z.infer<typeof header>

export type Instruction =
  | Extract<Run, { kind: 'copy' }>
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'header'; readonly header: DeltaHeader }

/** Also what a receiver holds in memory at most; longer data comes in several frames. */
const longestData = 1024 * 1024
const longestOf: Readonly<Record<string, number>> = { H: 64 * 1024, C: 20, D: longestData, E: 0 }
const headLength = 5

/** Reads stretches of the new file, in order. */
type ReadStretches = (stretches: readonly Stretch[]) => AsyncIterable<Uint8Array>

/**
 * How hard the stream is compressed: as well as is quick, or hardly, for a link that is quicker than that
 * (docs/benchmarks.md; negative levels: zstd(1), --fast).
 */
const zstdLevels = { well: 3, hardly: -100 } as const
export type Compression = keyof typeof zstdLevels

/** Everything that `host assemble` needs, compressed. */
export async function* writeDelta(
  read: ReadStretches,
  runs: readonly Run[],
  { compression, ...about }: Omit<DeltaHeader, 'delta'> & { readonly compression: Compression },
): AsyncGenerator<Uint8Array> {
  const zstd = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: zstdLevels[compression] } })
  const fed = pipeline(Readable.from(framesOf(read, runs, { delta: 1, ...about })), zstd)
  // Whoever reads below hears of it.
  fed.catch(() => undefined)
  for await (const chunk of zstd) yield chunk as Uint8Array
  await fed
}

/** As {@link writeDelta}, before it is compressed. */
export async function* framesOf(
  read: ReadStretches,
  runs: readonly Run[],
  about: DeltaHeader,
): AsyncGenerator<Uint8Array> {
  yield frame('H', Buffer.from(JSON.stringify(about)))
  for (const run of runs) {
    if (run.kind === 'copy') yield frame('C', placeOf(run))
    else for await (const bytes of read([run])) yield frame('D', bytes)
  }
  yield frame('E', Buffer.alloc(0))
}

function frame(letter: string, content: Uint8Array): Uint8Array {
  const head = Buffer.alloc(headLength)
  head.write(letter, 'latin1')
  head.writeUInt32BE(content.length, 1)
  return Buffer.concat([head, content])
}

function placeOf({ base, offset, length }: Extract<Run, { kind: 'copy' }>): Buffer {
  const place = Buffer.alloc(20)
  place.writeUInt32BE(base)
  place.writeBigUInt64BE(BigInt(offset), 4)
  place.writeBigUInt64BE(BigInt(length), 12)
  return place
}

/**
 * Reads what {@link writeDelta} wrote; the header comes first.
 * @throws NetopsError `damaged` for anything that is not such a stream, whole and with nothing after its end
 */
export async function* readDelta(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Instruction> {
  const zstd = createZstdDecompress()
  const fed = pipeline(Readable.from(stream), zstd)
  // Whoever reads below hears of it.
  fed.catch(() => undefined)
  try {
    yield* readFrames(zstd)
  } catch (thrown) {
    throw thrown instanceof NetopsError ? thrown : damaged(messageOf(thrown))
  }
}

/** As {@link readDelta}, of what is not compressed. */
export async function* readFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Instruction> {
  let rest = Buffer.alloc(0)
  let [begun, ended] = [false, false]
  for await (const chunk of stream) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (;;) {
      if (ended && rest.length > 0) throw damaged('something follows its end')
      if (rest.length < headLength) break
      const letter = rest.toString('latin1', 0, 1)
      const length = rest.readUInt32BE(1)
      const longest = longestOf[letter]
      if (longest === undefined) throw damaged(`a frame of kind ${JSON.stringify(letter)}`)
      if (length > longest) throw damaged(`a frame ${letter} of ${length} bytes`)
      if (begun === (letter === 'H')) throw damaged('its header does not stand at its beginning')
      if (rest.length < headLength + length) break
      const content = rest.subarray(headLength, headLength + length)
      rest = rest.subarray(headLength + length)
      begun = true
      if (letter === 'E') ended = true
      else yield instruction(letter, content)
    }
  }
  if (!ended) throw damaged('it ends too early')
}

function instruction(letter: string, content: Buffer): Instruction {
  if (letter === 'H') return { kind: 'header', header: parseHeader(content) }
  if (letter === 'D') return { kind: 'data', bytes: content }
  if (content.length !== longestOf[letter]) throw damaged(`a copy of ${content.length} bytes`)
  const [offset, length] = [Number(content.readBigUInt64BE(4)), Number(content.readBigUInt64BE(12))]
  if (!Number.isSafeInteger(offset + length)) throw damaged('a copy from beyond any file')
  return { kind: 'copy', base: content.readUInt32BE(0), offset, length }
}

function parseHeader(content: Buffer): DeltaHeader {
  try {
    return header.parse(JSON.parse(content.toString('utf8')))
  } catch (error) {
    throw damaged(`its header cannot be read: ${messageOf(error)}`)
  }
}

export const damaged = (what: string): NetopsError =>
  new NetopsError('damaged', { message: `the stream to assemble a file from is damaged: ${what}` })
