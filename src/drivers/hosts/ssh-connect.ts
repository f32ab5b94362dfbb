// From a login to a connection: settings, the way there, the host's key, a key of ours. What can be shared by all hosts of a
// command (ssh_config, keys, passphrases, hosts on the way) is.
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, ConnectConfig } from 'ssh2'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { algorithmsOf } from './ssh-algorithms.ts'
import { authHandler, credentialsFor, explainRefusal, type Credentials, type Tried } from './ssh-auth.ts'
import { SshConfig } from './ssh-config.ts'
import type { HostKeys } from './ssh-host-keys.ts'
import { Keyring, type AskSecret } from './ssh-keyring.ts'
import { dialDirectly, dialThrough, isTransient, reached, unreachable } from './ssh-dial.ts'
import { sshCommand } from './ssh-hint.ts'
import { inProxysWords } from './ssh-proxy.ts'
import { settingsOf, type Hop, type SshLogin, type SshSettings } from './ssh-settings.ts'
import { leaveOutHabits, loadSsh2 } from './ssh-transport.ts'

/** What of the outside connections may use. */
export interface SshOutside {
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether the key of a host that is not on file is written down instead of refused. */
  readonly acceptNewHostKeys: boolean
  /** Asks for a passphrase; undefined where nobody is there to ask. */
  readonly ask: AskSecret | undefined
  /** Where the operator hears of keys that were pinned. */
  readonly tell: (line: string) => void
}

/** A client that is logged in, and how to leave it. */
export interface LoggedIn {
  readonly client: Client
  readonly settings: SshSettings
  /** Gives back what it shares with others; called once it has closed. */
  readonly release: () => void
}

// Handshakes are work for both sides, and sshd drops some of more than ten at once that come through one host
// (sshd_config(5), MaxStartups); commands on hosts that are connected are not counted.
const handshakesAtOnce = 50
const longestWay = 8
// A host that restarts its sshd, or drops connections because too many came at once, has a moment to come back.
const backOffMs = [250, 1000, 3000]

/** Connects to the hosts of one command. */
export class SshConnector {
  readonly #outside: SshOutside
  readonly #config: SshConfig
  readonly #keyring: Keyring
  readonly #hops = new Map<string, SharedHop>()
  readonly #waiting: (() => void)[] = []
  #handshakes = 0
  #hostKeys: Promise<HostKeys> | undefined

  constructor(outside: SshOutside) {
    this.#outside = outside
    this.#config = new SshConfig({ home: outside.home, system: '/etc/ssh', path: outside.env.PATH })
    this.#keyring = new Keyring(outside.ask)
  }

  /**
   * Logs in to a host.
   * @throws NetopsError `refused` for an unknown, changed or revoked host key; `usage` for what cannot be followed;
   * `unreachable` for everything else
   */
  async logIn(login: SshLogin, depth = 0): Promise<LoggedIn> {
    if (depth > longestWay) {
      throw new NetopsError('usage', { host: login.name, message: 'the hosts on the way lead in a circle' })
    }
    const settings = await this.settings(login)
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#tryOnce(settings, login, depth)
      } catch (error) {
        if (!isTransient(error) || attempt >= settings.attempts) throw error
        const pause = backOffMs[Math.min(attempt, backOffMs.length) - 1] ?? 0
        // Hosts that were dropped together must not come back together.
        await sleep(pause * (0.75 + Math.random() / 2))
      }
    }
  }

  /**
   * How a host is reached, by the fleet file and ssh_config together; nothing is connected to.
   * @throws NetopsError `usage` for what cannot be read or followed
   */
  async settings(login: SshLogin): Promise<SshSettings> {
    const { words, defaults } = await this.#config.read(login)
    const { home, env } = this.#outside
    const settings = settingsOf(login, words, { home, env, defaults })
    // `Host *` with a ProxyJump is about the jump host too, which then leads to itself.
    const leadsToItself = settings.hops.some(
      ({ address, port = 22 }) => address === settings.address && port === settings.port,
    )
    return leadsToItself ? { ...settings, hops: [] } : settings
  }

  async #tryOnce(settings: SshSettings, login: SshLogin, depth: number): Promise<LoggedIn> {
    const hop = settings.hops.length === 0 ? undefined : await this.#takeHop(settings.hops, login, depth)
    try {
      const dial = (): Promise<Duplex> =>
        hop === undefined ? dialDirectly(settings, this.#outside.tell) : dialThrough(hop.way, settings)
      const client = await this.#logInOver(settings, dial)
      const release = (): void => hop?.giveBack()
      return { client, settings, release }
    } catch (error) {
      hop?.giveBack()
      throw error
    }
  }

  async #logInOver(settings: SshSettings, dial: () => Promise<Duplex>): Promise<Client> {
    for (;;) {
      const client = await this.#inTurn(() => this.#attempt(settings, dial))
      if (client !== undefined) return client
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    while (this.#handshakes >= handshakesAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#handshakes += 1
    try {
      return await work()
    } finally {
      this.#handshakes -= 1
      this.#waiting.shift()?.()
    }
  }

  /**
   * Tries the keys that are open; where they do not do, unlocks one that needs a passphrase.
   * @returns undefined where another attempt has one key more
   */
  async #attempt(settings: SshSettings, dial: () => Promise<Duplex>): Promise<Client | undefined> {
    // The host begins its part while keys are read here, and ssh2 is loaded.
    const way = dial()
    // It may be lost before ssh2 listens; that is found out when it is used.
    way.then((socket) => socket.on('error', noOneWaits)).catch(noOneWaits)
    let client: Client | undefined
    try {
      const credentials = await credentialsFor(settings, this.#keyring)
      const [locked] = credentials.locked
      const unlocks = async (): Promise<boolean> =>
        locked !== undefined && this.#keyring.canAsk && (await this.#keyring.unlock(locked)) !== undefined
      if (credentials.offers.length === 0 && (await unlocks())) return undefined
      try {
        client = await this.#shakeHands(settings, credentials, { way, dial })
      } catch (error) {
        if (!(error instanceof LoginRefused)) throw await inProxysWords(settings, error)
        if (!(await unlocks())) throw error
      }
      return client
    } finally {
      if (client === undefined) way.then((socket) => socket.destroy()).catch(noOneWaits)
    }
  }

  async #shakeHands(
    settings: SshSettings,
    credentials: Credentials,
    { way, dial }: { readonly way: Promise<Duplex>; readonly dial: () => Promise<Duplex> },
  ): Promise<Client> {
    const hostKeys = await (this.#hostKeys ??= loadHostKeys(this.#outside))
    const expected = await hostKeys.expected(settings, dial)
    const tried: Tried = { labels: [], methods: [] }
    let refusal: NetopsError | undefined
    let shown: Buffer | undefined
    const config: ConnectConfig = {
      sock: await reached(way, settings),
      username: settings.user,
      readyTimeout: settings.connectTimeoutMs,
      keepaliveInterval: settings.keepalive.everyMs,
      keepaliveCountMax: settings.keepalive.times,
      algorithms: algorithmsOf(settings, expected.types),
      authHandler: authHandler(credentials, tried),
      hostVerifier: (key: Buffer, verify: (known: boolean) => void) => {
        // Keys are exchanged again later (sshd_config(5), RekeyLimit), and then at once: while ssh2 waits for an answer it
        // lets packets pass that must wait, and the connection is broken.
        if (shown !== undefined) return verify(shown.equals(key))
        shown = Buffer.from(key)
        void hostKeys
          .judge(settings, expected, key)
          .catch((thrown: unknown) => unreachable(settings, thrown))
          .then((fault) => {
            refusal = fault
            verify(fault === undefined)
          })
      },
    }
    const { Client: Ssh2Client } = await loadSsh2()
    const client = new Ssh2Client()
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve)
        client.on('error', (error: Error & { level?: string }) => {
          // The agent did not sign: the next key is tried.
          if (error.level === 'agent') return
          if (refusal !== undefined) reject(refusal)
          else if (isAboutKeys(error)) reject(new LoginRefused(settings, explainRefusal(tried, credentials)))
          else reject(unreachable(settings, error))
        })
        client.once('close', () => reject(unreachable(settings, new Error('the host ended the connection'))))
        client.connect(config)
        leaveOutHabits(client)
        client.setNoDelay(true)
      })
    } catch (error) {
      client.destroy()
      throw error
    }
    return client
  }

  /** A host on the way, shared by all hosts behind it. */
  async #takeHop(hops: readonly Hop[], login: SshLogin, depth: number) {
    const key = JSON.stringify([hops, login.identity, login.knownHosts])
    const there = this.#hops.get(key)
    const forget = (): void => {
      // Another may have taken its place by now.
      if (this.#hops.get(key) === hop) this.#hops.delete(key)
    }
    const hop: SharedHop = there ?? new SharedHop(this.logIn(hopLogin(hops, login), depth + 1), forget)
    this.#hops.set(key, hop)
    hop.take()
    try {
      return { way: await hop.ready, giveBack: () => hop.giveBack() }
    } catch (error) {
      hop.giveBack()
      throw behind(hops, login, error)
    }
  }
}

/** Host keys are for after the connection, and what judges them takes as long to load as that takes to be made. */
const loadHostKeys = async ({ acceptNewHostKeys, tell }: SshOutside): Promise<HostKeys> =>
  new (await import('./ssh-host-keys.ts')).HostKeys(acceptNewHostKeys, tell)

class SharedHop {
  readonly ready: Promise<LoggedIn>
  readonly #forget: () => void
  #users = 0

  constructor(ready: Promise<LoggedIn>, forget: () => void) {
    this.ready = ready
    this.#forget = forget
    ready.then(
      // One that is lost is not given to anybody else.
      ({ client, release }) => client.once('close', () => [forget(), release()]).on('error', forget),
      forget,
    )
  }

  take(): void {
    this.#users += 1
  }

  giveBack(): void {
    this.#users -= 1
    if (this.#users > 0) return
    this.#forget()
    this.ready.then(
      ({ client }) => client.end(),
      () => undefined,
    )
  }
}

/** The last of the hops, which the others lead to. It is logged in to as ssh_config says, with the fleet's key. */
function hopLogin(hops: readonly Hop[], { name, identity, knownHosts, connectTimeoutMs }: SshLogin): SshLogin {
  const last = hops.at(-1) ?? { address: '' }
  const before = hops.slice(0, -1)
  return {
    name,
    address: last.address,
    port: last.port,
    user: last.user,
    ...{ identity, knownHosts, connectTimeoutMs },
    ...(before.length === 0 ? {} : { jump: before.map(showHop).join(',') }),
  }
}

export const showHop = ({ user, address, port }: Hop): string =>
  `${user === undefined ? '' : `${user}@`}${address.includes(':') ? `[${address}]` : address}${port === undefined ? '' : `:${port}`}`

/** What went wrong on the way, as it concerns the host behind. */
function behind(hops: readonly Hop[], { name, address }: SshLogin, error: unknown): NetopsError {
  const known = error instanceof NetopsError ? error : undefined
  return new NetopsError(known?.code ?? 'unreachable', {
    host: name,
    message: `${address} is behind ${hops.map(showHop).join(', ')}: ${messageOf(error)}`,
    hint: known?.hint,
    cause: error,
  })
}

class LoginRefused extends NetopsError {
  constructor(settings: SshSettings, { message, hint }: { message: string; hint?: string }) {
    const { name, user, address, port } = settings
    super('unreachable', {
      host: name,
      message: `cannot log in to ${user}@${address} port ${port}: ${message}`,
      hint: hint ?? `try: ${sshCommand(settings, 'true')}`,
    })
  }
}

const isAboutKeys = (error: Error & { level?: string }): boolean =>
  error.level === 'client-authentication' || /too many authentication failures/i.test(error.message)

/** Takes an event, or a failure, that somebody else hears of. */
export const noOneWaits = (): void => undefined
