// Where a configuration wants its logs: one entry an output.
import { below } from '../../model/paths.ts'
import type { LogLevel } from '../../model/logging-config.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import type { FilePlace } from './file-output.ts'
import type { Rotation } from './rotation.ts'
import type { SyslogAddress } from './syslog-output.ts'

export type LogTarget =
  | { readonly kind: 'console'; readonly of: 'server'; readonly level: LogLevel }
  | ({ readonly kind: 'file'; readonly of: 'server' | 'access'; readonly level: LogLevel } & FilePlace)
  | {
      readonly kind: 'syslog'
      readonly of: 'server'
      readonly level: LogLevel
      readonly facility: string
      readonly address: SyslogAddress
    }

type Output = NonNullable<ServerConfig['logging']['outputs']>[number]

// guide: Logging Configuration
const usualMaxSize = 1e8
const megabyte = 1e6

/**
 * Where a configuration wants its logs. The server's: exactly its `outputs`, or the console; besides, its `file`. And the
 * error log and the access log, which the service starts without when they cannot be opened.
 * @param root stands before every path
 */
export function logTargets(
  { logging, access_log: access, error_log: errors }: ServerConfig,
  root: string,
): readonly LogTarget[] {
  const { file, level } = logging
  const outputs = (logging.outputs ?? [{ type: 'console' as const }]).map((output) => targetOf(output, level, root))
  const known = (logging.outputs ?? []).some((output) => output.type === 'file' && output.path === file)
  return [
    ...outputs,
    ...(file === undefined || known
      ? []
      : [fileTarget('server', level, { path: below(root, file), needed: true, ...inShort(logging) })]),
    ...(errors.enabled
      ? [fileTarget('server', errors.level, { path: below(root, errors.file), needed: false, ...inShort(errors) })]
      : []),
    ...(access.enabled
      ? [fileTarget('access', 'INFO', { path: below(root, access.file), needed: false, ...inShort(access) })]
      : []),
  ]
}

const fileTarget = (of: 'server' | 'access', level: LogLevel, place: FilePlace): LogTarget => ({
  ...{ kind: 'file', of, level },
  ...place,
})

function targetOf(output: Output, usual: LogLevel, root: string): LogTarget {
  const level = output.level ?? usual
  switch (output.type) {
    case 'console':
      return { kind: 'console', of: 'server', level }
    case 'file': {
      const { max_size: maxSize = usualMaxSize, max_age: maxAge, max_backups: maxBackups } = output.rotation ?? {}
      const rotation = {
        maxSize,
        ...(maxAge === undefined ? {} : { maxAge }),
        ...(maxBackups === undefined ? {} : { maxBackups }),
      }
      const place = { path: below(root, output.path), needed: true }
      return fileTarget('server', level, output.rotation === undefined ? place : { ...place, rotation })
    }
    case 'syslog':
      return {
        kind: 'syslog',
        of: 'server',
        level,
        facility: output.facility,
        address: addressOf(output.address, root),
      }
  }
}

interface InShort {
  readonly max_size_mb?: number | undefined
  readonly max_files?: number | undefined
  readonly max_age?: number | undefined
}

/** The guide's short form; nothing where it asks for no rotation. */
function inShort({ max_size_mb: size, max_files: files, max_age: maxAge }: InShort): { readonly rotation?: Rotation } {
  if (size === undefined && files === undefined) return {}
  return {
    rotation: {
      maxSize: size === undefined ? usualMaxSize : size * megabyte,
      ...(maxAge === undefined ? {} : { maxAge }),
      ...(files === undefined ? {} : { maxBackups: files }),
    },
  }
}

/** @param address as the schema lets it through */
function addressOf(address: string, root: string): SyslogAddress {
  const url = new URL(address)
  if (url.protocol === 'unix:') return { over: 'unix', path: below(root, url.pathname) }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return { over: url.protocol === 'tcp:' ? 'tcp' : 'udp', host, port: Number(url.port || 514) }
}
