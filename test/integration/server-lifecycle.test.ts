// network_server as its operator sees it: stopping, starting, the command line.
import { readdirSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeCertificate } from '../support/certificates.ts'
import {
  ask,
  baseConfig,
  checkout,
  dial,
  eventually,
  freePort,
  here,
  isRefused,
  received,
  runToEnd,
  start,
  startReady,
  type LogLine,
  useServers,
} from '../support/server-process.ts'

useServers()

describe('stopping', () => {
  const slowRequest = 'GET /x HTTP/1.1\r\nHo'
  const itsEnd = 'st: x\r\n\r\n'

  it.each(['SIGTERM', 'SIGINT'] as const)('on %s lets a request in flight end, and exits with 0', async (signal) => {
    const server = await startReady()
    const slow = await dial()
    const kept = await dial()
    slow.socket.write(slowRequest)
    kept.socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
    await received(kept, '"ready":true')
    await eventually(async () =>
      expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_requests_active 1\n'),
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
    slow.socket.write(itsEnd)
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
      expect((await ask('/metrics', here.ports.metrics)).body).toContain('\nnetwork_connections_active 1\n'),
    )
    server.child.kill('SIGTERM')
    await server.logged('stopping')
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(1)
    await slow.ended
    expect(slow.received()).toBe('')
  })
})

describe('a signal that asks for no end', () => {
  it.each(['SIGUSR2', 'SIGALRM', 'SIGIO', 'SIGPWR', 'SIGXCPU'] as const)(
    '%s ends nothing, opens no debugger, and is told in the log',
    async (signal) => {
      const server = await startReady()
      server.child.kill(signal)
      const line = await eventually(() => {
        const found = server.lines().find((one) => one.signal === signal)
        if (found === undefined) throw new Error('not told')
        return found
      })
      expect(line).toMatchObject({ level: 'WARN', msg: expect.stringContaining('is ignored') as string })
      expect((await ask('/health/ready')).status).toBe(200)
      expect(server.errors()).toBe('')
      server.child.kill('SIGTERM')
      expect(await server.exit).toBe(0)
    },
  )
})

describe('starting', () => {
  it.each(['server', 'metrics'] as const)(
    'ends with 1 and names the address when the %s port is taken',
    async (name) => {
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(here.ports[name], '127.0.0.1', resolve))
      const server = await start()
      expect(await server.exit).toBe(1)
      const fatal = server.lines().filter(({ level }) => level === 'FATAL')
      expect(fatal).toHaveLength(1)
      expect(fatal[0]?.msg).toBe(
        `cannot listen on 127.0.0.1:${here.ports[name]} (${name}.host, ${name}.port): the address is in use by another process`,
      )
      expect(server.errors()).toBe('')
      await new Promise((resolve) => other.close(resolve))
    },
  )

  it('keeps everything below --root, with the configuration at its usual place', async () => {
    await mkdir(join(here.root, 'etc/network_system'), { recursive: true })
    await writeFile(
      join(here.root, 'etc/network_system/config.yaml'),
      `${baseConfig()}logging: { file: /var/log/network/server.log }\n`,
    )
    const server = await startReady({ args: ['--root', here.root] })
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    expect(readdirSync(here.root, { recursive: true }).sort()).toEqual([
      'config.yaml',
      ...['etc', 'etc/network_system', 'etc/network_system/config.yaml'],
      ...['var', 'var/lib', 'var/lib/network_system', 'var/lib/network_system/control'],
      'var/lib/network_system/state.db',
      ...['var/log', 'var/log/network', 'var/log/network/access.log'],
      ...['var/log/network/error.log', 'var/log/network/server.log'],
    ])
    expect(server.lines()[0]).toMatchObject({ config: join(here.root, 'etc/network_system/config.yaml') })
  })

  it('logs JSON with time, level, release and message, the same to the file as to standard output', async () => {
    const server = await startReady({
      config: `${baseConfig()}logging: { file: /logs/deep/server.log }\n`,
      env: { NETWORK_RELEASE: 'r1' },
    })
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    const file = await readFile(join(here.root, 'logs/deep/server.log'), 'utf8')
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
    expect(server.lines()[1]).toMatchObject({ msg: 'listening', address: `127.0.0.1:${here.ports.server}` })
  })

  it('accepts the guide’s configuration, and warns of what it does not do', async () => {
    const guide = await readFile(join(checkout, 'test/fixtures/config/guide-config.yaml'), 'utf8')
    makeCertificate(join(here.root, 'etc/network'), 'server')
    const server = await startReady({
      config: `${guide}\nmetrics: { port: ${here.ports.metrics} }\n`,
      env: {
        NETWORK_SERVER_HOST: '127.0.0.1',
        NETWORK_SERVER_PORT: String(here.ports.server),
        NETWORK_SERVER_TLS_PORT: String(here.ports.tls),
      },
    })
    const warnings = server.lines().filter(({ level }) => level === 'WARN')
    expect(warnings.map(({ msg }) => msg)).toContain(
      'not in effect: security.allowed_origins: this release sends no CORS headers',
    )
    // It names no key for tokens, and does not say that none are needed.
    expect(warnings.map(({ msg }) => msg)).toContainEqual(expect.stringMatching(/^security\.auth: token, and no key/))
    expect(warnings).toHaveLength(3)
    expect(await ask('/health')).toMatchObject({ status: 200 })
    expect(await ask('/openapi.json')).toMatchObject({ status: 401 })
    expect(await readFile(join(here.root, 'var/log/network/server.log'), 'utf8')).toContain('"msg":"ready"')
  })

  it('warns where metrics are there for everybody, as its check does', async () => {
    const config = `${baseConfig().split('\n')[0] ?? ''}\nmetrics: { host: 0.0.0.0, port: ${here.ports.metrics} }\n`
    const server = await startReady({ config })
    const note = expect.stringMatching(/^metrics\.host: 0\.0\.0\.0 is every address of the host: /) as string
    expect(server.lines()).toContainEqual(expect.objectContaining({ level: 'WARN', msg: note }))
    const { stdout } = runToEnd(['--check-config', '--config', join(here.root, 'config.yaml')])
    expect(stdout.split('\n')[1]).toContain(': note: metrics.host: 0.0.0.0 is every address of the host: ')
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
    const file = join(here.root, 'var/lib/network_system/state.db')
    await rename(file, `${file}.away`)
    await eventually(async () => expect(await ask('/health')).toMatchObject({ status: 503 }))
    await rename(`${file}.away`, file)
    await eventually(async () => expect(await ask('/health')).toMatchObject({ status: 200 }))
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
  })

  it('ends with 1 when its log file cannot be opened', async () => {
    await writeFile(join(here.root, 'logs'), '')
    const server = await start({ config: `${baseConfig()}logging: { file: /logs/server.log }\n` })
    expect(await server.exit).toBe(1)
    expect(server.errors()).toContain(`cannot open the log file ${here.root}/logs/server.log`)
  })
})

describe('the command line', () => {
  const configFile = async (text: string): Promise<string> => {
    const file = join(here.root, 'a.yaml')
    await writeFile(file, text)
    return file
  }

  it('checks a configuration and starts nothing', async () => {
    const file = await configFile(`${baseConfig()}logging: { file: /server.log }\n`)
    expect(runToEnd(['--check-config', '--config', file, '--root', here.root])).toEqual({
      status: 0,
      stdout: `${file}: valid\n`,
      stderr: '',
    })
    expect(readdirSync(here.root)).toEqual(['a.yaml'])
  })

  it('prints what a valid configuration asks for in vain', () => {
    const file = join(checkout, 'test/fixtures/config/guide-scale-up.yaml')
    const { status, stdout } = runToEnd(['--check-config', '--config', file])
    expect(status).toBe(0)
    expect(stdout.split('\n').slice(0, 2)).toEqual([
      `${file}: valid`,
      `${file}: note: performance.connection_pool_size: this release has no pool`,
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
    const { status, stderr } = runToEnd(['--config', join(here.root, 'none.yaml')])
    expect(status).toBe(2)
    expect(stderr).toContain(`cannot read the configuration ${here.root}/none.yaml: ENOENT`)
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
        "Unknown option '--verbose'\n  hint: known options: --config, --set, --check-config, --instead, --dry-run, --root, --version, --help\n",
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
