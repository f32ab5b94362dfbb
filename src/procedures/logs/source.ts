// Where the service's log is on a host, and the command that reads it.
import { checkServerConfig } from '../../config/server-config.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { below, hostPaths, serviceName, serviceOutput } from '../../model/paths.ts'
import type { ServerConfig } from '../../model/server-config.ts'

/** The journal of the unit, or a file. */
export type LogSource = { readonly kind: 'journal' } | { readonly kind: 'file'; readonly path: string }

export interface Excerpt {
  readonly lines: number
  readonly follow: boolean
  /** Milliseconds since 1970; a file is read by lines alone, and its lines are chosen here. */
  readonly since: number | undefined
}

/** What gets the service's console: the journal, below a root a file; its log file where the console gets nothing. */
export async function findLog(reader: HostReader, root: string): Promise<LogSource> {
  const paths = hostPaths(root)
  const text = await reader.readText(paths.config)
  // One that this netops does not understand says nothing of the log; the console is what is usual.
  const read = text === undefined ? undefined : checkServerConfig(text, paths.config)
  const file = read === undefined || 'problems' in read ? undefined : onlyFile(read.value)
  if (file !== undefined) return { kind: 'file', path: below(root, file) }
  return root === '/' ? { kind: 'journal' } : { kind: 'file', path: serviceOutput(paths) }
}

/** The file that the log goes to, where nothing goes to the console (as src/server/logs/targets.ts decides it). */
export function onlyFile({ logging: { outputs, file } }: ServerConfig): string | undefined {
  if (outputs === undefined || outputs.some(({ type }) => type === 'console')) return undefined
  return file ?? outputs.flatMap((output) => (output.type === 'file' ? [output.path] : []))[0]
}

/** The command that prints a log's end. */
export function readLog(source: LogSource, { lines, follow, since }: Excerpt): readonly string[] {
  if (source.kind === 'file') return ['tail', '-n', String(lines), ...(follow ? ['-F'] : []), '--', source.path]
  const unit = ['journalctl', '--quiet', '-u', serviceName, '-o', 'cat', '--no-pager', '-n', String(lines)]
  // systemd.time(7): seconds since 1970; a time zone cannot be mistaken.
  const from = since === undefined ? [] : ['--since', `@${Math.floor(since / 1000)}`]
  return [...unit, ...(follow ? ['-f'] : []), ...from]
}

export const describeLog = (source: LogSource): string =>
  source.kind === 'journal' ? `the journal of ${serviceName}` : source.path
