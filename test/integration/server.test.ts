// network_server as a process: started, asked over HTTP, signalled. From source, or the executable that NETOPS_TEST_SERVER names.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { copyFile, link, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const checkout = join(import.meta.dirname, '../..')
const serverCommand: readonly [string, ...string[]] =
  process.env.NETOPS_TEST_SERVER === undefined
    ? [process.execPath, join(checkout, 'src/server/main.ts')]
    : [process.env.NETOPS_TEST_SERVER]

// The environment of the tests must not configure the server.
const cleanEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:NETWORK_|NODE_|VITEST)/.test(name)),
)

let root = ''
let ports = { server: 0, metrics: 0 }
const running = new Set<ChildProcess>()

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'netops-server-'))
  ports = { server: await freePort(), metrics: await freePort() }
})
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all([...running].map((child) => exitOf(child)))
  running.clear()
  await rm(root, { recursive: true })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface LogLine {
  readonly level: string
  readonly time: string
  readonly release: string
  readonly msg: string
  readonly [key: string]: unknown
}

interface Running {
  readonly child: ChildProcess
  readonly lines: () => readonly LogLine[]
  readonly errors: () => string
  readonly logged: (msg: string) => Promise<LogLine>
  readonly exit: Promise<number | string | null>
}

interface Start {
  readonly config?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly command?: readonly [string, ...string[]]
}

const baseConfig = () => `server: { host: 127.0.0.1, port: ${ports.server} }\nmetrics: { port: ${ports.metrics} }\n`

async function start({ config = baseConfig(), args, env, command = serverCommand }: Start = {}): Promise<Running> {
  const file = join(root, 'config.yaml')
  await writeFile(file, config)
  const [program, ...before] = command
  const child = spawn(program, [...before, ...(args ?? ['--config', file, '--root', root])], {
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

async function startReady(options: Start = {}): Promise<Running> {
  const server = await start(options)
  await server.logged('ready')
  return server
}

const exitOf = (child: ChildProcess): Promise<number | string | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? child.signalCode)
    else child.once('exit', (code, signal) => resolve(code ?? signal))
  })

/** Tries again until it no longer throws, for at most 20 s. */
async function eventually<T>(attempt: () => T | Promise<T>): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(20)
    }
  }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

const ask = (path: string, port = ports.server): Promise<Answer> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    }).on('error', reject)
  })

/** A bare connection: what it was sent, and when it ended. */
interface Wire {
  readonly socket: Socket
  readonly received: () => string
  readonly ended: Promise<void>
}

async function dial(): Promise<Wire> {
  const socket = connect(ports.server, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  // A reset is an end too; what was received tells the difference.
  socket.on('error', () => undefined)
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  return { socket, received: () => text, ended }
}

const received = (wire: Wire, part: string): Promise<void> => eventually(() => expect(wire.received()).toContain(part))

const isRefused = async (): Promise<boolean> =>
  ask('/health/live').then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED',
  )

const runToEnd = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
  const [program, ...before] = serverCommand
  const { status, stdout, stderr } = spawnSync(program, [...before, ...args], {
    env: { ...cleanEnv, ...env },
    encoding: 'utf8',
    timeout: 30_000,
  })
  return { status, stdout, stderr }
}

describe('health', () => {
  it('is told in the guide’s shape, and live and ready with the release', async () => {
    await startReady({ env: { NETWORK_RELEASE: '1.2.3-abc' } })
    const health = await ask('/health')
    expect(health.status).toBe(200)
    expect(health.headers['content-type']).toMatch(/^application\/json/)
    expect(health.body).toBe(
      '{"healthy":true,"status":"healthy","checks":{"database":true,"memory":true,"disk":true,"network":true}}',
    )
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: '{"live":true}' })
    const ready = await ask('/health/ready')
    expect(ready).toMatchObject({ status: 200, headers: { 'x-release': '1.2.3-abc' } })
    expect(JSON.parse(ready.body)).toEqual({
      ready: true,
      release: '1.2.3-abc',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    })
  })

  it('names the folder below releases/ that the executable lies in as the release', async () => {
    const folder = join(root, 'opt/network_system/releases/4.5.6-0123456789ab')
    await mkdir(folder, { recursive: true })
    const [program, ...before] = serverCommand
    const installed = join(folder, 'network_server')
    await link(program, installed).catch(() => copyFile(program, installed)) // another file system has no hard link
    await startReady({ command: [installed, ...before], env: { NETWORK_RELEASE: 'ignored' } })
    expect((await ask('/health/ready')).headers['x-release']).toBe('4.5.6-0123456789ab')
  })

  it('turns to 503 when the database is gone, with not ready, and back when it is there again', async () => {
    const server = await startReady()
    const file = join(root, 'var/lib/network_system/state.db')
    await rename(file, `${file}.away`)
    await eventually(async () => {
      expect(await ask('/health')).toMatchObject({
        status: 503,
        body: '{"healthy":false,"status":"unhealthy","checks":{"database":false,"memory":true,"disk":true,"network":true}}',
      })
    })
    expect(await ask('/health/ready')).toMatchObject({ status: 503 })
    expect(JSON.parse((await ask('/health/ready')).body)).toMatchObject({ ready: false })
    expect(await ask('/health/live')).toMatchObject({ status: 200 })
    expect(server.lines()).toContainEqual(
      expect.objectContaining({ level: 'ERROR', check: 'database', msg: expect.stringContaining('ENOENT') as string }),
    )
    await rename(`${file}.away`, file)
    await eventually(async () => expect(await ask('/health')).toMatchObject({ status: 200 }))
    expect(await ask('/health/ready')).toMatchObject({ status: 200 })
  })

  it('is not ready, but live, while the data folder cannot be made, and gets ready once it can', async () => {
    await writeFile(join(root, 'var'), 'a file where a folder should be')
    const server = await start()
    await server.logged('listening')
    expect(await ask('/health/live')).toMatchObject({ status: 200 })
    expect(await ask('/health/ready')).toMatchObject({ status: 503 })
    expect(await ask('/health')).toMatchObject({
      status: 503,
      body: expect.stringContaining('"database":false') as string,
    })
    await rm(join(root, 'var'))
    await server.logged('ready')
    expect(await ask('/health/ready')).toMatchObject({ status: 200 })
  })
})

describe('other addresses', () => {
  it('have /metrics on a port of its own, in Prometheus’ text format with the guide’s names', async () => {
    await startReady()
    for (let count = 0; count < 3; count++) await ask('/health/live')
    expect(await ask('/metrics')).toMatchObject({ status: 404 })
    const metrics = await ask('/metrics', ports.metrics)
    expect(metrics.status).toBe(200)
    expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    const wanted = [
      '# HELP network_connections_active Active connection count\n# TYPE network_connections_active gauge\nnetwork_connections_active ',
      '# HELP network_requests_total Total request count\n# TYPE network_requests_total counter\nnetwork_requests_total 4\n',
      '# HELP network_response_time_seconds Response time histogram\n# TYPE network_response_time_seconds histogram\nnetwork_response_time_seconds_bucket{le=',
      'network_response_time_seconds_count 4\n',
      'network_build_info{version="',
      'process_resident_memory_bytes ',
    ]
    for (const part of wanted) expect(metrics.body).toContain(part)
    expect(await ask('/health', ports.metrics)).toMatchObject({ status: 404 })
  })

  it('count open connections', async () => {
    await startReady()
    const wires = [await dial(), await dial()]
    await eventually(async () =>
      expect((await ask('/metrics', ports.metrics)).body).toContain('\nnetwork_connections_active 2\n'),
    )
    for (const { socket } of wires) socket.destroy()
    await eventually(async () =>
      expect((await ask('/metrics', ports.metrics)).body).toContain('\nnetwork_connections_active 0\n'),
    )
  })

  it('are answered with a problem', async () => {
    await startReady()
    const answer = await ask('/no/such?token=x')
    expect(answer.status).toBe(404)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(JSON.parse(answer.body)).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'nothing is served at GET /no/such',
    })
  })

  it('answer bytes that are no HTTP with a problem too', async () => {
    await startReady()
    const wire = await dial()
    wire.socket.write('hello\r\n\r\n')
    await wire.ended
    expect(wire.received()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json\r\n/)
  })
})

describe('limits of the configuration', () => {
  const limited = (performance: string, server = '') =>
    start({
      config: `server: { host: 127.0.0.1, port: ${ports.server}${server} }\nmetrics: { port: ${ports.metrics} }\nperformance: { ${performance} }\n`,
    }).then(async (started) => {
      await started.logged('ready')
      return started
    })

  it('refuse a body above max_request_size, announced or not', async () => {
    await limited('max_request_size: 1000B')
    const head = 'POST /x HTTP/1.1\r\nHost: x\r\n'
    const announced = await dial()
    announced.socket.write(`${head}Content-Length: 1001\r\n\r\n`)
    await received(announced, 'HTTP/1.1 413 ')
    const chunked = await dial()
    chunked.socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1001)}\r\n`)
    await received(chunked, 'HTTP/1.1 413 ')
    expect(chunked.received()).toContain('application/problem+json')
    const fitting = await dial()
    fitting.socket.write(`${head}Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}`)
    await received(fitting, 'HTTP/1.1 404 ')
    for (const { socket } of [announced, chunked, fitting]) socket.destroy()
  })

  it('end a request that takes longer than request_timeout_ms to arrive', async () => {
    await limited('request_timeout_ms: 500')
    const wire = await dial()
    const started = performance.now()
    wire.socket.write('POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc')
    await wire.ended
    expect(wire.received()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
    expect(performance.now() - started).toBeGreaterThan(490)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('close a kept connection after keep_alive_timeout_ms', async () => {
    await limited('keep_alive_timeout_ms: 300')
    const wire = await dial()
    wire.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(wire, '{"live":true}')
    const answered = performance.now()
    await wire.ended
    expect(performance.now() - answered).toBeGreaterThan(250)
    expect(performance.now() - answered).toBeLessThan(10_000)
  })

  it('close a connection beyond max_connections at once, and take one again when another ends', async () => {
    const server = await limited('request_timeout_ms: 30000', ', max_connections: 2')
    const wires = [await dial(), await dial()]
    await eventually(async () =>
      expect((await ask('/metrics', ports.metrics)).body).toContain('\nnetwork_connections_active 2\n'),
    )
    const third = await dial()
    await third.ended
    expect(third.received()).toBe('')
    await server.logged('connections are refused: server.max_connections are open')
    expect((await ask('/metrics', ports.metrics)).body).toContain('\nnetwork_connections_refused_total 1\n')
    wires[0]?.socket.destroy()
    await eventually(async () => expect(await ask('/health/live')).toMatchObject({ status: 200 }))
    wires[1]?.socket.destroy()
  })
})

describe('stopping', () => {
  const slowRequest = 'POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc'

  it.each(['SIGTERM', 'SIGINT'] as const)('on %s lets a request in flight end, and exits with 0', async (signal) => {
    const server = await startReady()
    const slow = await dial()
    const kept = await dial()
    slow.socket.write(slowRequest)
    kept.socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(kept, '"ready":true')
    await eventually(async () =>
      expect((await ask('/metrics', ports.metrics)).body).toContain('\nnetwork_connections_active 2\n'),
    )
    server.child.kill(signal)
    await server.logged('stopping')
    expect(await isRefused()).toBe(true)
    // A connection that was idle at that moment is still good for one more request.
    kept.socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
    await kept.ended
    const last = kept.received().split('HTTP/1.1 ')[2] ?? ''
    expect(last).toMatch(/^503 /)
    expect(last.toLowerCase()).toContain('connection: close\r\n')
    expect(last).toContain('"ready":false')
    expect(server.child.exitCode).toBeNull()
    slow.socket.write('def')
    await slow.ended
    expect(slow.received()).toMatch(/^HTTP\/1\.1 404 /)
    expect(slow.received().toLowerCase()).toContain('connection: close\r\n')
    expect(await server.exit).toBe(0)
    expect(server.lines().map(({ msg }) => msg)).toEqual(['starting', 'listening', 'ready', 'stopping', 'stopped'])
    expect(server.lines()[3]).toMatchObject({ level: 'INFO', signal, requests: 1 })
  })

  it('keeps an idle connection for about a second, then closes it and exits', async () => {
    const server = await startReady()
    const wire = await dial()
    wire.socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(wire, '{"live":true}')
    const started = performance.now()
    server.child.kill('SIGTERM')
    await wire.ended
    expect(performance.now() - started).toBeGreaterThan(900)
    expect(await server.exit).toBe(0)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('on a second signal ends at once with 1', async () => {
    const server = await startReady()
    const slow = await dial()
    slow.socket.write(slowRequest)
    await eventually(async () =>
      expect((await ask('/metrics', ports.metrics)).body).toContain('\nnetwork_connections_active 1\n'),
    )
    server.child.kill('SIGTERM')
    await server.logged('stopping')
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(1)
    await slow.ended
    expect(slow.received()).toBe('')
  })
})

describe('starting', () => {
  it.each(['server', 'metrics'] as const)(
    'ends with 1 and names the address when the %s port is taken',
    async (name) => {
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(ports[name], '127.0.0.1', resolve))
      const server = await start()
      expect(await server.exit).toBe(1)
      const fatal = server.lines().filter(({ level }) => level === 'FATAL')
      expect(fatal).toHaveLength(1)
      expect(fatal[0]?.msg).toBe(
        `cannot listen on 127.0.0.1:${ports[name]} (${name}.host, ${name}.port): the address is in use by another process`,
      )
      expect(server.errors()).toBe('')
      await new Promise((resolve) => other.close(resolve))
    },
  )

  it('keeps everything below --root, with the configuration at its usual place', async () => {
    await mkdir(join(root, 'etc/network_system'), { recursive: true })
    await writeFile(
      join(root, 'etc/network_system/config.yaml'),
      `${baseConfig()}logging: { file: /var/log/network/server.log }\n`,
    )
    const server = await startReady({ args: ['--root', root] })
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    expect(readdirSync(root, { recursive: true }).sort()).toEqual([
      'config.yaml',
      ...['etc', 'etc/network_system', 'etc/network_system/config.yaml'],
      ...['var', 'var/lib', 'var/lib/network_system', 'var/lib/network_system/state.db'],
      ...['var/log', 'var/log/network', 'var/log/network/server.log'],
    ])
    expect(server.lines()[0]).toMatchObject({ config: join(root, 'etc/network_system/config.yaml') })
  })

  it('logs JSON with time, level, release and message, the same to the file as to standard output', async () => {
    const server = await startReady({
      config: `${baseConfig()}logging: { file: /logs/deep/server.log }\n`,
      env: { NETWORK_RELEASE: 'r1' },
    })
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    const file = await readFile(join(root, 'logs/deep/server.log'), 'utf8')
    expect(
      file
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as LogLine),
    ).toEqual(server.lines())
    for (const line of server.lines()) {
      expect(line).toMatchObject({ level: 'INFO', release: 'r1' })
      expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    }
    expect(server.lines()[1]).toMatchObject({ msg: 'listening', address: `127.0.0.1:${ports.server}` })
  })

  it('accepts the guide’s configuration, and warns of what it does not do', async () => {
    const guide = await readFile(join(checkout, 'test/fixtures/config/guide-config.yaml'), 'utf8')
    const server = await startReady({
      config: `${guide}\nmetrics: { port: ${ports.metrics} }\n`,
      env: { NETWORK_SERVER_HOST: '127.0.0.1', NETWORK_SERVER_PORT: String(ports.server) },
    })
    const warnings = server.lines().filter(({ level }) => level === 'WARN')
    expect(warnings.map(({ msg }) => msg)).toContain(
      'not in effect: security.ssl_enabled is true, but this release has no TLS listener: all traffic is PLAIN HTTP',
    )
    expect(warnings).toHaveLength(6)
    expect(await ask('/health')).toMatchObject({ status: 200 })
    expect(await readFile(join(root, 'var/log/network/server.log'), 'utf8')).toContain('"msg":"ready"')
  })

  it('lets the environment win over the file', async () => {
    const other = await freePort()
    const server = await start({ env: { NETWORK_SERVER_PORT: String(other), NETWORK_LOG_LEVEL: 'ERROR' } })
    await eventually(async () => expect(await ask('/health/ready', other)).toMatchObject({ status: 200 }))
    expect(await isRefused()).toBe(true)
    expect(server.lines()).toEqual([])
  })

  it('goes on when nobody reads its standard output any more', async () => {
    const server = await startReady({ env: { NETWORK_LOG_LEVEL: 'DEBUG' } })
    server.child.stdout?.destroy()
    const file = join(root, 'var/lib/network_system/state.db')
    await rename(file, `${file}.away`)
    await eventually(async () => expect(await ask('/health')).toMatchObject({ status: 503 }))
    await rename(`${file}.away`, file)
    await eventually(async () => expect(await ask('/health')).toMatchObject({ status: 200 }))
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
  })

  it('ends with 1 when its log file cannot be opened', async () => {
    await writeFile(join(root, 'logs'), '')
    const server = await start({ config: `${baseConfig()}logging: { file: /logs/server.log }\n` })
    expect(await server.exit).toBe(1)
    expect(server.errors()).toContain(`cannot open the log file ${root}/logs/server.log`)
  })
})

describe('the command line', () => {
  const configFile = async (text: string): Promise<string> => {
    const file = join(root, 'a.yaml')
    await writeFile(file, text)
    return file
  }

  it('checks a configuration and starts nothing', async () => {
    const file = await configFile(`${baseConfig()}logging: { file: /server.log }\n`)
    expect(runToEnd(['--check-config', '--config', file, '--root', root])).toEqual({
      status: 0,
      stdout: `${file}: valid\n`,
      stderr: '',
    })
    expect(readdirSync(root)).toEqual(['a.yaml'])
  })

  it('prints what a valid configuration asks for in vain', () => {
    const file = join(checkout, 'test/fixtures/config/guide-scale-up.yaml')
    const { status, stdout } = runToEnd(['--check-config', '--config', file])
    expect(status).toBe(0)
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      `${file}: valid`,
      `${file}: note: server.worker_threads is 32, but this release serves from one thread`,
    ])
  })

  it.each(['--check-config', '--root=/nonexistent'])(
    'refuses an invalid configuration with every problem (%s)',
    async (flag) => {
      const file = await configFile('server:\n  prot: 1\n  host: a b\n')
      expect(runToEnd([flag, '--config', file])).toEqual({
        status: 2,
        stdout: '',
        stderr: [
          `${file}:2:3 server.prot: unknown key; did you mean port?`,
          `${file}:3:9 server.host: expected a host name or an IP address, not "a b"`,
          '',
        ].join('\n'),
      })
    },
  )

  it('refuses an environment that does not fit, by the variable’s name', async () => {
    const file = await configFile('')
    const { status, stderr } = runToEnd(['--check-config', '--config', file], { NETWORK_SERVER_PORT: '0' })
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'NETWORK_SERVER_PORT server.port: expected a whole number from 1 to 65535, not 0\n',
    })
  })

  it('names a file that cannot be read', () => {
    const { status, stderr } = runToEnd(['--config', join(root, 'none.yaml')])
    expect(status).toBe(2)
    expect(stderr).toContain(`cannot read the configuration ${root}/none.yaml: ENOENT`)
  })

  it('prints its version and commit, its help, and refuses what it does not know', () => {
    expect(runToEnd(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^network_server \d+\.\d+\.\d+\S* \(\S+\)\n$/) as string,
      stderr: '',
    })
    expect(runToEnd(['--help'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('--check-config') as string,
    })
    expect(runToEnd(['--verbose'])).toEqual({
      status: 2,
      stdout: '',
      stderr:
        "Unknown option '--verbose'\n  hint: known options: --config, --check-config, --root, --version, --help\n",
    })
  })

  it('accepts the example configuration', () => {
    const file = join(checkout, 'examples/config.yaml')
    expect(runToEnd(['--check-config', '--config', file])).toEqual({
      status: 0,
      stdout: `${file}: valid\n`,
      stderr: '',
    })
  })
})
