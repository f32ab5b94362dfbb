// Lines of text out of a stream, some at a time, and into a file.
import { StringDecoder } from 'node:string_decoder'
import { NetopsError } from '../model/errors.ts'

/**
 * Cuts a stream into lines.
 * @param longest how many characters a line may have
 * @returns the lines of each piece that came; the last one need not have a line break
 * @throws NetopsError `damaged` where a line is longer
 */
export async function* linesOf(
  stream: AsyncIterable<Uint8Array>,
  longest: number,
): AsyncGenerator<readonly string[], void, undefined> {
  const decoder = new StringDecoder('utf8')
  // Joined once a line is over: what has no line breaks must not be copied again with each piece.
  let begun: string[] = []
  let length = 0
  for await (const bytes of stream) {
    const [first = '', ...more] = decoder
      .write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      .split('\n')
    begun.push(first)
    length += first.length
    if (length > longest) throw new NetopsError('damaged', { message: `a line has more than ${longest} characters` })
    const last = more.pop()
    if (last === undefined) continue
    yield [begun.join(''), ...more]
    begun = [last]
    length = last.length
  }
  const last = begun.join('') + decoder.end()
  if (last !== '') yield [last]
}

const bufferedLength = 256 << 10

/** Appends lines to a file, many at a time. */
export class LineWriter {
  readonly #file: { append(text: string): Promise<void> }
  #lines: string[] = []
  #length = 0

  constructor(file: { append(text: string): Promise<void> }) {
    this.#file = file
  }

  line(line: string): void {
    this.#lines.push(line)
    this.#length += line.length + 1
  }

  get isFull(): boolean {
    return this.#length >= bufferedLength
  }

  async flush(): Promise<void> {
    if (this.#lines.length === 0) return
    const text = `${this.#lines.join('\n')}\n`
    this.#lines = []
    this.#length = 0
    await this.#file.append(text)
  }
}
