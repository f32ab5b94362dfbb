// Hosts for commands that are run in this process: files and answers to commands, as a test says; nothing else is answered.
import { createHash } from 'node:crypto'
import { Duplex } from 'node:stream'
import { printHash } from '../../src/drivers/hosts/commands.ts'
import type { HostConnection, RunOptions } from '../../src/drivers/hosts/port.ts'
import type { Connections } from '../../src/fleet/connections.ts'
import { NetopsError } from '../../src/model/errors.ts'
import type { SshTargetData } from '../../src/model/target.ts'
import type { ExecResult } from '../../src/system/exec.ts'

export type Reply = Partial<ExecResult>
type Answer = Reply | ((argv: readonly string[], options: RunOptions) => Reply | Promise<Reply>)

export interface FakeHost {
  /** Contents by path. */
  readonly files?: Readonly<Record<string, string>>
  /** Symbolic links by path. */
  readonly links?: Readonly<Record<string, string>>
  /** The first whose pattern fits the words, joined by blanks, answers. */
  readonly commands?: readonly (readonly [RegExp, Answer])[]
}

export interface FakeConnections extends Connections {
  /** Every command that a host was given, except those that read the files above: `web1: uname -srm`. */
  readonly ran: readonly string[]
  /** How many connections are open. */
  readonly open: () => number
}

/** A host that cannot be reached. */
export const unreachable = 'unreachable'

/** The way to hosts by name. A command that no host was told to answer throws. */
export function fakeConnections(hosts: Readonly<Record<string, FakeHost | typeof unreachable>>): FakeConnections {
  const ran: string[] = []
  let open = 0
  return {
    ran,
    open: () => open,
    connect({ name }) {
      const host = hosts[name]
      if (host === undefined) return Promise.reject(new TypeError(`no test speaks of a host ${name}`))
      if (host === unreachable) {
        const detail = { host: name, message: 'connection refused', hint: 'is its sshd running?' }
        return Promise.reject(new NetopsError('unreachable', detail))
      }
      open += 1
      const connection: HostConnection = {
        name,
        run: async (argv, options = {}) => told(await answer(name, host, { argv, options, ran }), options),
        open: () => Promise.resolve(Duplex.from([])),
        close: () => {
          open -= 1
          return Promise.resolve()
        },
      }
      return Promise.resolve(connection)
    },
    settings: (to) => Promise.resolve(to.kind === 'local' ? undefined : settingsOf(to)),
  }
}

interface Asked {
  readonly argv: readonly string[]
  readonly options: RunOptions
  readonly ran: string[]
}

async function answer(name: string, host: FakeHost, { argv, options, ran }: Asked): Promise<Reply> {
  const read = readFile(host, argv)
  if (read !== undefined) return read
  const words = argv.join(' ')
  ran.push(`${name}: ${words}`)
  const found = host.commands?.find(([pattern]) => pattern.test(words))?.[1]
  if (found === undefined) throw new TypeError(`${name} was not told what to answer to: ${words}`)
  return typeof found === 'function' ? found(argv, options) : found
}

/** The commands of src/drivers/hosts/reader.ts. */
function readFile({ files = {}, links = {} }: FakeHost, argv: readonly string[]): Reply | undefined {
  const path = argv.at(-1) ?? ''
  const paths = [...Object.keys(files), ...Object.keys(links)]
  const below = paths.filter((one) => one.startsWith(`${path}/`)).map((one) => one.slice(path.length + 1))
  const [content, link] = [files[path], links[path]]
  switch (argv.slice(0, -1).join(' ')) {
    case 'cat --':
      return content === undefined ? { code: 1 } : { stdout: content }
    case 'readlink --':
      return link === undefined ? { code: 1 } : { stdout: `${link}\n` }
    case 'ls -1A --':
      if (below.length === 0) return { code: 2 }
      return { stdout: [...new Set(below.map((one) => one.split('/')[0] ?? ''))].map((one) => `${one}\n`).join('') }
    case 'test -e':
    case 'test -L':
      return { code: paths.includes(path) || below.length > 0 ? 0 : 1 }
    case `sh -c ${printHash}`:
      if (content === undefined) return { code: 1 }
      return { stdout: `${createHash('sha256').update(content).digest('hex')} *${path}\n` }
    default:
      return lookAtWays(argv) ?? lookAtPresent(paths, links, argv)
  }
}

/** The look of src/procedures/deploy/kept.ts. */
function lookAtPresent(
  known: readonly string[],
  links: Readonly<Record<string, string>>,
  [shell = '', , script = '', , ...paths]: readonly string[],
): Reply | undefined {
  if (shell !== 'sh' || !script.startsWith('printf "\\0"; for path; do if [ -L')) return undefined
  const kindOf = (path: string): string => (known.includes(path) ? 'file' : 'absent')
  const found = paths.map((path) => (links[path] === undefined ? kindOf(path) : `link ${links[path]}`))
  return { stdout: [...found, ''].join('\0') }
}

/** The look of src/system/folder-trust.ts: on these hosts every folder is root's alone. */
function lookAtWays([shell = '', , script = '', , ...paths]: readonly string[]): Reply | undefined {
  if (shell !== 'sh' || !script.startsWith("printf 'netops ")) return undefined
  const entries = paths.map((path) => [path, '41ed', '0', 'root', 'root'].join('\0'))
  return { stdout: ['netops 0', '', ...entries, ''].join('\0') }
}

/** A reply as a connection gives it back: whole, or in pieces to whoever takes them. */
async function told(
  { code = 0, stdout = '', stderr = '' }: Reply,
  { onOutput, onLine }: RunOptions,
): Promise<ExecResult> {
  if (onOutput !== undefined) {
    if (stdout !== '') await onOutput(Buffer.from(stdout), 'stdout')
    if (stderr !== '') await onOutput(Buffer.from(stderr), 'stderr')
    return { code, stdout: '', stderr: '' }
  }
  if (onLine === undefined) return { code, stdout, stderr }
  for (const line of stdout.split('\n').slice(0, -1)) onLine(line)
  return { code, stdout: '', stderr }
}

const settingsOf = ({ name, address, port = 22, user = 'admin' }: SshTargetData) => ({
  name,
  login: { name, address },
  address,
  port,
  user,
  identity: undefined,
  identities: [],
  identitiesOnly: false,
  agent: undefined,
  knownHosts: ['/home/admin/.ssh/known_hosts'],
  hostKeyAlias: undefined,
  acceptNewHostKeys: false,
  hashKnownHosts: false,
  revokedHostKeys: undefined,
  hops: [],
  proxyCommand: undefined,
  family: 'any' as const,
  bindAddress: undefined,
  connectTimeoutMs: 10_000,
  attempts: 1,
  keepalive: { everyMs: 15_000, times: 3 },
  algorithms: {},
})
