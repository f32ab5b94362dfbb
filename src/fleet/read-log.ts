// Reads the service's log of one host, and passes on the lines that are asked for.
import { readerOf } from '../drivers/hosts/readers.ts'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { NetopsError } from '../model/errors.ts'
import type { Target } from '../model/target.ts'
import { parseLogLine } from '../procedures/logs/lines.ts'
import { findLog, readLog, type Excerpt, type LogSource } from '../procedures/logs/source.ts'
import { LineCutter } from '../system/line-cutter.ts'
import type { FleetContext } from './context.ts'

/** Which lines of a log are asked for, and where they go. */
export interface LogReading {
  readonly target: Target
  readonly excerpt: Excerpt
  /** Only lines that hold this text. */
  readonly grep: string | undefined
  readonly take: (lines: readonly string[]) => Promise<void>
  readonly isNew?: (line: string) => boolean
}

/** A log that was read to the end of the command that prints it. */
export interface ReadLog {
  readonly source: LogSource
  readonly code: number
  /** The last lines of what the command complained of. */
  readonly complaints: string
}

export async function readLogOn(
  connection: HostConnection,
  { excerpt, grep, take, target, isNew }: LogReading,
  context: Pick<FleetContext, 'signal' | 'progress'>,
): Promise<ReadLog> {
  const source = await findLog(readerOf(connection), target.root)
  // The lines of one moment stand in a row: those without a time belong to the one before them.
  let inTime = excerpt.since === undefined || source.kind === 'journal'
  const wanted = (line: string): boolean => {
    const ms = parseLogLine(line)?.ms
    if (ms !== undefined) inTime = excerpt.since === undefined || ms >= excerpt.since
    return inTime && (isNew?.(line) ?? true) && (grep === undefined || line.includes(grep))
  }
  const [cutter, complaintCutter] = [new LineCutter(), new LineCutter()]
  const complaints: string[] = []
  const text = (lines: readonly Uint8Array[]) => lines.map((line) => Buffer.from(line).toString('utf8'))
  const { code } = await connection.run(readLog(source, excerpt), {
    signal: context.signal,
    onOutput: (bytes, stream) => {
      if (stream === 'stdout') return take(text(cutter.push(bytes)).filter(wanted))
      for (const line of text(complaintCutter.push(bytes))) {
        complaints.push(line)
        // tail tells here that a file was replaced, or is not there yet.
        if (excerpt.follow) context.progress(`${target.name}: ${line}`)
      }
      return undefined
    },
  })
  await take(text(cutter.end()).filter(wanted))
  return { source, code, complaints: [...complaints, ...text(complaintCutter.end())].slice(-5).join('\n') }
}

/** Why a log could not be read to its end. */
export function unreadableLog({ name }: Target, { source, complaints }: ReadLog): NetopsError {
  const what = source.kind === 'journal' ? 'the journal' : source.path
  return new NetopsError('failed', {
    host: name,
    message: `cannot read ${what}: ${complaints.trim()}`,
    hint: /No such file/.test(complaints)
      ? 'nothing has been logged there yet; netops status tells what is in service'
      : undefined,
  })
}
