// The service's logs of all chosen hosts: read to their ends, or followed.
import { locate, type NetopsError } from '../model/errors.ts'
import { LastLines } from '../procedures/logs/lines.ts'
import type { Excerpt, LogSource } from '../procedures/logs/source.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { followLog } from './follow-log.ts'
import { onEachHost } from './pool.ts'
import { readLogOn, unreadableLog } from './read-log.ts'

const atOnce = 50
// As many as `logs --lines` takes.
const mostLines = 100_000
const mostBytes = 8 * 2 ** 20

export interface LogSelection {
  readonly excerpt: Excerpt
  readonly grep: string | undefined
}

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
  { excerpt, grep }: LogSelection,
  { targets }: Pick<Fleet, 'targets'>,
  context: FleetContext,
): Promise<readonly HostLog[]> {
  const answers = await onEachHost(
    {
      targets,
      atOnce,
      work: async (connection, target): Promise<HostLog> => {
        const kept = new LastLines({ lines: mostLines, bytes: mostBytes })
        const take = (lines: readonly string[]): Promise<void> => {
          for (const line of lines) kept.push(line)
          return Promise.resolve()
        }
        const read = await readLogOn(connection, { excerpt, grep, target, take }, context)
        const error = read.code === 0 ? undefined : unreadableLog(target, read)
        return { host: target.name, source: read.source, lines: kept.lines(), dropped: kept.dropped, error }
      },
    },
    context,
  )
  return answers.map(({ host, value, error }) => value ?? { host, source: undefined, lines: [], dropped: 0, error })
}

/** Where what is followed goes. */
export interface LogFollower {
  readonly lines: (host: string, lines: readonly string[]) => Promise<void>
  /** Hears of a host that is followed no longer, unless that is by Ctrl-C. */
  readonly lost: (host: string, error: NetopsError) => void
}

/** Passes lines on as they come, until Ctrl-C or until no host is left to follow; returns why each host was left. */
export const followLogs = (
  { excerpt, grep }: LogSelection,
  { targets }: Pick<Fleet, 'targets'>,
  follower: LogFollower,
  context: FleetContext,
): Promise<readonly NetopsError[]> =>
  Promise.all(
    targets.map(async (target): Promise<NetopsError> => {
      const host = target.name
      const take = (lines: readonly string[]) => follower.lines(host, lines)
      try {
        return await followLog(
          {
            target,
            excerpt,
            read: async (connection, wanted, isNew) => {
              const read = await readLogOn(connection, { excerpt: wanted, grep, target, take, isNew }, context)
              if (read.code > 0 && read.code < 128) throw unreadableLog(target, read)
              return read.code
            },
          },
          context,
        )
      } catch (thrown) {
        const error = locate(thrown, { host })
        if (error.code !== 'interrupted') follower.lost(host, error)
        return error
      }
    }),
  )
