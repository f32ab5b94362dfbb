// The service's log from hosts: read to its end, or followed.
import type { HostConnection } from '../drivers/hosts/port.ts'
import { readerOf } from '../drivers/hosts/readers.ts'
import { NetopsError } from '../model/errors.ts'
import type { Target } from '../model/target.ts'
import { LastLines, parseLogLine } from '../procedures/logs/lines.ts'
import { findLog, readLog, type Excerpt, type LogSource } from '../procedures/logs/source.ts'
import { TooMuch } from '../system/bounded.ts'
import { mostComplaints, type OutputStream } from '../system/exec.ts'
import { LineCutter } from '../system/line-cutter.ts'
import type { FleetContext } from './context.ts'
import { followLog } from './follow-log.ts'
import { onEachHost } from './pool.ts'

const atOnce = 50
// Of one host.
const mostLines = 100_000
const mostBytes = 8 * 2 ** 20

/** Which lines are asked for. */
export interface LogQuery {
  readonly excerpt: Excerpt
  /** Only lines that hold this text. */
  readonly grep?: string | undefined
}

/** The log of one host. */
export interface HostLog {
  readonly host: string
  readonly source: LogSource | undefined
  readonly lines: readonly string[]
  /** Lines that are missing before these: there were too many. */
  readonly dropped: number
  readonly error: NetopsError | undefined
}

/** Reads all logs to their ends. */
export async function readLogs(
  targets: readonly Target[],
  query: LogQuery,
  context: FleetContext,
): Promise<readonly HostLog[]> {
  const answers = await onEachHost<HostLog>(
    {
      targets,
      atOnce,
      work: async (connection, target) => {
        const kept = new LastLines({ lines: mostLines, bytes: mostBytes })
        const take = (lines: readonly string[]): Promise<void> => {
          for (const line of lines) kept.push(line)
          return Promise.resolve()
        }
        const { source, code, complaint } = await readOn(connection, { ...query, target, take }, context)
        const error = code === 0 ? undefined : unreadable(target, source, complaint)
        return { host: target.name, source, lines: kept.lines(), dropped: kept.dropped, error }
      },
    },
    context,
  )
  return answers.map(({ host, value, error }) => value ?? { host, source: undefined, lines: [], dropped: 0, error })
}

/**
 * Passes the lines of one host on as they come, until Ctrl-C.
 * @throws NetopsError `interrupted` then, or why the log cannot be followed any more
 */
export const followHost = (
  target: Target,
  query: LogQuery,
  take: LogReading['take'],
  context: FleetContext,
): Promise<never> =>
  followLog(
    {
      target,
      excerpt: query.excerpt,
      read: async (connection, excerpt, isNew) => {
        const reading = { ...query, excerpt, target, take, isNew }
        const { source, code, complaint } = await readOn(connection, reading, context)
        if (code > 0 && code < 128) throw unreadable(target, source, complaint)
        return code
      },
    },
    context,
  )

function unreadable({ name }: Target, source: LogSource, complaint: string): NetopsError {
  const what = source.kind === 'journal' ? 'the journal' : source.path
  return new NetopsError('failed', {
    host: name,
    message: `cannot read ${what}: ${complaint.trim()}`,
    hint: /No such file/.test(complaint)
      ? 'nothing has been logged there yet; netops status tells what is in service'
      : undefined,
  })
}

const fewLines = 5
const newline = 0x0a
// No service writes such a line, and no reader such complaints; journalctl says when the journal was rotated.
const longestLine = 16 * 2 ** 20
const linesBeside = 1000

/** What a host may send where its log is asked for: lines, and only as many as were asked for. */
class LogBound {
  readonly #what: string
  readonly #most: number
  #line = 0
  #lines = 0
  #complaints = 0

  constructor(host: string, { lines, follow }: Excerpt) {
    this.#what = `the log of ${host}`
    this.#most = follow ? Infinity : lines + linesBeside
  }

  /** @throws NetopsError `failed` for what is no log any more */
  count(bytes: Uint8Array, stream: OutputStream): void {
    if (stream === 'stderr') this.#complaints += bytes.length
    else {
      const end = bytes.lastIndexOf(newline)
      this.#line = end < 0 ? this.#line + bytes.length : bytes.length - end - 1
      for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, at + 1)) this.#lines += 1
    }
    if (this.#line > longestLine) throw new TooMuch(`${this.#what}, a line`, longestLine, this.#line)
    if (this.#complaints > mostComplaints)
      throw new TooMuch(`${this.#what}, complaints`, mostComplaints, this.#complaints)
    if (this.#lines <= this.#most) return
    const message = `${this.#what}: expected at most ${this.#most} lines; it was cut off when ${this.#lines} had come`
    throw new NetopsError('failed', { message })
  }
}

interface LogReading extends LogQuery {
  readonly target: Target
  readonly take: (lines: readonly string[]) => Promise<void>
  readonly isNew?: (line: string) => boolean
}

/** Reads one host's log to the end of the command that prints it, and passes on the lines that are asked for. */
async function readOn(connection: HostConnection, reading: LogReading, context: FleetContext) {
  const { excerpt, grep, take, target, isNew } = reading
  const source = await findLog(readerOf(connection), target.root)
  // The lines of one moment stand in a row: those without a time belong to the one before them.
  let inTime = excerpt.since === undefined || source.kind === 'journal'
  const wanted = (line: string): boolean => {
    const ms = parseLogLine(line)?.ms
    if (ms !== undefined) inTime = excerpt.since === undefined || ms >= excerpt.since
    return inTime && (isNew?.(line) ?? true) && (grep === undefined || line.includes(grep))
  }
  const [cutter, complaints] = [new LineCutter(), new LineCutter()]
  const bound = new LogBound(target.name, excerpt)
  let complained: readonly string[] = []
  const text = (lines: readonly Uint8Array[]) => lines.map((line) => Buffer.from(line).toString('utf8'))
  const { code } = await connection.run(readLog(source, excerpt), {
    signal: context.signal,
    onOutput: (bytes, stream) => {
      bound.count(bytes, stream)
      if (stream === 'stdout') return take(text(cutter.push(bytes)).filter(wanted))
      for (const line of text(complaints.push(bytes))) {
        complained = [...complained, line].slice(-fewLines)
        // tail tells here that a file was replaced, or is not there yet.
        if (excerpt.follow) context.progress(`${target.name}: ${line}`)
      }
      return undefined
    },
  })
  await take(text(cutter.end()).filter(wanted))
  return { source, code, complaint: [...complained, ...text(complaints.end())].slice(-fewLines).join('\n') }
}
