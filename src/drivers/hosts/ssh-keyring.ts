// The keys to log in with: those of the agent and of files, each read once for all hosts; a passphrase is asked for once.
import type { BaseAgent, ParsedKey } from 'ssh2'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { readFileUpToNow } from '../../system/bounded.ts'
import { readTextIfAny } from '../../system/files.ts'
import { loadSsh2 } from './ssh-transport.ts'
import { WireReader } from './ssh-wire.ts'

/** Asks whoever sits at the terminal, without showing what they type; an empty answer where they leave it. */
export type AskSecret = (question: string) => Promise<string>

/** A private key file as it is found. */
export type Identity =
  | { readonly kind: 'open'; readonly path: string; readonly key: ParsedKey }
  | { readonly kind: 'locked'; readonly path: string; readonly text: string; readonly publicKey: Buffer | undefined }
  | { readonly kind: 'missing'; readonly path: string }
  | { readonly kind: 'unusable'; readonly path: string; readonly reason: string }

export interface AgentKeys {
  readonly keys: readonly ParsedKey[]
  /** Why there are none, where the agent does not answer. */
  readonly fault?: string
}

// ssh_config(5), NumberOfPasswordPrompts.
const attempts = 3

export class Keyring {
  readonly #ask: AskSecret | undefined
  readonly #agents = new Map<string, Promise<AgentKeys>>()
  readonly #files = new Map<string, Promise<Identity>>()
  readonly #unlocked = new Map<string, Promise<ParsedKey | undefined>>()
  /** One question at a time. */
  #asking: Promise<unknown> = Promise.resolve()

  constructor(ask: AskSecret | undefined) {
    this.#ask = ask
  }

  /** Whether somebody can be asked for a passphrase. */
  get canAsk(): boolean {
    return this.#ask !== undefined
  }

  /** The keys that an agent holds. */
  agentKeys(socket: string): Promise<AgentKeys> {
    return remembered(this.#agents, socket, () => askAgent(socket))
  }

  /** A private key file, without asking for its passphrase. */
  identity(path: string): Promise<Identity> {
    return remembered(this.#files, path, () => readIdentity(path))
  }

  /** The key of a locked file if it was unlocked already. */
  unlocked(path: string): Promise<ParsedKey | undefined> {
    return this.#unlocked.get(path) ?? Promise.resolve(undefined)
  }

  /**
   * Unlocks a file: its passphrase is asked for once, whatever the number of hosts.
   * @returns undefined where nobody can be asked, or gives none
   * @throws NetopsError `usage` after three wrong ones
   */
  unlock({ path, text }: Extract<Identity, { kind: 'locked' }>): Promise<ParsedKey | undefined> {
    return remembered(this.#unlocked, path, async () => {
      const ask = this.#ask
      if (ask === undefined) return undefined
      const before = this.#asking
      const answered = Promise.withResolvers<undefined>()
      this.#asking = answered.promise
      await before
      try {
        return await unlockWith(path, text, ask)
      } finally {
        answered.resolve(undefined)
      }
    })
  }
}

function remembered<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const there = known.get(key)
  if (there !== undefined) return there
  const made = make()
  known.set(key, made)
  return made
}

async function unlockWith(path: string, text: string, ask: AskSecret): Promise<ParsedKey | undefined> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const again = attempt === 1 ? '' : 'That is not it. '
    const passphrase = await ask(`${again}Passphrase of ${path}: `)
    if (passphrase === '') return undefined
    const key = await parse(text, passphrase)
    if (!(key instanceof Error)) return key
  }
  throw new NetopsError('usage', {
    message: `${attempts} wrong passphrases for ${path}`,
    hint: `try: ${quoteCommand(['ssh-keygen', '-y', '-f', path])}, or load it into an agent: ${quoteCommand(['ssh-add', path])}`,
  })
}

async function askAgent(socket: string): Promise<AgentKeys> {
  const { OpenSSHAgent } = await loadSsh2()
  return new Promise((resolve) => {
    new OpenSSHAgent(socket).getIdentities((error, keys) => {
      if (error) resolve({ keys: [], fault: `the agent at ${socket} does not answer` })
      // Certificates and other keys that ssh2 cannot read are not in the list.
      else resolve({ keys: (keys ?? []).filter((key): key is ParsedKey => 'getPublicSSH' in (key as object)) })
    })
  })
}

// An RSA key of 16384 bits has 13 KB.
const mostOfKey = 2 ** 20

async function readIdentity(path: string): Promise<Identity> {
  let text: string
  try {
    text = readFileUpToNow(path, mostOfKey).toString('utf8')
  } catch (error) {
    return systemCode(error) === 'ENOENT'
      ? { kind: 'missing', path }
      : { kind: 'unusable', path, reason: messageOf(error) }
  }
  const key = await parse(text)
  if (!(key instanceof Error)) return { kind: 'open', path, key }
  if (!/encrypted/i.test(key.message)) return { kind: 'unusable', path, reason: key.message }
  return { kind: 'locked', path, text, publicKey: publicKeyIn(text) ?? (await publicKeyBeside(path)) }
}

async function parse(text: string, passphrase?: string): Promise<ParsedKey | Error> {
  const { utils } = await loadSsh2()
  const parsed: unknown = utils.parseKey(text, passphrase)
  const [key] = Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]
  if (key instanceof Error) return key
  const usable = key as ParsedKey
  return usable.isPrivateKey() ? usable : new Error('it holds no private key')
}

/** OpenSSH's own format keeps the public key in the clear (its PROTOCOL.key). */
function publicKeyIn(text: string): Buffer | undefined {
  const [, body] = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(text) ?? []
  if (body === undefined) return undefined
  const reader = new WireReader(Buffer.from(body, 'base64'))
  reader.take('openssh-key-v1\0'.length)
  reader.string() // the cipher
  reader.string() // how its key is derived
  reader.string() // with which options
  reader.uint32()
  return reader.string()
}

async function publicKeyBeside(path: string): Promise<Buffer | undefined> {
  const [, key] = ((await readTextIfAny(`${path}.pub`, mostOfKey)) ?? '').split(' ')
  return key === undefined ? undefined : Buffer.from(key, 'base64')
}

/** An agent that offers some of its keys, without being asked for the list again. */
export async function agentOffering(socket: string, keys: readonly ParsedKey[]): Promise<BaseAgent> {
  const { OpenSSHAgent } = await loadSsh2()
  const agent = new OpenSSHAgent(socket)
  agent.getIdentities = (callback) => callback(null, [...keys])
  return agent
}
