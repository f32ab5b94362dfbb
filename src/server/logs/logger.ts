// What the code logs with, in every thread: a level, fields, a sentence. Lines are JSON, one a line.
import { logLevels, type LogLevel } from '../../model/logging-config.ts'
import { messageOf } from '../../model/errors.ts'
import { rankOf } from './levels.ts'
import { safeFields, safeText } from './redact.ts'

export interface LogMethod {
  (message: string): void
  (fields: object, message: string): void
}

/** A logger never throws, whatever it is given. */
export type Logger = Readonly<Record<Lowercase<LogLevel>, LogMethod>>

export interface LoggerParts {
  /** Stands in every line. */
  readonly release: string
  /** Stands in the lines of a serving thread. */
  readonly thread?: number
  /** The lowest rank that is logged now. */
  readonly lowest: () => number
  /** Takes a whole line with its end. */
  readonly write: (level: LogLevel, line: string) => void
}

const reserved = ['level', 'time', 'release', 'thread', 'msg']

/** A logger whose lines go to `write`. */
export function createLogger({ release, thread, lowest, write }: LoggerParts): Logger {
  const of = (level: LogLevel): LogMethod => {
    const rank = rankOf[level]
    return (first: object | string, second?: string) => {
      if (rank < lowest()) return
      const head = { level, time: new Date().toISOString(), release, ...(thread === undefined ? {} : { thread }) }
      const [fields, message] = typeof first === 'string' ? [{}, first] : [first, second ?? '']
      write(level, lineOf(head, fields, message))
    }
  }
  return Object.fromEntries(logLevels.map((level) => [level.toLowerCase(), of(level)])) as unknown as Logger
}

function lineOf(head: object, fields: object, message: string): string {
  const msg = safeText(message)
  try {
    return `${JSON.stringify({ ...head, ...safeFields(fields, 0, reserved), msg })}\n`
  } catch (error) {
    // A getter of a field throws, for one: the sentence is worth more than its fields.
    return `${JSON.stringify({ ...head, unreadable: safeText(messageOf(error)), msg })}\n`
  }
}
