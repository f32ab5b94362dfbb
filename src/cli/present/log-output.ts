// Logs of several hosts as people and scripts get them: merged by time, or line by line as they come.
import { followHost, readLogs, type HostLog, type LogQuery } from '../../fleet/read-logs.ts'
import { locate, type NetopsError } from '../../model/errors.ts'
import type { Target } from '../../model/target.ts'
import { mergeByTime } from '../../procedures/logs/lines.ts'
import { describeLog } from '../../procedures/logs/source.ts'
import type { CommandContext } from '../command.ts'
import { errorField, errorLines } from './errors.ts'
import { HostLines } from './host-lines.ts'
import { readable } from './log-lines.ts'

/** Which lines of which hosts, and whether they are shown as the service wrote them. */
export interface LogView {
  readonly targets: readonly Target[]
  readonly query: LogQuery
  readonly raw: boolean
}

/** What became of it: for each host why it failed, if so, and what a document says. */
interface Shown {
  readonly errors: readonly (NetopsError | undefined)[]
  readonly data: Readonly<Record<string, unknown>>
}

/** Reads all logs to their ends, then shows them merged. */
export async function showLogs(view: LogView, context: CommandContext): Promise<Shown> {
  const read = await readLogs(view.targets, view.query, context)
  const merged = mergeByTime(read)
  if (!context.json) {
    const print = printer(view, context)
    for (const { host, line } of merged) await print(host, [line])
    for (const { host, dropped, error } of read) {
      if (dropped > 0) context.progress(`${host}: ${dropped} more lines before these; -n takes fewer`)
      if (error !== undefined) context.progress(errorLines(host, error).join('\n'))
    }
  }
  return { errors: read.map(({ error }) => error), data: { lines: merged, hosts: read.map(document) } }
}

const document = ({ host, source, lines, dropped, error }: HostLog) => ({
  host,
  ...(source && { source: describeLog(source) }),
  lines: lines.length,
  ...(dropped > 0 && { dropped }),
  ...errorField(error),
})

/** Passes lines on as they come, until Ctrl-C or until no host is left to follow. */
export async function followLogs(view: LogView, context: CommandContext): Promise<Shown> {
  const print = printer(view, context)
  const errors = await Promise.all(
    view.targets.map(async (target): Promise<NetopsError> => {
      try {
        return await followHost(target, view.query, (lines) => print(target.name, lines), context)
      } catch (thrown) {
        const error = locate(thrown, { host: target.name })
        if (error.code !== 'interrupted') context.progress(errorLines(target.name, error).join('\n'))
        return error
      }
    }),
  )
  return { errors, data: {} }
}

/** Prints lines of a host: readable, or as they are. */
function printer(
  { targets, raw }: LogView,
  { output: { stdout }, verbosity }: CommandContext,
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
