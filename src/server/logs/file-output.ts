// Writes lines to a file or to standard output: in order, one write at a time, whole lines to each file.
import { closeSync, write, writeSync } from 'node:fs'
import { messageOf, systemCode } from '../../model/errors.ts'
import { isFull, openLogFile, rotate, type LogFile } from './log-file.ts'
import { mostWaitingBytes, withinCloseLimit, type Output, type OutputStats, type Report } from './output.ts'
import { deleteExpired, type Rotation } from './rotation.ts'

export interface FilePlace {
  readonly path: string
  readonly rotation?: Rotation
  /** Whether the service may not start without it. */
  readonly needed: boolean
}

const largestWrite = 2 ** 18
const retryMs = 1000
// The reader of a pipe is slow: it is well, and soon takes more.
const fullPipeMs = 20
const newline = 0x0a

const standardOutput: LogFile = { fd: 1, size: 0, begunMs: 0, regular: false, torn: false }

export const openConsole = (report: Report): Output => new FileOutput(undefined, standardOutput, report)

/** @throws NetopsError `failed` when a file that is needed cannot be opened */
export function openFile(place: FilePlace, report: Report): Output {
  const output = new FileOutput(place, place.needed ? openLogFile(place.path) : undefined, report)
  output.tidy()
  return output
}

class FileOutput implements Output {
  readonly name: string
  readonly #place: FilePlace | undefined
  readonly #report: Report
  #file: LogFile | undefined
  /** In bytes, as far as this process knows. */
  #size = 0
  /** Whole lines, but for the first one where `torn`. */
  #queue: Buffer[] = []
  #waiting = 0
  /** What is written right now. */
  #busy = false
  /** The last write ended within a line, whose rest is the first to be written. */
  #torn = false
  #timer: NodeJS.Timeout | undefined
  #failing = false
  #lost = 0
  #untold = 0
  #reopen = false
  /** Standard output whose reader is gone: nobody misses these lines. */
  #gone = false
  #whenIdle: (() => void)[] = []
  /** After a failed rotation the file goes on, until then. */
  #rotateAfterMs = 0

  constructor(place: FilePlace | undefined, file: LogFile | undefined, report: Report) {
    this.name = place?.path ?? 'standard output'
    this.#place = place
    this.#report = report
    if (file !== undefined) this.#use(file)
  }

  append(text: string | Buffer, lines: number): void {
    if (this.#gone) return
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    if (this.#waiting + bytes.length > mostWaitingBytes) {
      this.#lost += lines
      this.#untold += lines
      return
    }
    this.#queue.push(bytes)
    this.#waiting += bytes.length
    this.#pump()
  }

  reopen(): void {
    if (this.#place === undefined) return
    this.#reopen = true
    this.#pump()
  }

  tidy(): void {
    this.#pump()
    this.#deleteExpired()
  }

  #deleteExpired(): void {
    const { path, rotation } = this.#place ?? {}
    if (path === undefined || rotation === undefined) return
    deleteExpired(path, rotation).catch((error: unknown) => {
      // Without a folder there is nothing to delete either.
      if (systemCode(error) !== 'ENOENT') this.#report.failed(path, `cannot delete rotated files: ${messageOf(error)}`)
    })
  }

  flushNow(): void {
    for (const end = performance.now() + 1000; this.#file !== undefined && !this.#gone;) {
      const [first] = this.#queue
      if (first === undefined) return
      try {
        const written = writeSync(this.#file.fd, first)
        this.#took(first, written)
      } catch (error) {
        if (systemCode(error) !== 'EAGAIN' || performance.now() > end) return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
      }
    }
  }

  async close(): Promise<void> {
    await withinCloseLimit((done) => {
      if (this.#failing || this.#isIdle()) done()
      else this.#whenIdle.push(done)
    })
    clearTimeout(this.#timer)
    if (!this.#busy) this.flushNow()
    this.#lost += linesIn(this.#queue)
    this.#gone = true
    if (!this.#busy && this.#place !== undefined && this.#file !== undefined) closeSync(this.#file.fd)
    this.#file = undefined
  }

  stats(): OutputStats {
    return { name: this.name, lost: this.#lost, waitingBytes: this.#waiting, failing: this.#failing }
  }

  #isIdle(): boolean {
    return !this.#busy && this.#queue.length === 0 && !this.#reopen
  }

  #pump(): void {
    if (this.#busy || this.#gone || this.#timer !== undefined) return
    try {
      if (this.#place !== undefined && !this.#torn) this.#prepare(this.#place)
    } catch (error) {
      this.#fail(error)
      return
    }
    const chunk = this.#next()
    if (chunk === undefined || this.#file === undefined) {
      for (const done of this.#whenIdle.splice(0)) done()
      return
    }
    this.#busy = true
    write(this.#file.fd, chunk, 0, chunk.length, null, (error, written) => {
      this.#busy = false
      if (error !== null) {
        this.#queue.unshift(chunk)
        this.#fail(error)
        return
      }
      this.#queue.unshift(chunk)
      this.#took(chunk, written)
      this.#recovered()
      this.#pump()
    })
  }

  /** Opens, reopens or rotates the file where it is time to. */
  #prepare(place: FilePlace): void {
    const old = this.#file
    const first = this.#queue[0]
    if (old === undefined) {
      this.#use(openLogFile(place.path))
      this.#reopen = false
    } else if (this.#reopen) {
      this.#reopen = false
      try {
        this.#use(openLogFile(place.path))
        closeSync(old.fd)
      } catch (error) {
        this.#report.failed(this.name, `${messageOf(error)}; the old one is written on`)
      }
    } else if (
      Date.now() >= this.#rotateAfterMs &&
      isFull(old, place.rotation, { now: this.#size, next: first === undefined ? 0 : firstLine(first) })
    ) {
      try {
        this.#use(rotate(place.path, old))
        this.#deleteExpired()
      } catch (error) {
        // The lines are worth more than the size of the file.
        this.#rotateAfterMs = Date.now() + 60_000
        this.#report.failed(this.name, `${messageOf(error)}; it grows on`)
      }
    }
  }

  #use(file: LogFile): void {
    this.#file = file
    this.#size = file.size
    if (!file.torn) return
    // What an earlier process left of a line must not swallow the first of this one.
    this.#queue.unshift(Buffer.from('\n'))
    this.#waiting += 1
  }

  /** What to write next, taken from the queue: whole lines that fit into the file, at least one. */
  #next(): Buffer | undefined {
    const first = this.#queue.shift()
    if (first === undefined) return undefined
    const { rotation } = this.#place ?? {}
    const rotates = rotation !== undefined && this.#file?.regular === true && Date.now() >= this.#rotateAfterMs
    const room = rotates ? rotation.maxSize - this.#size : Infinity
    if (first.length > room) {
      const end = Math.max(room > 0 ? first.lastIndexOf(newline, room - 1) + 1 : 0, firstLine(first))
      if (end < first.length) this.#queue.unshift(first.subarray(end))
      return first.subarray(0, end)
    }
    const pieces = [first]
    let length = first.length
    for (let piece = this.#queue[0]; piece !== undefined; piece = this.#queue[0]) {
      if (length + piece.length > Math.min(room, largestWrite)) break
      pieces.push(piece)
      length += piece.length
      this.#queue.shift()
    }
    return pieces.length === 1 ? first : Buffer.concat(pieces)
  }

  /** @param chunk the first in the queue */
  #took(chunk: Buffer, written: number): void {
    this.#queue.shift()
    this.#size += written
    this.#waiting -= written
    this.#torn = written < chunk.length && (written > 0 ? chunk[written - 1] !== newline : this.#torn)
    if (written < chunk.length) this.#queue.unshift(chunk.subarray(written))
  }

  #fail(error: unknown): void {
    const code = systemCode(error)
    if (this.#place === undefined && code === 'EPIPE') {
      this.#gone = true
      this.#queue = []
      this.#waiting = 0
    } else if (code !== 'EAGAIN' && !this.#failing) {
      this.#failing = true
      this.#report.failed(this.name, messageOf(error))
    }
    if (this.#gone || this.#failing) for (const done of this.#whenIdle.splice(0)) done()
    if (this.#gone) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#pump()
      },
      code === 'EAGAIN' ? fullPipeMs : retryMs,
    ).unref()
  }

  #recovered(): void {
    this.#failing = false
    if (this.#untold === 0) return
    this.#report.lost(this.name, this.#untold)
    this.#untold = 0
  }
}

/** The length of the first line with its end. */
function firstLine(chunk: Buffer): number {
  const end = chunk.indexOf(newline) + 1
  return end === 0 ? chunk.length : end
}

const linesIn = (queue: readonly Buffer[]): number =>
  queue.reduce((sum, chunk) => {
    let lines = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) lines += 1
    return sum + lines
  }, 0)
