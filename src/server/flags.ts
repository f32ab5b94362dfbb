// The command line of network_server: words to a typed request, or a refusal that says what is known.
import { parseArgs } from 'node:util'
import { messageOf, NetopsError } from '../model/errors.ts'
import { operationHelp } from './operate/words.ts'

export type Request =
  | { readonly kind: 'help' | 'version' }
  | {
      readonly kind: 'serve' | 'check' | 'migrate' | 'data-schema'
      /** As given; without it, the default below the root. */
      readonly config: string | undefined
      /** Prefix of all absolute paths in the configuration and of the defaults; as given. */
      readonly root: string
      /** `section.key=value`, as given. */
      readonly set: readonly string[]
      /** Files to read in the place of paths that the configuration names; only for a check. */
      readonly instead: ReadonlyMap<string, string>
      /** Whether a migration is only shown. */
      readonly dryRun: boolean
    }

export const help = `Usage: network_server [--config FILE] [--root DIR] [--set SECTION.KEY=VALUE]...
       network_server migrate [--dry-run] [--config FILE] [--root DIR] [--set SECTION.KEY=VALUE]...
       network_server data-schema [--config FILE] [--root DIR] [--set SECTION.KEY=VALUE]...
       network_server COMMAND [--root DIR] [--json]

Serves /health, /health/live and /health/ready, and /metrics on a port of its own.

  --config FILE              the configuration (default: /etc/network_system/config.yaml; without that file, defaults)
  --set SECTION.KEY=VALUE    a value that wins over the environment and the file; may be repeated
  --check-config             check the configuration with everything put over it, and the files that it names for TLS
                             and tokens, say what is wrong and where, and start nothing
  --instead PATH=FILE        with --check-config: read FILE where the configuration names PATH; may be repeated
  migrate                    bring the database to the data schema of this release, and start nothing; a start does the
                             same by itself
  data-schema                ask PostgreSQL which data schema the records have there, and print it as JSON
  --dry-run                  with migrate: say what it would do, and change nothing
  --root DIR                 put DIR before every absolute path of the configuration and of the defaults
  --version                  print version and commit
  --help                     print this

${operationHelp}

Environment: each key of the configuration is also NETWORK_<SECTION>_<KEY>, such as NETWORK_SERVER_HOST,
NETWORK_SERVER_PORT, NETWORK_SERVER_WORKER_THREADS, NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE and
NETWORK_PERFORMANCE_BUFFER_SIZE. Three have a shorter name besides: NETWORK_LOG_LEVEL, NETWORK_SSL_ENABLED and
NETWORK_MAX_CONNECTIONS. All win over the file. NETWORK_RELEASE names the release where the executable's folder does not.
SIGTERM and SIGINT stop it gracefully, a second one at once. SIGHUP has it read the configuration again.
Exit codes: 0 stopped as asked, or done; 1 failed, 2 bad usage or invalid configuration; of commands besides: 6 another
process is at work with the state, 7 refused, 9 damaged.`

const options = {
  config: { type: 'string' },
  set: { type: 'string', multiple: true },
  'check-config': { type: 'boolean' },
  instead: { type: 'string', multiple: true },
  'dry-run': { type: 'boolean' },
  root: { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * @param argv the words after the program's name
 * @throws NetopsError `usage` with a hint
 */
export function parseFlags(argv: readonly string[]): Request {
  const word = argv[0] === 'migrate' || argv[0] === 'data-schema' ? argv[0] : undefined
  const flags = parse(word === undefined ? argv : argv.slice(1))
  if (flags.help === true) return { kind: 'help' }
  if (flags.version === true) return { kind: 'version' }
  for (const name of ['config', 'root'] as const) {
    if (flags[name] === '') throw new NetopsError('usage', { message: `--${name} needs a value`, hint })
  }
  const check = flags['check-config'] === true
  if (!check && flags.instead !== undefined) {
    throw new NetopsError('usage', { message: '--instead is only for --check-config', hint })
  }
  if (word !== undefined && check)
    throw new NetopsError('usage', { message: `${word} checks nothing: leave --check-config out`, hint })
  if (word !== 'migrate' && flags['dry-run'] !== undefined) {
    throw new NetopsError('usage', { message: '--dry-run is only for migrate', hint })
  }
  return {
    kind: word ?? (check ? 'check' : 'serve'),
    config: flags.config,
    root: flags.root ?? '/',
    set: flags.set ?? [],
    instead: replacements(flags.instead ?? []),
    dryRun: flags['dry-run'] === true,
  }
}

function replacements(pairs: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const pair of pairs) {
    const [, path, file] = /^(\/[^=]*)=(.+)$/s.exec(pair) ?? []
    if (path === undefined || file === undefined) {
      throw new NetopsError('usage', { message: '--instead: expected PATH=FILE, PATH as the configuration names it' })
    }
    if (files.has(path)) throw new NetopsError('usage', { message: `--instead names ${path} twice` })
    files.set(path, file)
  }
  return files
}

const hint = `known options: ${Object.keys(options)
  .map((name) => `--${name}`)
  .join(', ')}`

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    // Node's message goes on with advice about `--` that does not apply here.
    const message = messageOf(error).replace(/\. (?:To specify|This command).*$/s, '')
    throw new NetopsError('usage', { message, hint })
  }
}
