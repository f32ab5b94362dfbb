// Which keys a host is offered, in which order, and what is said when it takes none of them.
import type { AnyAuthMethod, AuthHandlerMiddleware, ParsedKey } from 'ssh2'
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { agentOffering, type Identity, type Keyring } from './ssh-keyring.ts'
import type { SshSettings } from './ssh-settings.ts'

type Locked = Extract<Identity, { kind: 'locked' }>

interface Offer {
  readonly label: string
  readonly method: AnyAuthMethod
}

/** What there is to log in with. */
export interface Credentials {
  readonly offers: readonly Offer[]
  /** Keys whose passphrase is not known yet, the one of the fleet file first. */
  readonly locked: readonly Locked[]
  /** What could not be used, for messages. */
  readonly faults: readonly string[]
}

/**
 * As OpenSSH orders them: keys that were named and need no passphrase (or that the agent holds), then the other keys of the
 * agent, then files with the usual names. sshd takes six at most (sshd_config(5), MaxAuthTries), so each is offered once.
 * @throws NetopsError `usage` when the key that the fleet file names is not there
 */
export async function credentialsFor(settings: SshSettings, keyring: Keyring): Promise<Credentials> {
  const { agent, identity, identitiesOnly, user } = settings
  const held = agent === undefined ? { keys: [] } : await keyring.agentKeys(agent)
  const named = identity === undefined ? [] : [await keyring.identity(identity)]
  requireKey(settings, named[0])
  const usual = await Promise.all(
    settings.identities.filter((path) => path !== identity).map((path) => keyring.identity(path)),
  )
  const offered = new Set<string>()
  const locked: Locked[] = []
  const offers: Offer[] = []
  const offer = async (key: ParsedKey, label: string, inAgent: boolean): Promise<void> => {
    const id = key.getPublicSSH().toString('base64')
    if (offered.has(id)) return
    offered.add(id)
    const method: AnyAuthMethod =
      inAgent && agent !== undefined
        ? { type: 'agent', username: user, agent: await agentOffering(agent, [key]) }
        : { type: 'publickey', username: user, key }
    offers.push({ label, method })
  }
  const fromFile = async (one: Identity): Promise<void> => {
    if (one.kind === 'open') return offer(one.key, one.path, false)
    if (one.kind !== 'locked') return
    const inAgent = held.keys.find((key) => one.publicKey !== undefined && key.getPublicSSH().equals(one.publicKey))
    if (inAgent !== undefined) return offer(inAgent, `${one.path} (in the agent)`, true)
    const key = await keyring.unlocked(one.path)
    if (key === undefined) locked.push(one)
    else await offer(key, one.path, false)
  }
  for (const one of named) await fromFile(one)
  const known = publicKeys([...named, ...usual])
  for (const key of held.keys) {
    const wanted = !identitiesOnly || known.some((one) => one.equals(key.getPublicSSH()))
    if (wanted) await offer(key, `${key.comment || key.type} (in the agent)`, true)
  }
  for (const one of usual) await fromFile(one)
  const unusable = [...named, ...usual].flatMap((one) =>
    one.kind === 'unusable' ? [`${one.path}: ${one.reason}`] : [],
  )
  return { offers, locked, faults: [...('fault' in held ? [held.fault] : []), ...unusable] }
}

const publicKeys = (identities: readonly Identity[]): readonly Buffer[] =>
  identities.flatMap((one) => {
    if (one.kind === 'open') return [one.key.getPublicSSH()]
    return one.kind === 'locked' && one.publicKey !== undefined ? [one.publicKey] : []
  })

function requireKey({ name, identity }: SshSettings, found: Identity | undefined): void {
  if (found === undefined || found.kind === 'open' || found.kind === 'locked') return
  const what = found.kind === 'missing' ? 'is not there' : `cannot be used: ${found.reason}`
  throw new NetopsError('usage', {
    host: name,
    message: `the private key ${identity ?? ''} ${what}`,
    hint: 'name an existing key as ssh.identity in the fleet file',
  })
}

/** What was tried with one host. */
export interface Tried {
  readonly labels: string[]
  /** The methods by which the host would let somebody in. */
  methods: readonly string[]
}

/** Offers one key after the other; what was tried is written down. */
export function authHandler({ offers }: Credentials, tried: Tried): AuthHandlerMiddleware {
  const left = [...offers]
  return (methods: readonly string[] | null, _partial, next) => {
    if (methods !== null) tried.methods = methods
    const offer = methods === null || methods.includes('publickey') ? left.shift() : undefined
    if (offer === undefined) {
      // ssh2 takes false for: nothing is left. Its types do not say so.
      next(false as never)
      return
    }
    tried.labels.push(offer.label)
    next(offer.method)
  }
}

/** Why a host let nobody in, and what to do. */
export function explainRefusal(tried: Tried, { locked, faults }: Credentials): { message: string; hint?: string } {
  const keys =
    tried.labels.length === 0 ? 'there is no key to log in with' : `it takes none of ${tried.labels.join(', ')}`
  const instead = tried.methods.filter((method) => method !== 'publickey')
  const reasons = [
    keys,
    ...(tried.methods.length > 0 && !tried.methods.includes('publickey')
      ? [`it lets nobody in by key, only by ${instead.join(', ')}`]
      : []),
    ...locked.map(({ path }) => `${path} has a passphrase that nobody gave`),
    ...faults,
  ]
  const [first] = locked
  return {
    message: reasons.join('; '),
    ...(first === undefined ? {} : { hint: `load the key into an agent: ${quoteCommand(['ssh-add', first.path])}` }),
  }
}
