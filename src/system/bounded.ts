// What comes from outside is read up to a bound, which stands beside each kind: more than was expected is an error that says so.
import { closeSync, openSync, promises as fs, readSync } from 'node:fs'
import { NetopsError } from '../model/errors.ts'
import { formatBytes } from '../model/units.ts'

/** What a file of configuration holds at most: more than any text that is then refused as too long (config/yaml.ts). */
export const mostOfConfig = 8 * 2 ** 20

/** Something does not come to an end where it should have. */
export class TooMuch extends NetopsError {
  /**
   * @param most how many bytes were expected
   * @param came how many had come when it was cut off
   */
  constructor(what: string, most: number, came: number) {
    const [expected, cutOff] = [formatBytes(most), formatBytes(came)]
    super('failed', { message: `${what}: expected at most ${expected}; it was cut off when ${cutOff} had come` })
  }
}

/** A stream to its end, as text. The stream is left as soon as it holds more than that. */
export async function textUpTo(
  stream: AsyncIterable<Uint8Array | string>,
  most: number,
  what: string,
): Promise<string> {
  const chunks: Buffer[] = []
  let came = 0
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk)
    came += bytes.length
    if (came > most) throw new TooMuch(what, most, came)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const chunkBytes = 64 * 1024

/**
 * A file, whatever it is: also one of /proc, whose size nobody knows before, and a pipe.
 * @throws NetopsError `failed` where it holds more than that; the system's error where it cannot be read
 */
export async function readFileUpTo(path: string, most: number): Promise<Buffer> {
  const handle = await fs.open(path, 'r')
  try {
    const chunks: Buffer[] = []
    for (let came = 0; ;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, null)
      if (bytesRead === 0) return Buffer.concat(chunks)
      came += bytesRead
      if (came > most) throw new TooMuch(path, most, came)
      chunks.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
}

/** As {@link readFileUpTo}, at once. */
export function readFileUpToNow(path: string, most: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const chunks: Buffer[] = []
    for (let came = 0; ;) {
      const buffer = Buffer.allocUnsafe(chunkBytes)
      const bytesRead = readSync(file, buffer, 0, chunkBytes, null)
      if (bytesRead === 0) return Buffer.concat(chunks)
      came += bytesRead
      if (came > most) throw new TooMuch(path, most, came)
      chunks.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    closeSync(file)
  }
}
