// JSON lines to standard output and files, by the configuration. A reader that goes away or a full disk never stops the service.
import { mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { destination, multistream, pino, stdTimeFunctions, type Level, type Logger } from 'pino'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import type { LogLevel, ServerConfig } from '../model/server-config.ts'

export type { Logger }

/** Where log lines go, decided: one entry a stream. */
export type LogTarget =
  | { readonly kind: 'console'; readonly level: LogLevel }
  | { readonly kind: 'file'; readonly level: LogLevel; readonly path: string }

export interface LogSink {
  readonly logger: Logger
  /** Writes what is still in memory, for at most a second, and closes the files. */
  close(): Promise<void>
}

// Lines wait in memory while a disk or a pipe is slow; beyond this they are dropped rather than let memory grow.
const mostWaitingBytes = 4 * 2 ** 20
const closeTimeLimitMs = 1000

/**
 * Where a configuration wants its log: exactly its `outputs`, or the console; besides, its `file`. Outputs that this
 * release does not write to count for nothing, and where nothing else is left the console is used.
 */
export function logTargets({ logging }: ServerConfig): readonly LogTarget[] {
  const outputs = (logging.outputs ?? [{ type: 'console' as const }]).flatMap((output): readonly LogTarget[] => {
    const level = output.level ?? logging.level
    if (output.type === 'console') return [{ kind: 'console', level }]
    return output.type === 'file' ? [{ kind: 'file', level, path: output.path }] : []
  })
  const { file, level } = logging
  const known = outputs.some((target) => target.kind === 'file' && target.path === file)
  const targets = file === undefined || known ? outputs : [...outputs, { kind: 'file' as const, level, path: file }]
  return targets.length > 0 ? targets : [{ kind: 'console', level }]
}

/**
 * Opens the log.
 * @param release stands in every line
 * @throws NetopsError `failed` when a log file cannot be opened
 */
export function openLog(targets: readonly LogTarget[], release: string): LogSink {
  const streams = targets.map((target) => ({ level: levelOf(target.level), stream: openStream(target) }))
  const logger = pino(
    {
      level: 'trace', // each stream has its own level
      base: { release },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    },
    multistream(streams),
  )
  const lowest = Math.min(...streams.map(({ level }) => logger.levels.values[level] ?? 0))
  logger.level = logger.levels.labels[lowest] ?? 'trace'
  return {
    logger,
    async close() {
      await Promise.all(streams.map(({ stream }) => closed(stream)))
    },
  }
}

const levelOf = (level: LogLevel): Level => level.toLowerCase() as Lowercase<LogLevel>

type Destination = ReturnType<typeof destination>

function openStream(target: LogTarget): Destination {
  const name = target.kind === 'console' ? 'standard output' : target.path
  const stream = destination({
    dest: target.kind === 'console' ? 1 : openFile(target.path),
    sync: false,
    maxLength: mostWaitingBytes,
  })
  let reported = false
  stream.on('error', (error: unknown) => {
    // Its reader is gone, nobody misses these lines.
    if (systemCode(error) === 'EPIPE' || reported) return
    reported = true
    process.stderr.write(`network_server: cannot write the log to ${name}: ${messageOf(error)}\n`)
  })
  return stream
}

function openFile(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true })
    return openSync(path, 'a', 0o640)
  } catch (error) {
    throw new NetopsError('failed', { message: `cannot open the log file ${path}: ${messageOf(error)}`, cause: error })
  }
}

const closed = (stream: Destination): Promise<void> =>
  new Promise((resolve) => {
    const limit = setTimeout(resolve, closeTimeLimitMs)
    const done = () => {
      clearTimeout(limit)
      resolve()
    }
    stream.once('close', done)
    stream.once('finish', done)
    stream.once('error', done)
    stream.end()
  })
