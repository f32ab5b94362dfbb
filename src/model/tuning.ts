// Tuning of a host: kernel parameters, limits, threads and pools. Its record of what was there before.
import * as z from 'zod'
import { sysctlName } from './sysctl.ts'
import { NetopsError } from './errors.ts'
import { parseState, putAside } from './state-text.ts'

/** Limits by pam_limits' names, with systemd's (limits.conf(5), systemd.exec(5)). */
export const limitSettings: Readonly<Record<string, string>> = { nofile: 'LimitNOFILE', nproc: 'LimitNPROC' }

/** Keys of the server's configuration that tuning sets, with the variables that win over config.yaml. */
export const serverSettings: Readonly<Record<string, string>> = {
  'server.worker_threads': 'NETWORK_SERVER_WORKER_THREADS',
  'server.max_connections': 'NETWORK_MAX_CONNECTIONS',
  'performance.connection_pool_size': 'NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE',
  'performance.buffer_size': 'NETWORK_PERFORMANCE_BUFFER_SIZE',
}

export type SettingKind = 'kernel' | 'limit' | 'server'

/** What a name stands for; undefined for one that is neither a limit, nor a server setting, nor fit for a kernel parameter. */
export function kindOf(name: string): SettingKind | undefined {
  if (Object.hasOwn(limitSettings, name)) return 'limit'
  if (Object.hasOwn(serverSettings, name)) return 'server'
  if (/^(?:server|performance)\./.test(name)) return undefined
  return /^[A-Za-z0-9_][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_@:,+-]+)+$/.test(name) ? 'kernel' : undefined
}

/** The one name of a setting, however it was written. */
export const settingName = (given: string): string => (kindOf(given) === 'kernel' ? sysctlName(given) : given)

const name = z.string().refine((given) => kindOf(given) !== undefined, 'expected the name of a setting')
const value = z
  .string()
  .max(500)
  .regex(/^[!-~]+(?: [!-~]+)*$/, 'expected one line of visible characters')

export const tuningProfiles = ['guide', 'sized'] as const
const profile = z.enum(tuningProfiles)
export type TuningProfile = z.infer<typeof profile>

/** What an operator can choose of a host's settings, as fields of a request. */
export const tuningFields = {
  profile,
  /** Settings that are left alone; one that an earlier run set gets its original value back. */
  skip: z.array(name),
  /** Values that win over the profile's. */
  set: z.record(name, value),
}
export interface TuningOptions {
  readonly profile: TuningProfile
  readonly skip: readonly string[]
  readonly set: Readonly<Record<string, string>>
}

/** Where a copy lies that has also what the text does not tell: times, ACL, extended attributes. */
const kept = { kept: z.string().exactOptional() }

/** What lies at a path. The owner is by numbers, as `chown` takes it: `0:0`. */
const fileState = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('absent') }),
  z.strictObject({ kind: z.literal('file'), content: z.string(), mode: z.string(), owner: z.string(), ...kept }),
  z.strictObject({ kind: z.literal('link'), target: z.string(), ...kept }),
  /** A folder, a device, or a file that is not text: nothing that could be put back as it was. */
  z.strictObject({ kind: z.literal('other'), what: z.string() }),
])
export type FileState = z.infer<typeof fileState>

const values = z.record(z.string(), z.string())

/** `/var/lib/netops/tuning.json`. */
const tuningRecord = z.strictObject({
  schema: z.literal('netops/tuning/v1'),
  /** The run that wrote it. */
  run: z.string(),
  profile,
  /** What was set, by name. */
  kernel: values,
  limits: values,
  server: values,
  /** What was asked for and not attempted, with the reason. */
  notSet: values,
  /** Files as they were written. */
  files: z.record(z.string(), z.strictObject({ content: z.string(), mode: z.string() })),
  /** What was there before the first run that touched it. */
  originals: z.strictObject({
    kernel: values,
    files: z.record(z.string(), fileState),
    /** Folders that were not there, in the order in which they were made. */
    folders: z.array(z.string()),
  }),
})
export type TuningRecord = z.infer<typeof tuningRecord>

/** @throws NetopsError `refused` when this netops does not understand the record: without it nothing can be put back */
export function parseTuningRecord(text: string, path: string, host: string): TuningRecord {
  try {
    const hint = `${putAside(path)}; what is set now then counts as what was there before`
    return parseState(tuningRecord, text, { path, host, hint })
  } catch (error) {
    if (!(error instanceof NetopsError)) throw error
    throw new NetopsError('refused', { host, message: error.message, hint: error.hint, cause: error })
  }
}

/** The variables of an environment file (systemd.exec(5), EnvironmentFile=) as far as it holds plain `NAME=value` lines. */
export function parseEnvironmentFile(text: string): Readonly<Record<string, string>> {
  const found = [...text.matchAll(/^[ \t]*([A-Za-z_]\w*)=(.*)$/gm)]
  return Object.fromEntries(found.map(([, variable = '', given = '']) => [variable, unquoted(given.trim())]))
}

const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2] ?? text
