// What a restored server is told, and what its log says of how far it has come. Pure.
import type { RestoreTarget } from './restore-facts.ts'

// pg_controldata's words for what the server has to have at least as much of as the one whose log it replays (documentation,
// Hot Standby, Administrator's Overview).
const least: Readonly<Record<string, string>> = {
  max_connections: 'max_connections setting',
  max_worker_processes: 'max_worker_processes setting',
  max_wal_senders: 'max_wal_senders setting',
  max_prepared_transactions: 'max_prepared_xacts setting',
  max_locks_per_transaction: 'max_locks_per_xact setting',
}

/**
 * Settings of a restored cluster, for as long as nobody sets others.
 * @param control what pg_controldata(1) says of it
 * @param into the cluster's folder, in which its socket lies too
 */
export function serverSettings(
  control: string,
  { into, port }: { readonly into: string; readonly port: number },
): string {
  const known = Object.entries(least).flatMap(([name, words]) => {
    const [, value] = new RegExp(`^${words}: +(\\d+)$`, 'm').exec(control) ?? []
    return value === undefined ? [] : [`${name} = ${value}`]
  })
  return [
    '# Written by netops db restore: what the restored cluster listens on, what it must have for the log that it replays, and that',
    '# it does not write into the archive that it came from. Set up an archive of its own before it serves.',
    ...known,
    `port = ${port}`,
    "listen_addresses = '127.0.0.1'",
    // A socket's path has 107 bytes at most (unix(7)).
    `unix_socket_directories = '${into.length < 80 ? into : ''}'`,
    "archive_mode = 'off'",
    "primary_conninfo = ''",
    "primary_slot_name = ''",
    "synchronous_standby_names = ''",
    "logging_collector = 'off'",
    "log_destination = 'stderr'",
    "log_timezone = 'UTC'",
    "lc_messages = 'C'",
    "hot_standby = 'on'",
    '',
  ].join('\n')
}

/**
 * Settings for replaying the log up to a target.
 * @param folder where segments lie; a name that stands in a command of a shell as it is
 */
export const recoverySettings = (folder: string, target: RestoreTarget, promote: boolean): string =>
  [
    `restore_command = 'cp -- "${folder}/%f" "%p"'`,
    "recovery_target_timeline = 'latest'",
    ...(target.kind === 'latest'
      ? []
      : [
          // Read before the names of time zones are: with an offset.
          `recovery_target_time = '${target.at.replace('T', ' ').replace('Z', '+00')}'`,
          "recovery_target_inclusive = 'on'",
          `recovery_target_action = '${promote ? 'promote' : 'pause'}'`,
        ]),
    '',
  ].join('\n')

export interface ReplayOutcome {
  /** `promoted`: it takes writes. `paused`: it has reached the target, and waits to be looked at. */
  readonly state: 'promoted' | 'paused'
  /** When the last transaction was committed that was replayed; undefined where there was none, or it does not say. */
  readonly lastTransactionAt: string | undefined
  /** When the first was committed that was not. */
  readonly stoppedBefore: string | undefined
}

const time = '(\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?)\\+00'
const lastTime = new RegExp(`last completed transaction was at log time ${time}`)
const stopTime = new RegExp(`recovery stopping before (?:commit|abort) of transaction \\d+, time ${time}`)

/**
 * What a server's log says, in English and with times in UTC (PostgreSQL 15, xlogrecovery.c).
 * @returns undefined as long as it is still replaying
 */
export function outcomeIn(log: string): ReplayOutcome | undefined {
  const [lastTransactionAt, stoppedBefore] = [lastTime, stopTime].map((words) => {
    const found = words.exec(log)?.[1]
    return found === undefined ? undefined : `${found.replace(' ', 'T')}Z`
  })
  if (/pausing at the end of recovery/.test(log)) return { state: 'paused', lastTransactionAt, stoppedBefore }
  if (!/database system is ready to accept connections/.test(log)) return undefined
  return { state: 'promoted', lastTransactionAt, stoppedBefore }
}
