// The words of PostgreSQL's own programs that receive and keep its log. Pure.
import { connectionString, type DatabaseLogin } from './login.ts'

export interface Receiver {
  readonly bin: string
  readonly login: DatabaseLogin
  readonly passfile: string
  /** Where segments are kept. */
  readonly folder: string
  readonly slot: string
  /** Each piece of the log is on the disk before the server is told so. */
  readonly synchronous: boolean
}

// Told to the server each second, so that it shows how far behind the receiver is.
const statusSeconds = 1

const program = ({ bin, login, passfile }: Receiver): readonly string[] => [
  `${bin}/pg_receivewal`,
  '--no-password',
  `--dbname=${connectionString(login, { passfile, name: 'network_wal_archive' })}`,
]

/** @returns the command that receives the log for as long as it runs (pg_receivewal(1)) */
export const receiveCommand = (receiver: Receiver): readonly string[] => [
  ...program(receiver),
  `--directory=${receiver.folder}`,
  `--slot=${receiver.slot}`,
  `--status-interval=${statusSeconds}`,
  ...(receiver.synchronous ? ['--synchronous'] : []),
]

/** @returns the command that makes the slot, fine where there is one */
export const createSlotCommand = (receiver: Receiver): readonly string[] => [
  ...program(receiver),
  `--slot=${receiver.slot}`,
  '--create-slot',
  '--if-not-exists',
]

/** @returns the command that removes the slot, so that the server keeps nothing for it any more */
export const dropSlotCommand = (receiver: Receiver): readonly string[] => [
  ...program(receiver),
  `--slot=${receiver.slot}`,
  '--drop-slot',
]

// The server runs it with its own account, and goes on only when it is done: the segment is on the disk then, whole and under
// its name, or not there. One that is there with other bytes is somebody else's, and is never replaced (PostgreSQL's
// documentation, Continuous Archiving).
const copyScript =
  'set -eu; to="$1/$3"; new="$1/.$3.netops-new"; ' +
  'if [ -e "$to" ]; then cmp -s -- "$2" "$to" && exit 0; echo "$to is there with another content" >&2; exit 1; fi; ' +
  'rm -f -- "$new"; dd "if=$2" "of=$new" bs=1M conv=excl,fsync status=none; ln -- "$new" "$to"; rm -f -- "$new"; sync -- "$1"'

/**
 * A value for archive_command that keeps each segment in a folder of the database's own host.
 * @param folder absolute
 */
export function archiveCommand(folder: string): string {
  const word = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
  // %p and %f are the server's; a % of ours would be one of them.
  const own = [copyScript, 'netops', folder].map((text) => word(text).replaceAll('%', '%%'))
  return `sh -c ${own.join(' ')} "%p" "%f"`
}
