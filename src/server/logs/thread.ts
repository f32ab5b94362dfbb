// The log of a serving thread: lines are made here and handed over in batches; the main thread writes them.
import type { LogLevel } from '../../model/logging-config.ts'
import { accessLine, accessTail, type Access } from './access.ts'
import { wantedIn } from './levels.ts'
import { createLogger, type Logger } from './logger.ts'

/** What a thread hands over: plain data, fit for a message. */
export interface LogBatch {
  readonly server: readonly { readonly level: LogLevel; readonly line: string }[]
  /** Whole lines, one after the other; undefined where there are none. */
  readonly access: LinePage | undefined
  readonly accessLines: number
  /** Lines that found no room since the last batch. */
  readonly lost: number
  /** As the thread counts it; taken off `inFlight` once the batch has been taken. */
  readonly size: number
  readonly inFlight: SharedArrayBuffer
}

/** Memory that lines are handed over in; the thread takes it for others when they have been taken. */
export interface LinePage {
  /** The lines in UTF-8, from its beginning. */
  readonly bytes: SharedArrayBuffer
  readonly filled: number
  /** 1 while it is handed over. */
  readonly away: SharedArrayBuffer
}

export interface ThreadLog {
  readonly logger: Logger
  /** Whether anybody wants requests logged. */
  readonly logsAccess: () => boolean
  readonly access: (entry: Access) => void
  /** Hands over what waits; the last thing that a thread does before it says that it is done. */
  flush(): void
}

export interface ThreadLogParts {
  readonly release: string
  /** Its number; absent for lines of the main thread. */
  readonly thread?: number
  /** The hub's `wanted`. */
  readonly wanted: SharedArrayBuffer
  readonly post: (batch: LogBatch) => void
}

// Long enough to make one message of many lines, short enough that nobody who watches a log sees it.
const batchMs = 10
const batchSize = 65_536
// A character takes three bytes at most (two of a pair take four).
const widest = 3
// Lines wait while the main thread is busy; beyond this they are lost rather than let memory grow.
const mostWaiting = 4 * 2 ** 20

export function createThreadLog({ release, thread, wanted: buffer, post }: ThreadLogParts): ThreadLog {
  const wanted = wantedIn(buffer)
  const inFlight = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const flying = new Int32Array(inFlight)
  const tail = accessTail(release, thread)
  let server: { level: LogLevel; line: string }[] = []
  let [accessLines, size, lost] = [0, 0, 0]
  const pages = createPages()
  let timer: NodeJS.Timeout | undefined

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (size === 0 && lost === 0) return
    Atomics.add(flying, 0, size)
    post({ server, access: pages.handOver(), accessLines, lost, size, inFlight })
    server = []
    ;[accessLines, size, lost] = [0, 0, 0]
  }
  /** Whether there is room for a line. */
  const admit = (length: number): boolean => {
    const fits = size + length + Atomics.load(flying, 0) <= mostWaiting
    if (fits) size += length
    else lost += 1
    timer ??= setTimeout(flush, batchMs).unref()
    return fits
  }
  return {
    logger: createLogger({
      release,
      ...(thread === undefined ? {} : { thread }),
      lowest: wanted.lowest,
      write(level, line) {
        if (admit(line.length)) server.push({ level, line })
        // Whoever logs this may be about to end.
        if (size >= batchSize || level === 'FATAL') flush()
      },
    }),
    logsAccess: wanted.access,
    access(entry) {
      const line = accessLine(entry, tail)
      if (admit(line.length)) {
        if (!pages.fits(line)) flush()
        pages.add(line)
        accessLines += 1
      }
      if (size >= batchSize) flush()
    },
    flush,
  }
}

interface Pages {
  /** Whether a line has room beside those that wait. */
  readonly fits: (line: string) => boolean
  readonly add: (line: string) => void
  /** What waits, which is the taker's until the batch is settled. */
  readonly handOver: () => LinePage | undefined
}

/** The same pages again and again: memory that was never used before costs more than the lines that come into it. */
function createPages(): Pages {
  const all: { readonly bytes: Buffer<SharedArrayBuffer>; readonly away: Int32Array<SharedArrayBuffer> }[] = []
  let page: (typeof all)[number] | undefined
  let filled = 0
  const free = () => {
    const found = all.find(({ away }) => Atomics.load(away, 0) === 0)
    if (found !== undefined) return found
    const away = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const made = { bytes: Buffer.from(new SharedArrayBuffer(batchSize)), away }
    all.push(made)
    return made
  }
  return {
    fits: (line) => filled + line.length * widest <= batchSize,
    add(line) {
      page ??= free()
      filled += page.bytes.write(line, filled)
    },
    handOver() {
      if (page === undefined) return undefined
      const { bytes, away } = page
      Atomics.store(away, 0, 1)
      const handed = { bytes: bytes.buffer, filled, away: away.buffer }
      page = undefined
      filled = 0
      return handed
    },
  }
}

/** A copy of the lines of a batch. */
export const linesOf = ({ bytes, filled }: LinePage): Buffer => Buffer.from(new Uint8Array(bytes, 0, filled))

/** Says that a batch was taken, so that its thread may hand over more. */
export function settleBatch({ size, inFlight, access }: LogBatch): void {
  if (access !== undefined) Atomics.store(new Int32Array(access.away), 0, 0)
  Atomics.sub(new Int32Array(inFlight), 0, size)
}
