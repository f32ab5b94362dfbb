// All logs of the process: the main thread takes the lines of every thread, and it alone writes them.
import { logLevels, type LogLevel } from '../../model/logging-config.ts'
import { openConsole, openFile } from './file-output.ts'
import { rankOf, wantedBuffer, wantedIn } from './levels.ts'
import { createLogger, type Logger } from './logger.ts'
import type { Output, OutputStats, Report } from './output.ts'
import { openSyslog } from './syslog-output.ts'
import type { LogTarget } from './targets.ts'
import { linesOf, settleBatch, type LogBatch } from './thread.ts'

export interface LogStats {
  /** Lines of the server log by level. */
  readonly lines: Readonly<Record<LogLevel, number>>
  readonly accessLines: number
  /** Lines that found no room in their thread. */
  readonly lostInThreads: number
  readonly outputs: readonly OutputStats[]
}

export interface LogHub {
  /** For the main thread itself. */
  readonly logger: Logger
  /** What every thread's log is made with. */
  readonly wanted: SharedArrayBuffer
  /** Whether whoever started the service sees its lines. */
  readonly hasConsole: boolean
  /** Takes what a thread hands over. */
  readonly take: (batch: LogBatch) => void
  /** Has every file opened anew by its name, between two lines. */
  reopen(): void
  /**
   * Takes over the levels of a configuration that was read again.
   * @returns false when it wants other outputs, which needs a restart; nothing is changed then
   */
  setLevels(targets: readonly LogTarget[]): boolean
  stats(): LogStats
  /** Writes what is still in memory, for at most two seconds, and closes the files. */
  close(): Promise<void>
}

interface Route {
  readonly of: 'server' | 'access'
  rank: number
  readonly output: Output
}

const tidyMs = 3_600_000
// Under a full disk each lost line would be a line of its own.
const tellLossMs = 1000

/**
 * Opens all logs.
 * @param release stands in every line
 * @throws NetopsError `failed` when a log file that the configuration names for the server log cannot be opened
 */
export function openLogs(targets: readonly LogTarget[], release: string): LogHub {
  const buffer = wantedBuffer()
  const wanted = wantedIn(buffer)
  const lines: Record<LogLevel, number> = { TRACE: 0, DEBUG: 0, INFO: 0, WARN: 0, ERROR: 0, FATAL: 0 }
  let [accessLines, lostInThreads] = [0, 0]
  const losses = new Map<string, number>()
  let lossTimer: NodeJS.Timeout | undefined

  const tellLosses = () => {
    clearTimeout(lossTimer)
    lossTimer = undefined
    const told = [...losses]
    losses.clear()
    for (const [log, count] of told) logger.warn({ log, lines: count }, `${count} lines of a log were lost: ${log}`)
  }
  const report: Report = {
    failed(log, reason) {
      process.stderr.write(`network_server: cannot write the log to ${log}: ${reason}\n`)
      // Later: it may come from within the writing of a line.
      setImmediate(() => logger.error({ log, reason }, `cannot write the log to ${log}: ${reason}`))
    },
    lost(log, count) {
      losses.set(log, (losses.get(log) ?? 0) + count)
      lossTimer ??= setTimeout(tellLosses, tellLossMs).unref()
    },
  }
  const write = (level: LogLevel, line: string) => {
    lines[level] += 1
    for (const { of, rank, output } of routes)
      if (of === 'server' && rankOf[level] >= rank) output.append(line, 1, level)
  }
  const logger = createLogger({ release, lowest: wanted.lowest, write })
  const routes: Route[] = []
  for (const target of targets)
    routes.push({ of: target.of, rank: rankOf[target.level], output: openOutput(target, report) })
  const settle = () => {
    const ranks = routes.flatMap(({ of, rank }) => (of === 'server' ? [rank] : []))
    wanted.set(
      Math.min(logLevels.length, ...ranks),
      routes.some(({ of }) => of === 'access'),
    )
  }
  settle()

  const flushNow = () => {
    for (const { output } of routes) output.flushNow()
  }
  // The last chance of a process that ends by itself, also by an error that nobody caught.
  process.on('exit', flushNow)
  const tidying = setInterval(() => {
    for (const { output } of routes) output.tidy()
  }, tidyMs).unref()

  return {
    logger,
    wanted: buffer,
    hasConsole: targets.some(({ kind }) => kind === 'console'),
    take(batch) {
      for (const { level, line } of batch.server) if (rankOf[level] >= wanted.lowest()) write(level, line)
      if (batch.access !== undefined) {
        accessLines += batch.accessLines
        const lines = linesOf(batch.access)
        for (const { of, output } of routes) if (of === 'access') output.append(lines, batch.accessLines, 'INFO')
      }
      if (batch.lost > 0) {
        lostInThreads += batch.lost
        report.lost('a serving thread had more to say than could be written', batch.lost)
      }
      settleBatch(batch)
    },
    reopen() {
      for (const { output } of routes) output.reopen()
    },
    setLevels(next) {
      if (next.length !== targets.length || next.some((target, index) => !isSame(target, targets[index]))) return false
      for (const [index, { level }] of next.entries()) {
        const route = routes[index]
        if (route !== undefined) route.rank = rankOf[level]
      }
      settle()
      return true
    },
    stats() {
      const outputs = routes.map(({ output }) => output.stats())
      return { lines: { ...lines }, accessLines, lostInThreads, outputs }
    },
    async close() {
      tellLosses()
      clearInterval(tidying)
      await Promise.all(routes.map(({ output }) => output.close()))
      process.off('exit', flushNow)
    },
  }
}

function openOutput(target: LogTarget, report: Report): Output {
  switch (target.kind) {
    case 'console':
      return openConsole(report)
    case 'file':
      return openFile(target, report)
    case 'syslog':
      return openSyslog(target.address, target.facility, report)
  }
}

const isSame = (one: LogTarget, other: LogTarget | undefined): boolean =>
  JSON.stringify({ ...one, level: '' }) === JSON.stringify({ ...other, level: '' })
