// Files as broken disks, crashes and people leave them: real ones with flipped bytes, cuts, and lines that are not theirs.
import fc from 'fast-check'

type Mutation = (bytes: Buffer) => Buffer

/** A place in a file whose length is not known yet. */
const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
const at = (bytes: Buffer, where: number): number => Math.floor(where * (bytes.length + 1))
const splice = (bytes: Buffer, from: number, to: number, put: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)])

const foreign = fc.oneof(
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      '\n',
      '\n\n',
      '\r\n',
      '{}\n',
      'null\n',
      '[]\n',
      '"\n',
      '\u001b[2J\n',
      '\0',
      '\ufeff',
      '1e999',
      '{"netops":1}\n',
    )
    .map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(`${text}\n`)),
)

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([where, flip]): Mutation => (bytes) => {
    const changed = Buffer.from(bytes)
    const index = Math.floor(where * bytes.length)
    if (index < bytes.length) changed.writeUInt8(changed.readUInt8(index) ^ flip, index)
    return changed
  }),
  place.map(
    (where): Mutation =>
      (bytes) =>
        bytes.subarray(0, at(bytes, where)),
  ),
  fc.tuple(place, place).map(([one, other]): Mutation => (bytes) => {
    const [from, to] = [at(bytes, Math.min(one, other)), at(bytes, Math.max(one, other))]
    return splice(bytes, from, to, Buffer.alloc(0))
  }),
  // A block that was never written, and one that was written twice.
  fc.tuple(place, fc.integer({ min: 1, max: 64 })).map(([where, length]): Mutation => (bytes) => {
    const from = at(bytes, where)
    return splice(bytes, from, Math.min(bytes.length, from + length), Buffer.alloc(length))
  }),
  fc.tuple(place, place).map(([one, other]): Mutation => (bytes) => {
    const [from, to] = [at(bytes, Math.min(one, other)), at(bytes, Math.max(one, other))]
    return splice(bytes, to, to, bytes.subarray(from, to))
  }),
  fc.tuple(place, foreign).map(
    ([where, put]): Mutation =>
      (bytes) =>
        splice(bytes, at(bytes, where), at(bytes, where), put),
  ),
  // A line of somebody else's between two.
  fc.tuple(place, foreign).map(([where, put]): Mutation => (bytes) => {
    const line = bytes.indexOf('\n', at(bytes, where)) + 1
    return splice(bytes, line, line, Buffer.concat([put, Buffer.from('\n')]))
  }),
)

/** One of these files, changed in up to four places. */
export const mutated = (files: readonly (string | Buffer)[]): fc.Arbitrary<Buffer> =>
  fc
    .tuple(fc.constantFrom(...files), fc.array(mutation, { maxLength: 4 }))
    .map(([file, changes]) => changes.reduce<Buffer>((bytes, change) => change(bytes), Buffer.from(file)))
