// How a host is reached: what the fleet file says, then what ssh_config says, then ours. Pure.
import { hostname } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { hop, reachedName, userName } from '../../model/login-names.ts'
import { quoteCommand } from '../../model/quote.ts'
import { accountName } from '../../system/account.ts'

/** What the fleet file says of a login; what it leaves open is for ssh_config(5) to say. */
export interface SshLogin {
  /** The host's name in messages. */
  readonly name: string
  readonly address: string
  readonly port?: number | undefined
  readonly user?: string | undefined
  /** A private key file, absolute. */
  readonly identity?: string | undefined
  /** A file of known host keys, absolute. */
  readonly knownHosts?: string | undefined
  /** Hosts to go through, as `ssh -J` takes them; `none` for none. */
  readonly jump?: string | undefined
  readonly connectTimeoutMs?: number | undefined
}

/** The words of ssh_config for a host: lower-cased names, each with its values in order, as `ssh -G` prints them. */
export type ConfigWords = ReadonlyMap<string, readonly string[]>

/** A host on the way to another one: `[user@]host[:port]`. */
export interface Hop {
  readonly user?: string
  readonly address: string
  readonly port?: number
}

/** Everything that a connection needs to know. */
export interface SshSettings {
  readonly name: string
  /** What the fleet file says of it. */
  readonly login: SshLogin
  readonly address: string
  readonly port: number
  readonly user: string
  /** Private keys that the fleet file names; tried first. */
  readonly identity: string | undefined
  /** Private keys that ssh_config names, or those with the usual names. */
  readonly identities: readonly string[]
  /** Only the keys named, not whatever else the agent holds. */
  readonly identitiesOnly: boolean
  /** The agent's socket. */
  readonly agent: string | undefined
  /** Files of known host keys; new ones go into the first. */
  readonly knownHosts: readonly string[]
  /** Under which name the host's key is on file, instead of its address. */
  readonly hostKeyAlias: string | undefined
  readonly acceptNewHostKeys: boolean
  readonly hashKnownHosts: boolean
  readonly revokedHostKeys: string | undefined
  readonly hops: readonly Hop[]
  /** A command whose standard input and output are the connection. */
  readonly proxyCommand: string | undefined
  readonly family: 'any' | 'inet' | 'inet6'
  readonly bindAddress: string | undefined
  readonly connectTimeoutMs: number
  readonly attempts: number
  /** A host that leaves this many probes unanswered is lost. */
  readonly keepalive: { readonly everyMs: number; readonly times: number }
  /** What ssh_config chooses among algorithms; undefined where it leaves that to the program. */
  readonly algorithms: Readonly<Partial<Record<AlgorithmWord, readonly string[]>>>
}

const algorithmWords = ['ciphers', 'macs', 'kexalgorithms', 'hostkeyalgorithms'] as const
export type AlgorithmWord = (typeof algorithmWords)[number]

export interface Around {
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** What `ssh -G` prints where nothing is configured. */
  readonly defaults: ConfigWords
}

const defaultConnectTimeoutMs = 15_000
const defaultAttempts = 3
const defaultKeepalive = { everyMs: 10_000, times: 3 }
const unsaid = new Set(['none', 'no', 'false', ''])

/** Words that would change what we do and that we cannot follow: better said than passed over. */
const unable: Readonly<Record<string, string>> = {
  certificatefile: 'certificates of users',
  knownhostscommand: 'KnownHostsCommand',
  pkcs11provider: 'PKCS11Provider; load its keys into the agent: ssh-add -s',
  remotecommand: 'RemoteCommand, which takes the place of every command',
}

/** Reads what `ssh -G` prints. */
export function parseEffective(text: string): ConfigWords {
  const words = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\S+) (.*)$/.exec(line.trimEnd()) ?? []
    if (name !== undefined && value !== undefined) words.set(name, [...(words.get(name) ?? []), value])
  }
  return words
}

/**
 * Joins what was said. The fleet file comes first.
 * @throws NetopsError `usage` naming what of ssh_config cannot be followed
 */
export function settingsOf(login: SshLogin, words: ConfigWords, around: Around): SshSettings {
  const first = (name: string): string | undefined => {
    const value = words.get(name)?.[0]
    return value === undefined || unsaid.has(value) ? undefined : value
  }
  for (const [name, what] of Object.entries(unable)) {
    if (first(name) === undefined) continue
    const message = `ssh_config asks for ${what} for ${login.address}, which netops cannot do`
    throw new NetopsError('usage', { host: login.name, message, hint: seenWith(login, name) })
  }
  const address = first('hostname') ?? login.address
  const port = login.port ?? Number(first('port') ?? 22)
  const user = login.user ?? first('user') ?? 'root'
  refuseOtherNames(login, address, user)
  const tokens: Tokens = { address, given: login.address, port, user, home: around.home, env: around.env }
  const path = (text: string): string => expandPath(text, tokens)
  const alias = first('hostkeyalias')
  const several = (name: string): readonly string[] => (words.get(name) ?? []).flatMap(splitWords).map(path)
  const strict = words.get('stricthostkeychecking')?.[0]
  const jumps = login.jump ?? first('proxyjump')
  // Of a command, only this word says that there is none: false(1) is one.
  const proxyCommand = words.get('proxycommand')?.find((text) => text !== 'none')
  const seconds = Number(first('connecttimeout') ?? Number.NaN)
  const interval = Number(first('serveraliveinterval') ?? 0)
  const revoked = first('revokedhostkeys')
  return {
    name: login.name,
    login,
    address,
    port,
    user,
    identity: login.identity,
    identities: (words.get('identityfile') ?? []).filter((text) => text !== 'none').map(path),
    identitiesOnly: first('identitiesonly') !== undefined,
    agent: agentOf(words.get('identityagent')?.[0], tokens),
    knownHosts:
      login.knownHosts === undefined
        ? [...several('userknownhostsfile'), ...several('globalknownhostsfile')].filter((file) => file !== 'none')
        : [login.knownHosts],
    hostKeyAlias: alias,
    acceptNewHostKeys: strict === 'accept-new',
    hashKnownHosts: first('hashknownhosts') !== undefined,
    revokedHostKeys: revoked === undefined ? undefined : path(revoked),
    hops: jumps === undefined ? [] : parseHops(jumps, login.name),
    proxyCommand:
      login.jump !== undefined || jumps !== undefined || proxyCommand === undefined
        ? undefined
        : expandTokens(proxyCommand, tokens),
    family: familyOf(first('addressfamily')),
    bindAddress: first('bindaddress'),
    connectTimeoutMs: login.connectTimeoutMs ?? (seconds > 0 ? seconds * 1000 : defaultConnectTimeoutMs),
    attempts: Math.max(Number(first('connectionattempts') ?? 1), defaultAttempts),
    keepalive:
      interval > 0 ? { everyMs: interval * 1000, times: Number(first('serveralivecountmax') ?? 3) } : defaultKeepalive,
    algorithms: Object.fromEntries(
      algorithmWords.flatMap((name) => {
        const [wanted] = words.get(name) ?? []
        return wanted === undefined || wanted === around.defaults.get(name)?.[0] ? [] : [[name, wanted.split(',')]]
      }),
    ),
  }
}

const seenWith = ({ address }: SshLogin, word: string): string =>
  `see it with: ${quoteCommand(['ssh', '-G', address])} | grep ${word}`

/** What ssh_config gives may be part of a shell's line: that of a ProxyCommand. Newer versions of OpenSSH refuse it too. */
function refuseOtherNames(login: SshLogin, address: string, user: string): void {
  const refuse = (what: string, given: string, word: string): void => {
    const message = `${JSON.stringify(given)} is no ${what}: a shell would read it as more than a name`
    throw new NetopsError('usage', { host: login.name, message, hint: seenWith(login, word) })
  }
  for (const host of [login.address, address]) {
    if (!reachedName.test(host)) refuse('host to reach', host, 'hostname')
  }
  if (!userName.test(user)) refuse('account', user, 'user')
}

const familyOf = (text: string | undefined): SshSettings['family'] =>
  text === 'inet' || text === 'inet6' ? text : 'any'

/** A list of file names in one line, some of them in double quotes (ssh_config(5), UserKnownHostsFile). */
const splitWords = (line: string): readonly string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')

interface Tokens {
  readonly address: string
  readonly given: string
  readonly port: number
  readonly user: string
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** ssh_config(5), TOKENS. */
function expandTokens(text: string, { address, given, port, user, home }: Tokens): string {
  const values: Readonly<Record<string, () => string>> = {
    '%': () => '%',
    d: () => home,
    h: () => address,
    i: () => String(process.getuid?.() ?? ''),
    L: () => hostname().split('.')[0] ?? '',
    l: () => hostname(),
    n: () => given,
    p: () => String(port),
    r: () => user,
    u: () => accountName(),
  }
  return text.replace(/%(.?)/g, (token, letter: string) => {
    const value = values[letter]
    if (value !== undefined) return value()
    throw new NetopsError('usage', { message: `ssh_config: ${token} in '${text}' is not known to netops` })
  })
}

function expandPath(text: string, tokens: Tokens): string {
  const named = text.replace(/\$\{(\w+)\}/g, (_, name: string) => tokens.env[name] ?? '')
  const full = expandTokens(named, tokens)
  const below = full.startsWith('~/') ? join(tokens.home, full.slice(2)) : full
  return isAbsolute(below) || below === 'none' ? below : join(tokens.home, '.ssh', below)
}

/** ssh_config(5), IdentityAgent. */
function agentOf(said: string | undefined, tokens: Tokens): string | undefined {
  if (said === undefined || said === 'SSH_AUTH_SOCK') return tokens.env.SSH_AUTH_SOCK
  if (said === 'none' || said === '') return undefined
  const [, variable] = /^\$\{?(\w+)\}?$/.exec(said) ?? []
  return variable === undefined ? expandPath(said, tokens) : tokens.env[variable]
}

/** The hop of `ssh://[user@]host[:port]`; a zone stands encoded in a URL (RFC 6874, 2). */
const withoutUrl = (one: string): string =>
  one.startsWith('ssh://') ? one.slice('ssh://'.length).replace(/\/$/, '').replace('%25', '%') : one

/** `ssh -J`: hops in order, separated by commas; an IPv6 address with a port stands in brackets. */
export function parseHops(text: string, host: string): readonly Hop[] {
  if (text === 'none') return []
  return text.split(',').map((one) => {
    const { user, inBrackets, bare, port } = hop.exec(withoutUrl(one.trim()))?.groups ?? {}
    const address = inBrackets ?? bare
    if (address !== undefined) {
      return { address, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: Number(port) }) }
    }
    throw new NetopsError('usage', {
      host,
      message: `${JSON.stringify(one)} is no host to go through`,
      hint: 'expected [user@]host[:port], several of them separated by commas',
    })
  })
}
