// A host over SSH: one connection, a channel a command, the host key checked before anything is said.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import ssh2, { type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { readTextIfAny } from '../../system/files.ts'
import type { ExecResult } from '../../system/exec.ts'
import { quoteCommand } from './quote.ts'
import { collect, left, markedCommand, stopper, type Opened } from './ssh-command.ts'
import { judgeHostKey, knownKeyTypes } from './ssh-known-hosts.ts'
import type { HostConnection, RunOptions } from './port.ts'

export interface SshTarget {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly user: string
  /** A private key file without passphrase; the agent of the environment is asked too. */
  readonly identity: string | undefined
  readonly knownHosts: string
  readonly agent: string | undefined
}

const connectTimeoutMs = 15_000
// sshd_config(5): MaxSessions is 10 by default; the rest of the commands wait for a free one. sshd frees a session a
// moment after its channel has closed, so an opening that is refused is tried again before the host counts as lost.
const channelsAtOnce = 6
const openRetries = { times: 10, delayMs: 50 }
// A host that answers none of three probes, 10 s apart, is lost.
const keepalive = { keepaliveInterval: 10_000, keepaliveCountMax: 3 }

/**
 * Connects to a host and checks its key.
 * @throws NetopsError `refused` for an unknown, changed or revoked host key; `unreachable` for everything else
 */
export async function connectSsh(target: SshTarget): Promise<HostConnection> {
  const known = (await readTextIfAny(target.knownHosts)) ?? ''
  const client = new ssh2.Client()
  let refusal: NetopsError | undefined
  const config: ConnectConfig = {
    host: target.address,
    port: target.port,
    username: target.user,
    readyTimeout: connectTimeoutMs,
    ...keepalive,
    ...(target.agent === undefined ? {} : { agent: target.agent }),
    ...(target.identity === undefined ? {} : { privateKey: await readIdentity(target, target.identity) }),
    ...hostKeyTypes(known, target),
    hostVerifier: (key: Buffer) => {
      refusal = judge(known, target, key)
      return refusal === undefined
    },
  }
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('ready', resolve)
      // More than one error may come: the agent's, then that no key was accepted.
      client.on('error', (error) => reject(refusal ?? unreachable(target, error)))
      client.connect(config)
      client.setNoDelay(true)
    })
  } catch (error) {
    client.destroy()
    throw error
  }
  return new SshConnection(target, client)
}

class SshConnection implements HostConnection {
  readonly name: string
  readonly #client: ssh2.Client
  readonly #target: SshTarget
  readonly #lost: Promise<never>
  readonly #closed: Promise<unknown>
  readonly #waiting: (() => void)[] = []
  #open = 0

  constructor(target: SshTarget, client: ssh2.Client) {
    this.name = target.name
    this.#target = target
    this.#client = client
    this.#closed = once(client, 'close')
    this.#closed.catch(noOneWaits)
    this.#lost = new Promise((_, reject) => {
      client.on('error', (error) => reject(unreachable(target, error)))
      client.on('close', () => reject(unreachable(target, new Error('the connection was closed'))))
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

  async #runNow(argv: readonly string[], options: RunOptions): Promise<ExecResult> {
    if (options.signal?.aborted === true) throw left(argv)
    // Only what may be stopped has to be found again on the host.
    const line = options.signal === undefined ? quoteCommand(argv) : markedCommand(argv)
    const opened = await Promise.race([this.#openChannel(line, options), this.#lost])
    const stopped = stopper(opened, argv, { ...options, kill: (signal, group) => this.#kill(signal, group) })
    try {
      const ended = await Promise.race([opened.result, stopped.promise, this.#lost])
      // What was told to stop has not ended by itself, whatever its code is.
      return stopped.isStopping() ? await Promise.race([stopped.promise, this.#lost]) : ended
    } finally {
      stopped.clear()
    }
  }

  /** Signals a process group on the host, over a channel of its own: sshd passes no signals on where root has logged in. */
  async #kill(signal: 'TERM' | 'KILL', group: number): Promise<void> {
    const { result } = await this.#openChannel(quoteCommand(['kill', `-${signal}`, '--', `-${group}`]), {})
    await result
  }

  async close(): Promise<void> {
    this.#client.end()
    const giveUp = setTimeout(() => this.#client.destroy(), 2000)
    // A connection that was lost has closed before, and may have done so with an error.
    await this.#closed.catch(noOneWaits)
    clearTimeout(giveUp)
  }

  async #openChannel(line: string, options: RunOptions): Promise<Opened> {
    for (let attempt = 1; ; attempt += 1) {
      const opened = await new Promise<Opened | Error>((resolve) => {
        // Listening begins in this very call: a quick command has ended before the next turn of the event loop.
        this.#client.exec(line, (error, channel) => resolve(error ?? collect(channel, options)))
      })
      if (!(opened instanceof Error)) return opened
      if (attempt > openRetries.times) throw unreachable(this.#target, opened)
      await sleep(openRetries.delayMs)
    }
  }
}

async function readIdentity(target: SshTarget, path: string): Promise<string> {
  const key = await readTextIfAny(path)
  if (key !== undefined) return key
  throw new NetopsError('usage', {
    host: target.name,
    message: `the private key ${path} is not there`,
    hint: 'name an existing key as ssh.identity in the fleet file',
  })
}

const hostKeyAlgorithms: readonly ServerHostKeyAlgorithm[] = [
  ...(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'] as const),
  ...(['rsa-sha2-512', 'rsa-sha2-256'] as const),
]

/** Asks for the key types that are on file first: a host with several keys presents one that can be checked. */
function hostKeyTypes(known: string, target: SshTarget): ConnectConfig {
  const types = knownKeyTypes(known, target.address, target.port)
  const onFile = (name: string): boolean => types.includes(name.startsWith('rsa-') ? 'ssh-rsa' : name)
  const others = hostKeyAlgorithms.filter((name) => !onFile(name))
  return { algorithms: { serverHostKey: [...hostKeyAlgorithms.filter(onFile), ...others] } }
}

function judge(known: string, target: SshTarget, key: Buffer): NetopsError | undefined {
  const verdict = judgeHostKey(known, target.address, target.port, key)
  if (verdict.kind === 'known') return undefined
  const fingerprint = `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
  const where = `${target.address} port ${target.port}`
  if (verdict.kind === 'unknown') {
    return new NetopsError('refused', {
      host: target.name,
      message: `the host key of ${where} is unknown: ${fingerprint} is not in ${target.knownHosts}`,
      hint: `compare it with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add it to known_hosts`,
    })
  }
  return new NetopsError('refused', {
    host: target.name,
    message: `the host key of ${where} is ${verdict.kind}: it presents ${fingerprint}, against ${target.knownHosts}:${verdict.line}`,
    hint: 'someone may be in between; only when you know why the key is another, replace that line',
  })
}

function unreachable(target: SshTarget, error: Error): NetopsError {
  return new NetopsError('unreachable', {
    host: target.name,
    message: `cannot reach ${target.user}@${target.address} port ${target.port}: ${messageOf(error)}`,
    hint: `try: ssh -p ${target.port} ${target.user}@${target.address} true`,
    cause: error,
  })
}

const noOneWaits = (): void => undefined
