// `--live` of `netops config validate`: whether a valid configuration also fits the machine that it is checked on.
import * as z from 'zod'
import type { LiveFinding } from '../../config/live.ts'
import { serviceUser } from '../../model/paths.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import type { OptionSpec, RawOptions } from '../command.ts'
import { parseOptions } from '../options.ts'

export const liveOptions: readonly OptionSpec[] = [
  {
    flags: '--live',
    description: 'look also at the files, ports, names and databases of this machine; changes nothing',
  },
  { flags: '--root <dir>', description: 'with --live: put DIR before every absolute path of the configuration' },
  {
    flags: '--user <name>',
    description: `with --live: the account that the service runs as (default: ${serviceUser}; below a root, yourself)`,
  },
]

export interface LiveReport {
  /** Only with `--live`, and only of a valid file. */
  readonly live?: readonly LiveFinding[]
}

const onlyLive = 'expected only together with --live'
const schema = z
  .object({
    live: z.boolean().default(false),
    root: z.string().min(1).optional(),
    // useradd(8), and the dot that many systems allow besides.
    user: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/, 'expected the name of an account')
      .optional(),
  })
  .refine(({ live, root }) => live || root === undefined, { path: ['root'], message: onlyLive })
  .refine(({ live, user }) => live || user === undefined, { path: ['user'], message: onlyLive })

/** What this machine says of a configuration; nothing without `--live`, and then nothing is touched. */
export async function examineLive(config: ServerConfig, options: RawOptions, cwd: string): Promise<LiveReport> {
  const { live, root: given, user } = parseOptions(schema, options)
  if (!live) return {}
  const [{ checkLive, ownName }, { resolveRoot }] = await Promise.all([
    import('../../config/live.ts'),
    import('../../fleet/fleet.ts'),
  ])
  const root = resolveRoot(given ?? '/', cwd)
  // Below a root the service belongs to whoever starts it; there is no account of its own.
  const account = user ?? (root === '/' ? serviceUser : ownName())
  return { live: await checkLive(config, { root, user: account, now: () => new Date() }) }
}

export const textOfLive = (file: string, live: readonly LiveFinding[] = []): readonly string[] =>
  live.map(({ path, kind, message }) => `${file}: ${path}: ${kind}: ${message}`)
