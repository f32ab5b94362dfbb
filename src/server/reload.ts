// Reads the configuration again while it serves (SIGHUP): what can take effect does, and what cannot is told, key by key.
import type { SecureContextOptions } from 'node:tls'
import { messageOf, NetopsError } from '../model/errors.ts'
import type { ServerConfig } from '../model/server-config.ts'
import type { Credentials } from './credentials.ts'
import type { Logger } from './logs/logger.ts'

/** A configuration with the files that it names, checked. */
export interface Loaded {
  readonly config: ServerConfig
  readonly credentials: Credentials
  /** What of it is better otherwise. */
  readonly warnings: readonly string[]
}

/** What is in effect from now on; nothing of it needs another look. */
export interface InEffect {
  readonly config: ServerConfig
  readonly tls: SecureContextOptions | undefined
  readonly tokenKey: Uint8Array | undefined
}

export interface ReloadOptions {
  /** What was read at the start. */
  readonly started: Loaded
  /** Reads and checks all of it again; throws a NetopsError whose message says what is wrong. */
  readonly read: () => Promise<Loaded>
  /** Takes over the levels of the logs; false where more than levels has changed there. */
  readonly setLevels: (config: ServerConfig) => boolean
  /** Has the serving threads take over the rest. */
  readonly apply: (now: InEffect) => void
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** What came of it. */
export type Reloaded = {
  /** Keys and files that are in effect now and were not before. */
  readonly reloaded: string[]
  /** Keys that differ, and take effect at the next start. */
  readonly needs_restart: string[]
}

export interface Reloader {
  /** What is in effect now. */
  readonly current: () => InEffect
  /**
   * Reads it again, one after the other where several ask.
   * @throws NetopsError `usage` for a configuration that is not valid: then all stays as it was, and the log says so too
   */
  readonly reload: () => Promise<Reloaded>
}

// All others are built into sockets, threads, pools or the framework at a start.
const live: readonly string[] = [
  ...['server.max_connections', 'performance.keep_alive_timeout_ms'],
  ...['security.cert_file', 'security.key_file', 'security.min_tls_version'],
  ...['auth.issuer', 'auth.jwt_secret', 'auth.jwt_secret_file'],
  ...['checkpoint.interval', 'checkpoint.timeout', 'checkpoint.keep'],
]

export function createReloader(options: ReloadOptions): Reloader {
  const { started, log } = options
  let now: InEffect = { config: started.config, ...secretsOf(started) }
  let last: Promise<unknown> = Promise.resolve()

  const reload = async (): Promise<Reloaded> => {
    const next = await readAgain(options)
    const keys = differingKeys(now.config, next.config)
    const logging = keys.filter((key) => key.startsWith('logging.') || key === 'error_log.level')
    // What else differs of the logs is a start's, and keeps nobody from the levels.
    const levels = logging.length > 0 && options.setLevels(mixed(now.config, next.config, logging))
    const taken = keys.filter((key) => live.includes(key) || (levels && logging.includes(key)))
    const { effect, files } = withFiles(now, next)
    now = { ...effect, config: mixed(now.config, next.config, taken) }
    options.apply(now)
    const result = { reloaded: [...taken, ...files], needs_restart: keys.filter((key) => !taken.includes(key)) }
    log.info(result, 'the configuration was read again')
    for (const key of result.needs_restart) log.warn({ key }, `${key} takes effect at the next start only`)
    for (const note of [...next.warnings, ...next.credentials.notes]) log.warn({ note }, note)
    return result
  }
  return {
    current: () => now,
    reload() {
      const result = last.then(reload)
      last = result.catch(() => undefined)
      return result
    },
  }
}

async function readAgain({ read, log }: ReloadOptions): Promise<Loaded> {
  try {
    return await read()
  } catch (error) {
    const reason = messageOf(error)
    log.error({ reason }, `the configuration is not valid, and all stays as it was: ${reason}`)
    throw error instanceof NetopsError ? error : new NetopsError('failed', { message: reason, cause: error })
  }
}

const secretsOf = ({ credentials: { tls, tokenKey } }: Loaded): Omit<InEffect, 'config'> => ({ tls, tokenKey })

/** A port for TLS is not opened or closed, and tokens are not begun or no longer asked for: that is a start's. */
function withFiles(
  now: InEffect,
  next: Loaded,
): { readonly effect: Omit<InEffect, 'config'>; readonly files: string[] } {
  const { tls, tokenKey } = secretsOf(next)
  const served = now.tls !== undefined && tls !== undefined ? tls : now.tls
  const asked = now.config.security.auth === 'token' && next.config.security.auth === 'token' ? tokenKey : now.tokenKey
  return {
    effect: { tls: served, tokenKey: asked },
    files: [
      ...(sameBytes(served?.cert, now.tls?.cert) && sameBytes(served?.key, now.tls?.key) ? [] : ['the certificate']),
      ...(sameBytes(asked, now.tokenKey) ? [] : ["the tokens' key"]),
    ],
  }
}

const sameBytes = (a: unknown, b: unknown): boolean => textOf(a) === textOf(b)
const textOf = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('base64') : JSON.stringify(value ?? null)

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>
const sectionsOf = (config: ServerConfig): Sections => config

/** `server.port`, for each key with another value. */
function differingKeys(a: ServerConfig, b: ServerConfig): readonly string[] {
  const [before, after] = [sectionsOf(a), sectionsOf(b)]
  return Object.keys(before).flatMap((section) => {
    const names = new Set([...Object.keys(before[section] ?? {}), ...Object.keys(after[section] ?? {})])
    return [...names]
      .filter((name) => JSON.stringify(before[section]?.[name]) !== JSON.stringify(after[section]?.[name]))
      .map((name) => `${section}.${name}`)
  })
}

/** The first, with these keys as the second has them. */
function mixed(a: ServerConfig, b: ServerConfig, keys: readonly string[]): ServerConfig {
  const after = sectionsOf(b)
  const sections = Object.entries(sectionsOf(a)).map(([section, values]) => {
    const taken = keys.flatMap((key) => {
      const [of, name = ''] = key.split('.')
      return of === section ? [[name, after[section]?.[name]] as const] : []
    })
    return [section, { ...values, ...Object.fromEntries(taken) }]
  })
  return Object.fromEntries(sections) as ServerConfig
}
