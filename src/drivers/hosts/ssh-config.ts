// What ssh_config says of a host: by OpenSSH's own reading where it is installed, else by a library's, which refuses what it
// cannot follow.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { exec } from '../../system/exec.ts'
import { readTextIfAnyNow } from '../../system/files.ts'
import { parseEffective, type ConfigWords, type SshLogin } from './ssh-settings.ts'

export interface ConfigPlace {
  readonly home: string
  /** The system's own; `/etc/ssh` but in tests. */
  readonly system: string
  /** Where programs are looked for. */
  readonly path: string | undefined
}

const limitMs = 20_000
// sh(1): no such program.
const notFound = 127

/** Reads ssh_config once for all hosts of a command, as far as they may share it. */
export class SshConfig {
  readonly #place: ConfigPlace
  readonly #asked = new Map<string, Promise<ConfigWords>>()
  #files: ConfigFiles | undefined
  #defaults: Promise<ConfigWords> | undefined

  constructor(place: ConfigPlace) {
    this.#place = place
  }

  /**
   * The words for a host, and those that hold where nothing is configured.
   * @throws NetopsError `usage` for a file that is not valid, or that cannot be followed without OpenSSH
   */
  async read(login: SshLogin): Promise<{ readonly words: ConfigWords; readonly defaults: ConfigWords }> {
    this.#files ??= readFiles(this.#place)
    const files = this.#files
    if (files.nothing) return { words: ownDefaults(this.#place, files), defaults: new Map() }
    // Where no line is for some hosts only, what holds for one holds for all, but for its name.
    const key = files.forAll ? '' : [login.address, login.user, login.port].join('\0')
    const known = this.#asked.get(key)
    const asked = known ?? this.#ask(login, files)
    if (known === undefined) this.#asked.set(key, asked)
    // Without OpenSSH there is nothing to compare with.
    this.#defaults ??= effective(this.#place, ['-F', 'none'], 'any').then(
      (words) => words ?? new Map<string, string[]>(),
    )
    const [said, defaults] = await Promise.all([asked, this.#defaults])
    const words = new Map(said)
    if (files.forAll) words.delete('hostname')
    return { words, defaults }
  }

  async #ask(login: SshLogin, files: ConfigFiles): Promise<ConfigWords> {
    const words = await effective(this.#place, loginWords(login, files), login.address, configText(this.#place))
    return words ?? readWithout(login, files, this.#place)
  }
}

const loginWords = ({ user, port }: SshLogin, { forAll }: ConfigFiles): readonly string[] => [
  ...['-F', '/dev/stdin'],
  ...(user === undefined || forAll ? [] : ['-l', user]),
  ...(port === undefined || forAll ? [] : ['-p', String(port)]),
]

/**
 * The user's files as OpenSSH reads them, then a user of ours where they name none: `ssh -G` alone would print the local
 * account's name, and nobody could tell whether somebody had said so.
 */
const configText = ({ home, system }: ConfigPlace): string =>
  [
    `Include "${join(home, '.ssh', 'config')}"`,
    `Include "${join(system, 'ssh_config')}"`,
    'Match all',
    '  User root',
    '',
  ].join('\n')

/** What OpenSSH would do; undefined where it is not installed. */
async function effective(
  { path }: ConfigPlace,
  words: readonly string[],
  address: string,
  config = '',
): Promise<ConfigWords | undefined> {
  // Through cat, because ssh opens /dev/stdin by name, and what a process gets from Node is a socket, which has none.
  const argv = ['sh', '-c', 'cat | exec ssh "$@"', 'sh', '-G', '-T', ...words, '--', address]
  try {
    const env = { LC_ALL: 'C', ...(path === undefined ? {} : { PATH: path }) }
    const { code, stdout, stderr } = await exec(argv, { stdin: { text: config }, timeoutMs: limitMs, env })
    if (code === 0) return parseEffective(stdout)
    if (code === notFound) return undefined
    const message = `ssh_config cannot be read: ${stderr.trim().split('\n').slice(-3).join('\n')}`
    throw new NetopsError('usage', { message, hint: `try: ${quoteCommand(['ssh', '-G', address])}` })
  } catch (error) {
    if (error instanceof NetopsError && error.code === 'failed' && /ENOENT/.test(error.message)) return undefined
    throw error
  }
}

interface ConfigFiles {
  readonly user: string
  /** The system's own, with what it includes. */
  readonly system: string
  /** Whether no line of theirs is for some hosts only. */
  readonly forAll: boolean
  /** Whether no line of theirs is about what concerns us: then OpenSSH need not be asked. */
  readonly nothing: boolean
}

// One with thousands of hosts has some 100 KB.
const mostOfConfig = 16 * 2 ** 20

function readFiles({ home, system }: ConfigPlace): ConfigFiles {
  const read = (...path: readonly string[]): string => readTextIfAnyNow(join(...path), mostOfConfig) ?? ''
  const user = read(home, '.ssh', 'config')
  const global = read(system, 'ssh_config')
  const folder = join(system, 'ssh_config.d')
  const included = namesIn(folder)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => read(folder, name))
  // Debian's own ssh_config includes this folder before anything else.
  const texts = [user, ...included, global.replaceAll(`Include ${folder}/*.conf`, '')]
  return {
    user,
    system: texts.join('\n'),
    forAll: !texts.some(isForSome),
    nothing: texts.every(saysNothing),
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Not every system has one; and what cannot be listed is not read by ssh either.
    return []
  }
}

/** Whether something is said of some hosts only, or in a file that was not looked into. */
const isForSome = (text: string): boolean =>
  /^[ \t]*"?(?:match\b|include\b|host\b(?![ \t=]+\*[ \t]*$)|hostname\b|canonical)/im.test(text)

/** Whether a file has only what Debian's own has: comments, and words about logins from a terminal. */
const saysNothing = (text: string): boolean =>
  text
    .split('\n')
    .every((line) => /^\s*(?:$|#|host\s+\*\s*$|(?:sendenv|hashknownhosts|gssapiauthentication)\s)/i.test(line))

/** What OpenSSH does where nothing is configured, as far as it concerns us (ssh_config(5)). */
const ownDefaults = (
  { home, system }: ConfigPlace,
  { system: text }: Pick<ConfigFiles, 'system'>,
): Map<string, string[]> =>
  new Map([
    ['identityfile', ['id_rsa', 'id_ecdsa', 'id_ed25519'].map((name) => join(home, '.ssh', name))],
    ['userknownhostsfile', [join(home, '.ssh', 'known_hosts')]],
    ['globalknownhostsfile', [join(system, 'ssh_known_hosts')]],
    ['hashknownhosts', [/^\s*hashknownhosts\s+yes\s*$/im.test(text) ? 'yes' : 'no']],
  ])

/** ssh_config without OpenSSH: the library follows neither Include nor Match, and passes over what it does not know. */
async function readWithout(login: SshLogin, files: ConfigFiles, place: ConfigPlace): Promise<ConfigWords> {
  const { default: Library } = await import('ssh-config')
  const words = ownDefaults(place, files)
  const said = new Set<string>()
  for (const [name, text] of Object.entries({ '~/.ssh/config': files.user, '/etc/ssh/ssh_config': files.system })) {
    refuseWithout(name, text)
    const computed = Library.parse(text).compute(login.address, { ignoreCase: true })
    for (const [key, value] of Object.entries(computed)) {
      const word = key.toLowerCase()
      // Of two files, the user's comes first.
      if (said.has(word)) continue
      words.set(word, Array.isArray(value) ? value : [value])
    }
    for (const key of Object.keys(computed)) said.add(key.toLowerCase())
  }
  return words
}

function refuseWithout(file: string, text: string): void {
  for (const [index, line] of text.split('\n').entries()) {
    const [, word] = /^[ \t]*(include|match)\b/i.exec(line) ?? []
    if (word === undefined) continue
    throw new NetopsError('usage', {
      message: `${file}:${index + 1}: ${word} cannot be followed without OpenSSH's own client`,
      hint: 'install it (apt-get install openssh-client), or say in the fleet file how to log in',
    })
  }
}
