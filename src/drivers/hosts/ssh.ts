// A host over SSH: one connection, a channel a command, the host key checked before anything is said.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { constants } from 'node:os'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import ssh2, { type ClientChannel, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { readTextIfAny } from '../../system/files.ts'
import type { ExecResult } from '../../system/exec.ts'
import { quoteCommand } from './quote.ts'
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
    const { channel, result } = await Promise.race([this.#openChannel(quoteCommand(argv), options), this.#lost])
    const stopped = stopper(channel, argv, options)
    try {
      return await Promise.race([result, stopped.promise, this.#lost])
    } finally {
      stopped.clear()
    }
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
        this.#client.exec(line, (error, channel) => resolve(error ?? { channel, result: collect(channel, options) }))
      })
      if (!(opened instanceof Error)) return opened
      if (attempt > openRetries.times) throw unreachable(this.#target, opened)
      await sleep(openRetries.delayMs)
    }
  }
}

interface Opened {
  readonly channel: ClientChannel
  readonly result: Promise<ExecResult>
}

async function collect(channel: ClientChannel, options: RunOptions): Promise<ExecResult> {
  const closed = new Promise<number>((resolve) => {
    let code = 255
    channel.on('exit', (exit: number | null, signal?: string) => (code = exit ?? 128 + signalNumber(signal)))
    channel.on('close', () => resolve(code))
  })
  const stderr = text(channel.stderr)
  const stdout = options.onLine === undefined ? text(channel) : lines(channel, options.onLine)
  await feed(channel, options.stdin)
  const code = await closed
  return { code, stdout: await stdout, stderr: await stderr }
}

/** RFC 4254, 6.10: without SIG before its name; a signal that this machine does not know counts as a lost command. */
const signalNumber = (name: string | undefined): number =>
  Object.entries(constants.signals).find(([known]) => known === name || known === `SIG${name ?? ''}`)?.[1] ?? 127

const noOneWaits = (): void => undefined

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}

async function lines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): Promise<string> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) onLine(line)
  return ''
}

async function feed(channel: ClientChannel, stdin: RunOptions['stdin']): Promise<void> {
  try {
    if (stdin !== undefined && 'file' in stdin) {
      await pipeline(createReadStream(stdin.file, { highWaterMark: 256 * 1024 }), channel.stdin)
    } else channel.stdin.end(stdin?.text ?? '')
  } catch (error) {
    // The command ended without reading it all; its exit code and message tell why.
    if (!(error instanceof Error) || !/EPIPE|premature close/i.test(error.message)) throw error
  }
}

function stopper(channel: ClientChannel, argv: readonly string[], options: RunOptions) {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = (error: NetopsError) => {
    channel.close()
    reject(error)
  }
  const onAbort = () => stop(new NetopsError('interrupted', { message: `${argv[0] ?? ''} was left` }))
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) onAbort()
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const message = `${argv[0] ?? ''} did not end within ${options.timeoutMs ?? 0} ms`
          stop(new NetopsError('failed', { message }))
        }, options.timeoutMs)
  promise.catch(noOneWaits)
  return {
    promise,
    clear: () => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', onAbort)
    },
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
