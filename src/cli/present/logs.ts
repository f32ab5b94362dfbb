// What people and scripts see of the logs of many hosts.
import type { Fleet } from '../../fleet/fleet.ts'
import type { HostLog } from '../../fleet/read-logs.ts'
import { joinOutcomes, type ErrorCode, type Outcome } from '../../model/errors.ts'
import { mergeByTime, type HostLine } from '../../procedures/logs/lines.ts'
import { describeLog } from '../../procedures/logs/source.ts'
import type { CommandContext, CommandResult } from '../command.ts'
import { errorLines, hostError } from './errors.ts'
import { HostLines } from './host-lines.ts'
import { readable } from './log-lines.ts'

/** Prints lines of a host: readable, or as they are. */
export function logPrinter(
  { targets }: Pick<Fleet, 'targets'>,
  raw: boolean,
  { output: { stdout }, verbosity }: Pick<CommandContext, 'output' | 'verbosity'>,
): (host: string, lines: readonly string[]) => Promise<void> {
  const out = new HostLines(
    stdout,
    targets.map(({ name }) => name),
  )
  const look = { verbosity, now: new Date() }
  return (host, lines) =>
    out.write(
      host,
      lines.map((line) => Buffer.from(raw ? line : readable(line, look))),
    )
}

export interface MergedLogs {
  readonly logs: readonly HostLog[]
  /** The lines of all hosts by time. */
  readonly lines: readonly HostLine[]
}

export const mergeLogs = (logs: readonly HostLog[]): MergedLogs => ({ logs, lines: mergeByTime(logs) })

/** Prints all logs merged, and what is to be said of their hosts. */
export async function printLogs(
  { logs, lines }: MergedLogs,
  print: ReturnType<typeof logPrinter>,
  progress: CommandContext['progress'],
): Promise<void> {
  for (const { host, line } of lines) await print(host, [line])
  for (const { host, dropped, error } of logs) {
    if (dropped > 0) progress(`${host}: ${dropped} more lines before these; -n takes fewer`)
    if (error !== undefined) progress(errorLines(host, error).join('\n'))
  }
}

export const logsResult = (
  { logs, lines: merged }: MergedLogs,
  context: Pick<CommandContext, 'signal'>,
): CommandResult => ({
  outcome: outcomeOf(
    logs.map(({ error }) => error?.code ?? 'done'),
    context,
  ),
  data: {
    lines: merged,
    hosts: logs.map(({ host, source, lines, dropped, error }) => ({
      host,
      ...(source && { source: describeLog(source) }),
      lines: lines.length,
      ...(dropped > 0 && { dropped }),
      ...hostError(error),
    })),
  },
  text: '',
})

/** The result where all lines were printed as they came. */
export const followedResult = (
  failures: readonly { readonly code: ErrorCode }[],
  context: Pick<CommandContext, 'signal'>,
): CommandResult => ({
  outcome: outcomeOf(
    failures.map(({ code }) => code),
    context,
  ),
  data: {},
  text: '',
})

const outcomeOf = (outcomes: readonly Outcome[], { signal }: Pick<CommandContext, 'signal'>): Outcome =>
  signal.aborted ? 'interrupted' : joinOutcomes(outcomes.map((outcome) => ({ outcome, changed: false })))
