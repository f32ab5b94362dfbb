// The command line of network_server: words to a typed request, or a refusal that says what is known.
import { parseArgs } from 'node:util'
import { messageOf, NetopsError } from '../model/errors.ts'

export type Request =
  | { readonly kind: 'help' | 'version' }
  | {
      readonly kind: 'serve' | 'check'
      /** As given; without it, the default below the root. */
      readonly config: string | undefined
      /** Prefix of all absolute paths in the configuration and of the defaults; as given. */
      readonly root: string
    }

export const help = `Usage: network_server [--config FILE] [--root DIR]

Serves /health, /health/live and /health/ready, and /metrics on a port of its own.

  --config FILE    the configuration (default: /etc/network_system/config.yaml; without that file, defaults)
  --check-config   check the configuration and the environment, say what is wrong and where, and start nothing
  --root DIR       put DIR before every absolute path of the configuration and of the defaults
  --version        print version and commit
  --help           print this

Environment: NETWORK_SERVER_HOST, NETWORK_SERVER_PORT, NETWORK_LOG_LEVEL, NETWORK_SSL_ENABLED,
NETWORK_MAX_CONNECTIONS, NETWORK_SERVER_WORKER_THREADS, NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE and
NETWORK_PERFORMANCE_BUFFER_SIZE win over the file; NETWORK_RELEASE names the release where the executable's folder
does not.
SIGTERM and SIGINT stop it gracefully, a second one at once.
Exit codes: 0 stopped as asked, 1 failed, 2 bad usage or invalid configuration.`

const options = {
  config: { type: 'string' },
  'check-config': { type: 'boolean' },
  root: { type: 'string' },
  version: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * @param argv the words after the program's name
 * @throws NetopsError `usage` with a hint
 */
export function parseFlags(argv: readonly string[]): Request {
  const flags = parse(argv)
  if (flags.help === true) return { kind: 'help' }
  if (flags.version === true) return { kind: 'version' }
  for (const name of ['config', 'root'] as const) {
    if (flags[name] === '') throw new NetopsError('usage', { message: `--${name} needs a value`, hint })
  }
  return {
    kind: flags['check-config'] === true ? 'check' : 'serve',
    config: flags.config,
    root: flags.root ?? '/',
  }
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
