// netops logs: the service's log from every chosen host, merged.
import * as z from 'zod'
import type { HostConnection } from '../../drivers/hosts/port.ts'
import { joinOutcomes, locate, NetopsError, type Outcome } from '../../model/errors.ts'
import { duration } from '../../model/units.ts'
import { defineCommand, type CommandContext, type CommandResult } from '../command.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import type { Target } from '../../model/target.ts'

import type { Excerpt, LogSource } from '../../procedures/logs/source.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

const atOnce = 50
const defaultLines = { plain: 100, searched: 10_000 }
const mostLines = 100_000
const mostBytes = 8 * 2 ** 20

const own = {
  follow: z.boolean().default(false),
  lines: z.coerce.number<string>().int().min(0).max(mostLines).optional(),
  since: z.string().optional(),
  grep: z.string().min(1, 'expected a text').optional(),
  raw: z.boolean().default(false),
}

export const logs = defineCommand({
  name: 'logs',
  summary:
    "Show the service's log of every chosen host, merged by time. It is read from the journal (journalctl -u " +
    'network_service), below a root from var/log/network/service.out; where the configuration in place sends nothing ' +
    'to the console, from its log file',
  examples: [
    'netops logs',
    'netops logs -f --group edge  # until Ctrl-C, exit 130',
    'netops logs --since 10m --grep ERROR',
    "netops logs --since 2026-11-23T10:00 --json | jq -r '.lines[].line'",
  ],
  options: [
    ...fleetOptions,
    { ...rootOption, description: 'the log of the service below DIR on this machine' },
    { flags: '-f, --follow', description: 'go on as lines come; a lost connection is made again' },
    {
      flags: '-n, --lines <lines>',
      description: `so many of the newest lines of each host (default: ${defaultLines.plain}; of ${defaultLines.searched} with --since or --grep)`,
    },
    { flags: '--since <time>', description: 'only lines since then: 10m, 2h, 2026-11-23T10:00 (here), ...Z' },
    { flags: '--grep <text>', description: 'of these only lines that hold this text' },
    { flags: '--raw', description: 'the lines as the service wrote them' },
  ],
  streams: true,
  async run({ options }, context) {
    const { readFleet } = await import('../../fleet/fleet.ts')
    const wish = parseOptions(fleetSchema.extend(own), options)
    if (wish.follow && context.json) {
      throw new NetopsError('usage', {
        message: 'a log that is followed has no end, so it makes no document',
        hint: 'leave out -f, or take --raw instead of --json',
      })
    }
    const since = wish.since === undefined ? undefined : parseSince(wish.since, new Date())
    const searched = since !== undefined || wish.grep !== undefined
    const lines = wish.lines ?? (searched ? defaultLines.searched : defaultLines.plain)
    const fleet = await readFleet(wish, context)
    const order: Order = { ...wish, fleet, excerpt: { lines, since, follow: wish.follow } }
    return wish.follow ? follow(order, context) : show(order, context)
  },
})

/**
 * `10m` ago, or a moment; without a zone it is this machine's.
 * @throws NetopsError `usage` for anything else
 */
export function parseSince(text: string, now: Date): number {
  const ago = duration.safeParse(text)
  if (ago.success) return now.getTime() - ago.data
  // A day alone would be read as UTC, and with a time as here: here in both cases.
  const at = /^\d{4}-/.test(text) ? Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text) : Number.NaN
  if (!Number.isNaN(at)) return at
  throw new NetopsError('usage', {
    message: `--since: '${text}' is no time`,
    hint: 'give how long ago (10m, 2h, 1d) or a moment (2026-11-23, 2026-11-23T10:00, 2026-11-23T09:00:00Z)',
  })
}

interface Order {
  readonly fleet: Fleet
  readonly excerpt: Excerpt
  readonly grep?: string | undefined
  readonly raw: boolean
}

interface Log {
  readonly host: string
  readonly source: LogSource | undefined
  readonly lines: readonly string[]
  /** Lines that are missing before these: there were too many. */
  readonly dropped: number
  readonly error: NetopsError | undefined
}

/** Reads all logs to their ends, then shows them merged. */
async function show(order: Order, context: CommandContext): Promise<CommandResult> {
  const { onEachHost } = await import('../../fleet/pool.ts')
  const { LastLines, mergeByTime } = await import('../../procedures/logs/lines.ts')
  const { describeLog } = await import('../../procedures/logs/source.ts')
  const { targets } = order.fleet
  const answers = await onEachHost<Log>(
    {
      targets,
      atOnce,
      work: async (connection, target) => {
        const kept = new LastLines({ lines: mostLines, bytes: mostBytes })
        const take = (lines: readonly string[]): Promise<void> => {
          for (const line of lines) kept.push(line)
          return Promise.resolve()
        }
        const { source, code, said } = await readOn(connection, { ...order, target, take }, context)
        const error = code === 0 ? undefined : unreadable(target, source, said)
        return { host: target.name, source, lines: kept.lines(), dropped: kept.dropped, error }
      },
    },
    context,
  )
  const read = answers.map(
    ({ host, value, error }): Log => value ?? { host, source: undefined, lines: [], dropped: 0, error },
  )
  const merged = mergeByTime(read)
  if (!context.json) {
    const print = await printer(order, context)
    for (const { host, line } of merged) await print(host, [line])
    for (const { host, dropped, error } of read) {
      if (dropped > 0) context.progress(`${host}: ${dropped} more lines before these; -n takes fewer`)
      if (error !== undefined) tell(host, error, context)
    }
  }
  const outcomes = read.map(({ error }): { outcome: Outcome; changed: false } => ({
    outcome: error?.code ?? 'done',
    changed: false,
  }))
  return {
    outcome: context.signal.aborted ? 'interrupted' : joinOutcomes(outcomes),
    data: {
      lines: merged,
      hosts: read.map(({ host, source, lines, dropped, error }) => ({
        host,
        ...(source && { source: describeLog(source) }),
        lines: lines.length,
        ...(dropped > 0 && { dropped }),
        ...(error && { error: { code: error.code, message: error.message, hint: error.hint } }),
      })),
    },
    text: '',
  }
}

/** Passes lines on as they come, until Ctrl-C or until no host is left to follow. */
async function follow(order: Order, context: CommandContext): Promise<CommandResult> {
  const { followLog } = await import('../../fleet/follow-log.ts')
  const print = await printer(order, context)
  const failures = await Promise.all(
    order.fleet.targets.map(async (target): Promise<NetopsError> => {
      const take = (lines: readonly string[]) => print(target.name, lines)
      try {
        return await followLog(
          {
            target,
            excerpt: order.excerpt,
            read: async (connection, excerpt, isNew) => {
              const { source, code, said } = await readOn(
                connection,
                { ...order, excerpt, target, take, isNew },
                context,
              )
              if (code > 0 && code < 128) throw unreadable(target, source, said)
              return code
            },
          },
          context,
        )
      } catch (thrown) {
        const error = locate(thrown, { host: target.name })
        if (error.code !== 'interrupted') tell(target.name, error, context)
        return error
      }
    }),
  )
  return {
    outcome: context.signal.aborted
      ? 'interrupted'
      : joinOutcomes(failures.map(({ code }) => ({ outcome: code, changed: false }))),
    data: {},
    text: '',
  }
}

const tell = (host: string, { message, hint }: NetopsError, { progress }: CommandContext): void =>
  progress(`${host}: ${message}${hint === undefined ? '' : `\n  hint: ${hint}`}`)

function unreadable({ name }: Target, source: LogSource, said: string): NetopsError {
  const what = source.kind === 'journal' ? 'the journal' : source.path
  return new NetopsError('failed', {
    host: name,
    message: `cannot read ${what}: ${said.trim()}`,
    hint: /No such file/.test(said)
      ? 'nothing has been logged there yet; netops status tells what is in service'
      : undefined,
  })
}

interface Reading extends Order {
  readonly target: Target
  readonly take: (lines: readonly string[]) => Promise<void>
  readonly isNew?: (line: string) => boolean
}

/** Reads one host's log to the end of the command that prints it, and passes on the lines that are asked for. */
async function readOn(connection: HostConnection, reading: Reading, context: CommandContext) {
  const { LineCutter } = await import('../present/host-lines.ts')
  const { parseLogLine } = await import('../../procedures/logs/lines.ts')
  const { findLog, readLog } = await import('../../procedures/logs/source.ts')
  const { readerOf } = await import('../../drivers/hosts/readers.ts')
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
  const said: string[] = []
  const text = (lines: readonly Uint8Array[]) => lines.map((line) => Buffer.from(line).toString('utf8'))
  const { code } = await connection.run(readLog(source, excerpt), {
    signal: context.signal,
    onOutput: (bytes, stream) => {
      if (stream === 'stdout') return take(text(cutter.push(bytes)).filter(wanted))
      for (const line of text(complaints.push(bytes))) {
        said.push(line)
        // tail tells here that a file was replaced, or is not there yet.
        if (excerpt.follow) context.progress(`${target.name}: ${line}`)
      }
      return undefined
    },
  })
  await take(text(cutter.end()).filter(wanted))
  return { source, code, said: [...said, ...text(complaints.end())].slice(-5).join('\n') }
}

/** Prints lines of a host: readable, or as they are. */
async function printer(
  { fleet, raw }: Order,
  { output: { stdout }, verbosity }: CommandContext,
): Promise<(host: string, lines: readonly string[]) => Promise<void>> {
  const { HostLines } = await import('../present/host-lines.ts')
  const { readable } = await import('../present/log-lines.ts')
  const names = fleet.targets.map(({ name }) => name)
  const out = new HostLines(stdout, names)
  const look = { verbosity, now: new Date() }
  return (host, lines) =>
    out.write(
      host,
      lines.map((line) => Buffer.from(raw ? line : readable(line, look))),
    )
}
