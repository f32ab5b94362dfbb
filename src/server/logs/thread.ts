// The log of a serving thread: lines are made here and handed over in batches; the main thread writes them.
import type { LogLevel } from '../../model/logging-config.ts'
import { accessLine, accessTail, type Access } from './access.ts'
import { wantedIn } from './levels.ts'
import { createLogger, type Logger } from './logger.ts'

/** What a thread hands over: plain data, fit for a message. */
export interface LogBatch {
  readonly server: readonly { readonly level: LogLevel; readonly line: string }[]
  /** Whole lines, one after the other. */
  readonly access: string
  readonly accessLines: number
  /** Lines that found no room since the last batch. */
  readonly lost: number
  /** As the thread counts it; taken off `inFlight` once the batch has been taken. */
  readonly size: number
  readonly inFlight: SharedArrayBuffer
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
// Lines wait while the main thread is busy; beyond this they are lost rather than let memory grow.
const mostWaiting = 4 * 2 ** 20

export function createThreadLog({ release, thread, wanted: buffer, post }: ThreadLogParts): ThreadLog {
  const wanted = wantedIn(buffer)
  const inFlight = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const flying = new Int32Array(inFlight)
  const tail = accessTail(release, thread)
  let server: { level: LogLevel; line: string }[] = []
  let [access, accessLines, size, lost] = ['', 0, 0, 0]
  let timer: NodeJS.Timeout | undefined

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (size === 0 && lost === 0) return
    Atomics.add(flying, 0, size)
    post({ server, access, accessLines, lost, size, inFlight })
    server = []
    ;[access, accessLines, size, lost] = ['', 0, 0, 0]
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
        access += line
        accessLines += 1
      }
      if (size >= batchSize) flush()
    },
    flush,
  }
}

/** Says that a batch was taken, so that its thread may hand over more. */
export function settleBatch({ size, inFlight }: LogBatch): void {
  Atomics.sub(new Int32Array(inFlight), 0, size)
}
