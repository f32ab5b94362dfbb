// Streams encrypted to age recipients, and back. Recipients, identities and headers are the library's; what follows the header goes
// through Node's own OpenSSL, which is several times as quick as JavaScript (docs/decisions.md).
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { messageOf, NetopsError } from '../../model/errors.ts'

type Bytes = AsyncIterable<Uint8Array>

// C2SP age.md, "Payload": chunks of 64 KiB, each sealed by itself with ChaCha20-Poly1305; the nonce holds the chunk's number and
// whether it is the last.
const chunkBytes = 64 * 1024
const tagBytes = 16
const nonceBytes = 16
const cipher = 'chacha20-poly1305'
const macLine = '--- '
// A header has about 100 bytes for each recipient, of the largest kind 1.6 KB.
const longestHeader = 256 * 1024

/** Loaded when it is first used: its curves take as long to load as a command to start. */
const library = () => import('age-encryption')

const notARecipient = (recipient: string, error: unknown): NetopsError =>
  new NetopsError('usage', {
    message: `${recipient.slice(0, 80)} is no age recipient: ${messageOf(error)}`,
    hint: 'it begins with age1; make one with age-keygen, and keep the identity away from what is backed up',
    cause: error,
  })

/**
 * Checks recipients, such as those of a configuration.
 * @throws NetopsError `usage` for one that is none, and where there is none at all
 */
export async function checkRecipients(recipients: readonly string[]): Promise<void> {
  const { Encrypter } = await library()
  if (recipients.length === 0) throw new NetopsError('usage', { message: 'expected at least one age recipient' })
  for (const recipient of recipients) {
    try {
      new Encrypter().addRecipient(recipient)
    } catch (error) {
      throw notARecipient(recipient, error)
    }
  }
}

/**
 * Encrypts a stream, so that each of the recipients can read it.
 * @throws NetopsError `usage` for what is no recipient; what the stream throws
 */
export async function* encrypted(plain: Bytes, recipients: readonly string[]): AsyncGenerator<Uint8Array> {
  await checkRecipients(recipients)
  const { header, key } = await makeHeader(recipients)
  const nonce = randomBytes(nonceBytes)
  yield Buffer.concat([header, nonce])
  const payload = payloadKey(key, nonce)
  let number = 0
  for await (const { chunk, isLast } of chunksOf(plain, chunkBytes)) {
    const sealing = createCipheriv(cipher, payload, chunkNonce(number, isLast), { authTagLength: tagBytes })
    yield Buffer.concat([sealing.update(chunk), sealing.final(), sealing.getAuthTag()])
    number += 1
  }
}

/**
 * Decrypts a stream. What it gives is authentic, but not yet whole before its end: whoever keeps it gives it its name after that.
 * @param identities as age-keygen writes them: `AGE-SECRET-KEY-1...`
 * @throws NetopsError `damaged` for what was changed or cut off, or is not encrypted by age; `failed` where none of the identities fits
 */
export async function* decrypted(sealed: Bytes, identities: readonly string[]): AsyncGenerator<Uint8Array> {
  const { header, rest } = await readHeader(sealed)
  const key = await openHeader(header, identities)
  let payload: Buffer | undefined
  let number = 0
  const nonce: Uint8Array[] = []
  const body = withoutFirst(rest, nonceBytes, nonce)
  for await (const { chunk, isLast } of chunksOf(body, chunkBytes + tagBytes)) {
    payload ??= payloadKey(key, Buffer.concat(nonce))
    // Only an empty file has an empty last chunk.
    if (chunk.length < tagBytes || (chunk.length === tagBytes && number > 0)) throw damaged('it is cut off')
    yield open(payload, { chunk, number, isLast })
    number += 1
  }
}

function open(
  key: Buffer,
  { chunk, number, isLast }: { readonly chunk: Buffer; readonly number: number; readonly isLast: boolean },
): Uint8Array {
  const opening = createDecipheriv(cipher, key, chunkNonce(number, isLast), { authTagLength: tagBytes })
  const end = chunk.length - tagBytes
  opening.setAuthTag(chunk.subarray(end))
  const plain = opening.update(chunk.subarray(0, end))
  try {
    opening.final()
  } catch {
    // OpenSSL says no more than that.
    throw damaged(`its part ${number + 1} of 64 KiB was changed, or the file is cut off`)
  }
  return plain
}

const damaged = (why: string): NetopsError =>
  new NetopsError('damaged', { message: `what was encrypted is damaged: ${why}`, hint: 'take another copy of it' })

const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array): Buffer =>
  Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32))

function chunkNonce(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  // Eleven bytes for the number, of which six hold more than any file has.
  nonce.writeUIntBE(number, 5, 6)
  nonce[11] = isLast ? 1 : 0
  return nonce
}

/** A new file's header and its key, which the library gives to each recipient to be wrapped. */
async function makeHeader(
  recipients: readonly string[],
): Promise<{ readonly header: Buffer; readonly key: Uint8Array }> {
  const { Encrypter } = await library()
  const encrypter = new Encrypter()
  let key: Uint8Array | undefined
  encrypter.addRecipient({
    wrapFileKey(fileKey: Uint8Array) {
      key = Uint8Array.from(fileKey)
      return []
    },
  })
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  const whole = Buffer.from(await encrypter.encrypt(new Uint8Array()))
  const length = headerLength(whole)
  if (length === undefined || key === undefined) throw new Error('age-encryption made no header')
  return { header: whole.subarray(0, length), key }
}

/** Where a header ends, behind the line with its MAC; undefined where it does not end yet. */
function headerLength(bytes: Buffer): number | undefined {
  const mac = bytes.indexOf(`\n${macLine}`)
  const end = mac < 0 ? -1 : bytes.indexOf('\n', mac + 1)
  return end < 0 ? undefined : end + 1
}

async function openHeader(header: Buffer, identities: readonly string[]): Promise<Uint8Array> {
  const { Decrypter } = await library()
  const decrypter = new Decrypter()
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity)
    } catch {
      // Its message could hold the identity.
      throw new NetopsError('usage', { message: 'expected identities as age-keygen writes them: AGE-SECRET-KEY-1...' })
    }
  }
  try {
    return await decrypter.decryptHeader(header)
  } catch (error) {
    if (/no identity matched/.test(messageOf(error))) {
      const hint = 'use the identity of one of the recipients that it was encrypted to'
      throw new NetopsError('failed', { message: 'none of the identities can decrypt it', hint })
    }
    throw damaged(`its header: ${messageOf(error)}`)
  }
}

async function readHeader(sealed: Bytes): Promise<{ readonly header: Buffer; readonly rest: Bytes }> {
  const chunks = sealed[Symbol.asyncIterator]()
  let begun = Buffer.alloc(0)
  for (;;) {
    const end = headerLength(begun)
    if (end !== undefined) return { header: begun.subarray(0, end), rest: joinedStream(begun.subarray(end), chunks) }
    const next = await chunks.next()
    if (next.done === true || begun.length > longestHeader) throw damaged('it has no header of age')
    begun = Buffer.concat([begun, next.value])
  }
}

async function* joinedStream(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield first
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

/** A stream without its first bytes, which are put aside. @throws NetopsError `damaged` where it does not have so many */
async function* withoutFirst(bytes: Bytes, count: number, first: Uint8Array[]): AsyncGenerator<Uint8Array> {
  let missing = count
  for await (const chunk of bytes) {
    const taken = chunk.subarray(0, missing)
    if (taken.length > 0) first.push(taken)
    missing -= taken.length
    if (chunk.length > taken.length) yield chunk.subarray(taken.length)
  }
  if (missing > 0) throw damaged('it is cut off')
}

/** A stream in chunks of one length; the last one, which may be empty only where it is the first, is told. */
async function* chunksOf(
  bytes: Bytes,
  length: number,
): AsyncGenerator<{ readonly chunk: Buffer; readonly isLast: boolean }> {
  let gathered: Uint8Array[] = []
  let filled = 0
  for await (const given of bytes) {
    for (let at = 0; at < given.length;) {
      // A full chunk is the last one only where nothing follows.
      if (filled === length) {
        yield { chunk: Buffer.concat(gathered), isLast: false }
        ;[gathered, filled] = [[], 0]
      }
      const part = given.subarray(at, at + length - filled)
      gathered.push(part)
      filled += part.length
      at += part.length
    }
  }
  yield { chunk: Buffer.concat(gathered), isLast: true }
}
