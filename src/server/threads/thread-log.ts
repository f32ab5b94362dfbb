// The log as a thread sees it: lines go to the main thread, which alone writes.
import type { Logger } from '../logs/logger.ts'
import { createThreadLog, type ThreadLog } from '../logs/thread.ts'
import type { FromStoreThread } from './messages.ts'

/** What the server logs with. */
export type EventLog = Pick<Logger, 'info' | 'warn' | 'error'>

/** What a thread's log is made with. */
export interface ThreadLogData {
  readonly release: string
  /** What is worth a line of the logs. */
  readonly wantedLogs: SharedArrayBuffer
  /** The number of a serving thread, which stands in its lines. */
  readonly index?: number
}

/** A thread's log; what waits in it is also handed over when something is thrown that nobody catches. */
export function threadLog(
  { release, wantedLogs, index }: ThreadLogData,
  tell: (message: FromStoreThread) => void,
): ThreadLog {
  const log = createThreadLog({
    ...{ release, wanted: wantedLogs },
    ...(index === undefined ? {} : { thread: index }),
    post: (batch) => tell({ kind: 'log', batch }),
  })
  process.on('uncaughtExceptionMonitor', () => log.flush())
  return log
}
