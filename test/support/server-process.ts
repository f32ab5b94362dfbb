// network_server as a process of a test: started, asked over HTTP, ended. The executable that users run, which also starts in
// a third of the time that Node takes for the sources.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { get as getOverTls } from 'node:https'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectOverTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject } from 'vitest'

export const checkout = join(import.meta.dirname, '../..')
/** The built server. */
export const serverFile = (): string => inject('builds').server1

// The environment of the tests must not configure the server.
const cleanEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:NETWORK_|NODE_|VITEST)/.test(name)),
)

/** This test's folder and free ports, new for each test, or for each block of tests that shares its servers. */
export const here = { root: '', ports: { server: 0, tls: 0, metrics: 0 } }
const running = new Set<ChildProcess>()

/**
 * Call once in a test file: gives each test its folder and ports, and ends what it started.
 * @param each whose they are: with `block`, of all tests of the block that calls it
 */
export function useServers(each: 'test' | 'block' = 'test'): void {
  const [before, after] = each === 'test' ? [beforeEach, afterEach] : [beforeAll, afterAll]
  before(async () => {
    here.root = await mkdtemp(join(tmpdir(), 'netops-server-'))
    const [server = 0, tls = 0, metrics = 0] = await freePorts(3)
    here.ports = { server, tls, metrics }
  })
  after(async () => {
    for (const child of running) child.kill('SIGKILL')
    await Promise.all([...running].map((child) => exitOf(child)))
    running.clear()
    await rm(here.root, { recursive: true })
  })
}

/** Different ones: the kernel may give the same port again as soon as nobody holds it. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  for (const server of servers) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  return ports
}

export const freePort = async (): Promise<number> => (await freePorts(1))[0] ?? 0

export interface LogLine {
  readonly level: string
  readonly time: string
  readonly release: string
  readonly msg: string
  readonly [key: string]: unknown
}

export interface Running {
  readonly child: ChildProcess
  readonly lines: () => readonly LogLine[]
  readonly errors: () => string
  readonly logged: (msg: string) => Promise<LogLine>
  readonly exit: Promise<number | string | null>
}

export interface Start {
  readonly config?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Another executable than the built one. */
  readonly program?: string
}

/** @param auth what requests need */
export const baseConfig = (auth: 'token' | 'none' = 'none') =>
  [
    `server: { host: 127.0.0.1, port: ${here.ports.server} }`,
    `metrics: { port: ${here.ports.metrics} }`,
    `security: { auth: ${auth} }`,
    '',
  ].join('\n')

export async function start({
  config = baseConfig(),
  args,
  env,
  program = serverFile(),
}: Start = {}): Promise<Running> {
  const file = join(here.root, 'config.yaml')
  await writeFile(file, config)
  const child = spawn(program, args ?? ['--config', file, '--root', here.root], {
    env: { ...cleanEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const lines = () =>
    out
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine)
  return {
    child,
    lines,
    errors: () => err,
    exit: exitOf(child),
    logged: (msg) =>
      eventually(() => {
        const line = lines().find((one) => one.msg === msg)
        if (line === undefined) throw new Error(`no line ${JSON.stringify(msg)} in:\n${out}${err}`)
        return line
      }),
  }
}

export async function startReady(options: Start = {}): Promise<Running> {
  const server = await start(options)
  await server.logged('ready')
  return server
}

const exitOf = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? child.signalCode)
    else child.once('exit', (code, signal) => resolve(code ?? signal))
  })

/** Tries again until it no longer throws, for at most 20 s. @param pauseMs between two tries */
export async function eventually<T>(attempt: () => T | Promise<T>, pauseMs = 20): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(pauseMs)
    }
  }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

type Headers = Readonly<Record<string, string>>

export const ask = (path: string, port = here.ports.server, headers: Headers = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, headers, agent: false }
    get(options, (response) => readAnswer(response, resolve)).on('error', reject)
  })

/** @param ca the certificate to trust */
export const askOverTls = (path: string, ca: Buffer, headers: Headers = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: here.ports.tls, path, headers, ca, agent: false }
    getOverTls(options, (response) => readAnswer(response, resolve)).on('error', reject)
  })

function readAnswer(response: IncomingMessage, resolve: (answer: Answer) => void): void {
  let body = ''
  response.on('data', (chunk: Buffer) => (body += chunk.toString()))
  response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
}

/** A bare connection: what it was sent, and when it ended. */
export interface Wire {
  readonly socket: Socket
  readonly received: () => string
  readonly ended: Promise<void>
}

export const dial = (port = here.ports.server): Promise<Wire> => wireOf(connect(port, '127.0.0.1'), 'connect')

/** @param ca the certificate to trust */
export const dialOverTls = (ca: Buffer): Promise<Wire> =>
  wireOf(connectOverTls({ port: here.ports.tls, host: '127.0.0.1', ca }), 'secureConnect')

async function wireOf(socket: Socket, ready: 'connect' | 'secureConnect'): Promise<Wire> {
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  // A reset is an end too; what was received tells the difference.
  socket.on('error', () => undefined)
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise<void>((resolve) => socket.once(ready, () => resolve()))
  return { socket, received: () => text, ended }
}

export const received = (wire: Wire, part: string): Promise<void> =>
  eventually(() => expect(wire.received()).toContain(part))

/** The most memory that a process has held so far, in bytes (proc(5): VmHWM). */
export const peakOf = ({ pid = 0 }: ChildProcess): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

/** The value of a metric without labels. */
export const metric = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name} (.*)$`, 'm').exec((await ask('/metrics', here.ports.metrics)).body)?.[1])

/**
 * Resolves when requests to places where nothing is served are answered no more: each connection that sends them is stuck in
 * an answer that its client does not take. Before, one may be between two requests, and give way.
 */
export async function untilStuck(): Promise<void> {
  let before = 0
  await eventually(async () => {
    const { body } = await ask('/metrics', here.ports.metrics)
    const counts = [...body.matchAll(/^network_responses_total\{[^}]*route="other"[^}]*\} (\d+)$/gm)]
    const [last, now] = [before, counts.reduce((sum, [, count]) => sum + Number(count), 0)]
    before = now
    expect([now > 0, now]).toEqual([true, last])
  }, 500)
}

export const isRefused = async (port = here.ports.server): Promise<boolean> =>
  ask('/health/live', port).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED',
  )

export const runToEnd = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const { status, stdout, stderr } = spawnSync(serverFile(), args, {
    env: { ...cleanEnv, ...env },
    encoding: 'utf8',
    timeout: 30_000,
  })
  return { status, stdout, stderr }
}
