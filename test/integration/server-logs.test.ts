// The logs of a running service: a line for each request, nothing lost while files are rotated, none of them in the way.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ask, baseConfig, dial, eventually, here, start, startReady, useServers } from '../support/server-process.ts'

useServers()

interface Line {
  readonly path: string
  readonly [key: string]: unknown
}

const logDir = () => join(here.root, 'var/log/network')
const linesOf = (name: string): readonly Line[] =>
  readFileSync(join(logDir(), name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line)
const namesOf = (stem: string): readonly string[] => readdirSync(logDir()).filter((name) => name.startsWith(stem))

/** Asks for `/n/0`, `/n/1`, … over kept connections. */
async function askMany(count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  let next = 0
  const one = (path: string) =>
    new Promise<void>((resolve, reject) => {
      get({ host: '127.0.0.1', port: here.ports.server, path, agent }, (response) => {
        response.resume().on('end', resolve)
      }).on('error', reject)
    })
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1
      await one(`/n/${next - 1}`)
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  agent.destroy()
}

const numberedPaths = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `/n/${index}`).sort()

describe('the access log', () => {
  it('has a line for each request, without its query and without tokens', async () => {
    const server = await startReady({ env: { NETWORK_RELEASE: 'r1' } })
    await ask('/health/live', here.ports.server, { 'x-request-id': 'mine' })
    await ask('/no/such?token=geheim', here.ports.server, { authorization: 'Bearer geheim' })
    const broken = await dial()
    broken.socket.write('POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab')
    await ask('/health/live')
    broken.socket.destroy()
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    const lines = linesOf('access.log')
    expect(lines).toContainEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      ...{ request_id: 'mine', client: '127.0.0.1' },
      ...{ method: 'GET', path: '/health/live', status: 200, bytes: expect.any(Number) as number, aborted: false },
      ...{ duration_ms: expect.any(Number) as number, release: 'r1', thread: expect.any(Number) as number },
    })
    expect(lines).toContainEqual(expect.objectContaining({ path: '/no/such', status: 404 }))
    expect(lines.find(({ path }) => path === '/health/live')?.bytes).toBeGreaterThan(100)
    expect(JSON.stringify(lines)).not.toContain('geheim')
  })

  it('loses no line while it is rotated and opened anew under load, and at the end', async () => {
    const count = 12_000
    const server = await startReady({
      config: `${baseConfig().replace('port: ', 'worker_threads: 2, port: ')}access_log: { max_size_mb: 1, max_files: 100 }\n`,
    })
    const load = { ended: false }
    const asked = askMany(count).finally(() => (load.ended = true))
    for (let rotated = 0; !load.ended; await sleep(50)) {
      // It is not there until the server has opened it anew and has something to write.
      if (!existsSync(join(logDir(), 'access.log'))) continue
      rotated += 1
      renameSync(join(logDir(), 'access.log'), join(logDir(), `access.${rotated}.log`))
      server.child.kill('SIGUSR1')
    }
    await asked
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    const names = namesOf('access')
    const paths = names.flatMap((name) => linesOf(name)).map(({ path }) => path)
    expect(paths.filter((path) => path.startsWith('/n/')).sort()).toEqual(numberedPaths(count))
    expect(server.lines().filter(({ msg }) => msg === 'the log files are opened anew').length).toBeGreaterThan(0)
    expect(server.errors()).toBe('')
  })

  it('is rotated by itself under load', async () => {
    const count = 12_000
    const server = await startReady({ config: `${baseConfig()}access_log: { max_size_mb: 1, max_files: 100 }\n` })
    await askMany(count)
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    const names = namesOf('access')
    expect(names.length).toBeGreaterThan(2)
    expect(names.every((name) => readFileSync(join(logDir(), name)).length <= 1_000_000)).toBe(true)
    const paths = names.flatMap((name) => linesOf(name)).map(({ path }) => path)
    expect(paths.filter((path) => path.startsWith('/n/')).sort()).toEqual(numberedPaths(count))
  })

  it('is not there where it is not wanted', async () => {
    const server = await startReady({
      config: `${baseConfig()}access_log: { enabled: false }\nerror_log: { enabled: false }\n`,
    })
    await ask('/health/live')
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    expect(readdirSync(join(here.root, 'var'))).toEqual(['lib'])
  })
})

describe('the error log', () => {
  it('has the errors of the server log alone', async () => {
    const server = await startReady()
    const state = join(here.root, 'var/lib/network_system/state.db')
    renameSync(state, `${state}.away`)
    await eventually(async () => expect(await ask('/health')).toMatchObject({ status: 503 }))
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    expect(linesOf('error.log')).toEqual(server.lines().filter(({ level }) => level === 'ERROR'))
    expect(linesOf('error.log').length).toBeGreaterThan(0)
  })

  it('has what ends the service at its start', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(here.ports.metrics, '127.0.0.1', resolve))
    const server = await start()
    expect(await server.exit).toBe(1)
    expect(linesOf('error.log')).toMatchObject([{ level: 'FATAL' }])
    await new Promise((resolve) => other.close(resolve))
  })
})

describe('logs that cannot be written', () => {
  it('leave the service as it is, and are written once they can be', async () => {
    mkdirSync(join(here.root, 'var/log'), { recursive: true })
    writeFileSync(logDir(), 'a file where a folder should be')
    const server = await startReady()
    await ask('/n/1')
    expect(server.errors()).toMatch(/cannot write the log to .*access\.log: /)
    renameSync(logDir(), `${logDir()}.away`)
    await eventually(() => expect(linesOf('access.log').some(({ path }) => path === '/n/1')).toBe(true))
    expect((await ask('/health')).status).toBe(200)
  })

  const mounts = process.getuid?.() === 0
  it.skipIf(!mounts)('because the disk is full are written again when it is not', async () => {
    mkdirSync(logDir(), { recursive: true })
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'netops-test', logDir()]).status).toBe(0)
    try {
      const server = await startReady()
      writeFileSync(join(logDir(), 'ballast'), Buffer.alloc(100_000))
      await askMany(2000)
      expect(server.errors()).toMatch(/cannot write the log to .*access\.log: ENOSPC/)
      expect((await ask('/health/live')).status).toBe(200)
      spawnSync('mount', ['-o', 'remount,size=8m', logDir()])
      await eventually(() =>
        expect(linesOf('access.log').filter(({ path }) => path.startsWith('/n/'))).toHaveLength(2000),
      )
      expect(
        linesOf('access.log')
          .flatMap(({ path }) => (path.startsWith('/n/') ? [path] : []))
          .sort(),
      ).toEqual(numberedPaths(2000))
      server.child.kill('SIGTERM')
      expect(await server.exit).toBe(0)
    } finally {
      spawnSync('umount', ['-l', logDir()])
    }
  })
})

describe('SIGUSR1', () => {
  it('opens no debugger, also where no code of ours listens to it', async () => {
    const folder = join(here.root, 'var/lib/network_system/control')
    mkdirSync(folder, { recursive: true })
    const service = createServer()
    await new Promise<void>((resolve) => service.listen(join(folder, 'socket'), resolve))
    const called = new Promise<Socket>((resolve) => service.once('connection', resolve))
    // As long as nobody answers it, it waits, and listens to no signal; so does a server that has just been started.
    const asking = await start({ args: ['checkpoint', '--root', here.root] })
    const connection = await called
    await new Promise((resolve) => connection.once('data', resolve))
    asking.child.kill('SIGUSR1')
    connection.end()
    expect(await asking.exit).toBe(1)
    expect(asking.errors()).toBe('the service ended before it answered\n')
    await new Promise((resolve) => service.close(resolve))
  })
})
