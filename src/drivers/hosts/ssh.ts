// A host over SSH: one connection, a channel a command.
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type ssh2 from 'ssh2'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { TooMuch } from '../../system/bounded.ts'
import type { ExecResult } from '../../system/exec.ts'
import { loginLine } from './login-shell.ts'
import type { Endpoint, HostConnection, HostFiles, RunOptions } from './port.ts'
import { becomeRoot, noPrivileges, type Become, type Privileges } from './sudo.ts'
import { collect, isForbidden, left, NoEnd, NotReached, stopper, type Opened } from './ssh-command.ts'
import { noOneWaits, SshConnector, type LoggedIn, type SshOutside } from './ssh-connect.ts'
import { unreachable } from './ssh-dial.ts'
import { inProxysWords } from './ssh-proxy.ts'
import type { SshLogin, SshSettings } from './ssh-settings.ts'
import { homeFolder } from '../../system/account.ts'

/** How to log in to a host, and whether to become root there. */
export interface SshTarget extends SshLogin {
  readonly become?: Become | undefined
}

// sshd_config(5): MaxSessions is 10 by default; the rest of the commands wait for a free one. sshd frees a session a
// moment after its channel has closed, so an opening that is refused is tried again before the host counts as lost.
const channelsAtOnce = 6
const openRetries = { times: 10, delayMs: 50 }
// ssh2 tells of the end of a channel a moment before that of its connection.
const lostWithinMs = 2000

/** Connects to hosts; one for all of a command, so that they share what they can. */
export class SshHosts {
  readonly #connector: SshConnector

  constructor(outside: Partial<SshOutside> = {}) {
    const nobody = { acceptNewHostKeys: false, ask: undefined, tell: noOneWaits }
    this.#connector = new SshConnector({ home: homeFolder(), env: process.env, ...nobody, ...outside })
  }

  /**
   * How a host is reached, without reaching it.
   * @throws NetopsError `usage` for an ssh_config that cannot be read or followed
   */
  settings(target: SshTarget): Promise<SshSettings> {
    return this.#connector.settings(target)
  }

  /**
   * Connects to a host, checks its key, and becomes root there if asked to.
   * @throws NetopsError `refused` for an unknown, changed or revoked host key, and where sudo is refused; `usage` for what
   * cannot be followed; `unreachable` for everything else
   */
  async connect(target: SshTarget): Promise<HostConnection> {
    const connection = new SshConnection(await this.#connector.logIn(target))
    if (target.become === undefined) return connection
    try {
      await connection.become(target.become)
      return connection
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  /**
   * Connects to a host for its files, by SFTP and as the account that logs in.
   * @throws NetopsError as {@link connect}; `failed` where the host has no SFTP
   */
  async files(target: SshTarget): Promise<HostFiles> {
    const connection = new SshConnection(await this.#connector.logIn(target))
    try {
      return await connection.files()
    } catch (error) {
      await connection.close()
      throw error
    }
  }
}

/** Connects to one host alone. */
export const connectSsh = (target: SshTarget, outside: Partial<SshOutside> = {}): Promise<HostConnection> =>
  new SshHosts(outside).connect(target)

class SshConnection implements HostConnection {
  readonly name: string
  readonly #client: ssh2.Client
  readonly #settings: SshSettings
  readonly #lost: Promise<never>
  readonly #closed: Promise<unknown>
  readonly #waiting: (() => void)[] = []
  #privileges: Privileges = noPrivileges
  #open = 0

  constructor({ client, settings, release }: LoggedIn) {
    this.name = settings.name
    this.#settings = settings
    this.#client = client
    this.#closed = once(client, 'close').finally(release)
    this.#closed.catch(noOneWaits)
    this.#lost = new Promise((_, reject) => {
      const lost = (error: Error): void => {
        const reason = unreachable(settings, error)
        if (settings.proxyCommand === undefined) reject(reason)
        else void inProxysWords(settings, reason).then(reject)
      }
      client.on('error', lost)
      client.on('close', () => lost(new Error('the connection was closed')))
    })
    // Whoever is waiting on it hears of it; when nobody is, the next command does.
    this.#lost.catch(noOneWaits)
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<ExecResult> {
    while (this.#open >= channelsAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#open += 1
    try {
      return await this.#runNow(argv, options)
    } finally {
      this.#open -= 1
      this.#waiting.shift()?.()
    }
  }

  async become(become: Become): Promise<void> {
    // As the account that logged in; beside the channels that are counted, because it stays for as long as the connection.
    const run = (argv: readonly string[], options: RunOptions) => this.#runNow(argv, options)
    this.#privileges = await becomeRoot(run, become, this.#settings)
  }

  /** Its files, over a channel beside those that are counted. */
  async files(): Promise<HostFiles> {
    const { filesOver } = await import('./ssh-files.ts')
    const unreachableBy = (error: unknown): NetopsError => unreachable(this.#settings, error)
    return filesOver({ client: this.#client, connection: this, lost: this.#lost, unreachable: unreachableBy })
  }

  open(to: Endpoint): Promise<Duplex> {
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
    const where = 'socket' in to ? to.socket : `${to.host} port ${to.port}`
    const opened = (error: Error | undefined, channel: ssh2.ClientChannel): void => {
      if (error === undefined) return resolve(channel)
      const message = `cannot reach ${where} from there: ${error.message}`
      const hint =
        'socket' in to
          ? // OpenSSH tells both in the same words.
            `may ${this.#settings.user} use it? Or sshd forbids it: AllowStreamLocalForwarding (sshd_config(5))`
          : isForbidden(error)
            ? 'its sshd may forbid it: AllowTcpForwarding, PermitOpen (sshd_config(5))'
            : undefined
      reject(new NetopsError('unreachable', { host: this.name, message, hint, cause: error }))
    }
    try {
      if ('socket' in to) this.#client.openssh_forwardOutStreamLocal(to.socket, opened)
      else this.#client.forwardOut('127.0.0.1', 0, to.host, to.port, opened)
    } catch (error) {
      reject(unreachable(this.#settings, error))
    }
    return Promise.race([promise, this.#lost])
  }

  async close(): Promise<void> {
    this.#privileges.giveUp()
    this.#client.end()
    const giveUp = setTimeout(() => this.#client.destroy(), 2000)
    // A connection that was lost has closed before, and may have done so with an error.
    await this.#closed.catch(noOneWaits)
    clearTimeout(giveUp)
  }

  async #runNow(argv: readonly string[], options: RunOptions): Promise<ExecResult> {
    if (options.signal?.aborted === true) throw left(argv)
    const used = await Promise.race([this.#privileges.use(), this.#lost])
    const opened = await Promise.race([this.#openChannel(argv, options), this.#lost]).catch((error: unknown) => {
      used()
      throw error
    })
    const stopped = stopper(opened, argv, { ...options, kill: (signal, group) => this.#kill(signal, group) })
    try {
      const ended = await Promise.race([opened.result, stopped.promise, this.#lost])
      // What was told to stop has not ended by itself, whatever its code is.
      return stopped.isStopping() ? await Promise.race([stopped.promise, this.#lost]) : ended
    } catch (error) {
      throw stopped.isStopping() && error instanceof NoEnd ? left(argv) : await this.#explain(error)
    } finally {
      stopped.clear()
      used()
    }
  }

  /** What became of a command that did not run to its end. */
  async #explain(error: unknown): Promise<unknown> {
    if (error instanceof NotReached) {
      const { user, address } = this.#settings
      const reason = error.output === '' ? messageOf(error) : `it says: ${error.output}`
      return new NetopsError('unreachable', {
        host: this.name,
        message: `the login shell of ${user} on ${address} does not run commands; ${reason}`,
        hint: `give ${user} a shell that does (${quoteCommand(['chsh', '-s', '/bin/sh', user])}), and take ForceCommand and command= away`,
      })
    }
    if (error instanceof TooMuch) {
      const { port, user, address } = this.#settings
      const hint = `see what it answers: ssh -p ${port} ${user}@${address} true | head -c 1000`
      return new NetopsError(error.code, { host: this.name, message: error.message, hint, cause: error })
    }
    if (!(error instanceof NoEnd)) return error
    await Promise.race([this.#lost, sleep(lostWithinMs, undefined, { ref: false })])
    return unreachable(this.#settings, error)
  }

  /** Signals a process group on the host, over a channel of its own: sshd passes no signals on where root has logged in. */
  async #kill(signal: 'TERM' | 'KILL', group: number): Promise<void> {
    const used = await this.#privileges.use()
    try {
      const { result } = await this.#openChannel(['sh', '-c', `kill -s ${signal} -- -${group}`], {})
      await result
    } finally {
      used()
    }
  }

  async #openChannel(argv: readonly string[], options: RunOptions): Promise<Opened> {
    const line = loginLine([...this.#privileges.prefix, ...argv])
    for (let attempt = 1; ; attempt += 1) {
      const opened = await new Promise<Opened | Error>((resolve) => {
        try {
          // Listening begins in this very call: a quick command has ended before the next turn of the event loop.
          this.#client.exec(line, (error, channel) => resolve(error ?? collect(channel, argv[0] ?? '', options)))
        } catch (error) {
          // ssh2 throws where the connection has gone.
          resolve(new Error(messageOf(error)))
        }
      })
      if (!(opened instanceof Error)) return opened
      // While others of ours are open, one of them may be in the way: MaxSessions is less there.
      if (attempt > openRetries.times && this.#open <= 1) throw unreachable(this.#settings, opened)
      await sleep(openRetries.delayMs)
    }
  }
}
