// The log as a serving thread sees it: lines go to the main thread, which alone writes.
import type { FromStoreThread, LogWord } from './messages.ts'

/** What the server logs with; pino's loggers are such ones too. */
export interface EventLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export function threadLog(tell: (message: FromStoreThread) => void): EventLog {
  const word = (name: LogWord) => (fields: object, message: string) =>
    tell({ kind: 'log', word: name, fields: plain(fields), message })
  return { info: word('info'), warn: word('warn'), error: word('error') }
}

/** Errors lose what they are on the way to another thread, but for name, message and stack. */
function plain(fields: object): Readonly<Record<string, unknown>> {
  const entries = Object.entries(fields).map(([name, value]: [string, unknown]) => [
    name,
    value instanceof Error ? { type: value.name, message: value.message, stack: value.stack } : value,
  ])
  return Object.fromEntries(entries) as Readonly<Record<string, unknown>>
}
