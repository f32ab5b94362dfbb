// The executable in maintenance, as a standby, and with its state copied and put back while it serves or is killed.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, inject, it } from 'vitest'
import {
  ask,
  dial,
  received,
  eventually,
  freePort,
  here,
  runToEnd,
  start,
  startReady,
  useServers,
  baseConfig,
  type Answer,
} from '../support/server-process.ts'

useServers()

const dataDir = () => join(here.root, 'var/lib/network_system')
const checkpoints = () => join(dataDir(), 'checkpoints')
const operate = (...words: readonly string[]) => runToEnd([...words, '--root', here.root])
/** @returns the document that a command printed */
const operated = (...words: readonly string[]): Record<string, unknown> => {
  const { status, stdout, stderr } = operate(...words, '--json')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout) as Record<string, unknown>
}
const send = (method: string, path: string, body = ''): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const options = { host: '127.0.0.1', port: here.ports.server, method, path, headers, agent: false }
    request(options, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
    })
      .on('error', reject)
      .end(body)
  })

describe('the maintenance flag', () => {
  const setFlag = async (text: string) => {
    await mkdir(join(here.root, 'var/run/network_service'), { recursive: true })
    await writeFile(join(here.root, 'var/run/network_service/maintenance'), text)
  }

  it('turns new work away and back, under load: every request that was begun is answered', async () => {
    const server = await startReady()
    const answers = new Map<string, number>()
    let over = false
    const client = async () => {
      while (!over) {
        const { status, headers } = await ask('/something')
        const what = `${status} ${headers['retry-after'] ?? ''}`
        answers.set(what, (answers.get(what) ?? 0) + 1)
      }
    }
    const clients = Array.from({ length: 8 }, client)
    const seen = (what: string) => eventually(() => expect(answers.get(what) ?? 0).toBeGreaterThan(0))
    await seen('404 ')
    await setFlag('true\n')
    await seen('503 30')
    const ready = await ask('/health/ready')
    expect(ready.status).toBe(503)
    expect(JSON.parse(ready.body)).toMatchObject({ ready: false, reason: 'maintenance', role: 'primary' })
    expect(JSON.parse(ready.body)).toMatchObject({
      active_requests: expect.any(Number) as number,
      active_connections: expect.any(Number) as number,
    })
    expect((await ask('/health/live')).status).toBe(200)
    expect((await ask('/health')).status).toBe(200)
    answers.delete('404 ')
    await setFlag('false\n')
    await seen('404 ')
    expect(await ask('/health/ready')).toMatchObject({ status: 200 })
    over = true
    await Promise.all(clients)
    expect([...answers.keys()].sort()).toEqual(['404 ', '503 30'])
    await server.logged('maintenance begins')
    await server.logged('maintenance is over')
  })

  it('lets what was begun before end as ever', async () => {
    await startReady()
    const wire = await dial()
    const head = 'PUT /v1/records/things/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    wire.socket.write(`${head}Content-Length: 4\r\n\r\ntr`)
    await eventually(async () => {
      const { body } = await ask('/health/ready')
      expect(JSON.parse(body)).toMatchObject({ active_requests: 1 })
    })
    await setFlag('true\n')
    await eventually(async () => expect((await ask('/v1/records/things/slow')).status).toBe(503))
    expect(JSON.parse((await ask('/health/ready')).body)).toMatchObject({ reason: 'maintenance', active_requests: 1 })
    wire.socket.write('ue')
    await received(wire, 'HTTP/1.1 201')
    wire.socket.destroy()
    await eventually(async () => {
      const { body } = await ask('/health/ready')
      expect(JSON.parse(body)).toMatchObject({ active_requests: 0 })
    })
  })

  it('is heeded from the start', async () => {
    await setFlag('true\n')
    await startReady()
    expect((await ask('/something')).status).toBe(503)
  })
})

describe('the role', () => {
  const at = '/v1/records/things/one'

  it('is changed while it serves, and is what it was after a start', async () => {
    const server = await startReady()
    expect((await send('PUT', at, '1')).status).toBeLessThan(300)
    expect(operated('role', 'standby', '--primary', 'https://db1.example.com:8443')).toEqual({
      role: 'standby',
      primary: 'https://db1.example.com:8443',
    })
    const check = async () => {
      const refused = await send('PUT', at, '2')
      expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
      expect(JSON.parse(refused.body)).toMatchObject({ reason: 'standby', primary: 'https://db1.example.com:8443' })
      expect(await send('GET', at)).toMatchObject({ status: 200, body: '1' })
      expect(JSON.parse((await ask('/health/ready')).body)).toMatchObject({ ready: true, role: 'standby' })
      expect(operated('status')).toMatchObject({ role: 'standby', phase: 'serving', maintenance: false })
    }
    await check()
    server.child.kill('SIGKILL')
    await server.exit
    const again = await startReady()
    await check()
    expect(operated('role', 'primary')).toEqual({ role: 'primary', primary: null })
    expect((await send('PUT', at, '1')).status).toBeLessThan(300)
    again.child.kill()
    expect(await again.exit).toBe(0)
    await writeFile(join(dataDir(), 'role.json'), '{"schema":1,"ro')
    const damaged = await startReady()
    expect((await send('PUT', at, '2')).status).toBe(503)
    expect(damaged.lines().some(({ msg }) => msg.startsWith('the role is not known and counts as standby'))).toBe(true)
  })

  it('refuses what a standby was still being sent: a copy that is taken then has all that was answered', async () => {
    await startReady()
    const slow = await dial()
    slow.socket.write(
      `PUT ${at} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"begun`,
    )
    await eventually(() => expect(operated('status')).toMatchObject({ active_requests: 1 }))
    operated('role', 'standby', '--primary', 'https://db1.example.com:8443')
    slow.socket.write(' by"')
    await slow.ended
    expect(slow.received()).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: 5[^]*"reason":"standby","primary":"https:/)
    expect((await send('GET', at)).status).toBe(404)
  })

  it('is told to whoever asks, as status tells it', async () => {
    await startReady()
    expect(operated('role')).toEqual({ role: 'primary', primary: null })
    operated('role', 'standby', '--primary', 'https://db1.example.com:8443')
    expect(operated('role')).toEqual({ role: 'standby', primary: 'https://db1.example.com:8443' })
    expect(operate('role').stdout).toBe('role: standby\nprimary: https://db1.example.com:8443\n')
    expect(operate('role', 'secondary')).toMatchObject({ status: 2, stdout: '' })
  })

  it('is not given an address that is none', () => {
    for (const address of ['db1', 'https://user:secret@db1', 'https://db1\nx: y']) {
      expect(operate('role', 'standby', '--primary', address)).toMatchObject({ status: 2, stdout: '' })
    }
  })
})

describe('the control socket', () => {
  it('answers root and the service’s own user, and nobody else', async () => {
    await chmod(here.root, 0o755)
    await startReady()
    expect(operated('status')).toMatchObject({ phase: 'serving' })
    if (process.getuid?.() !== 0) return
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
    for (const path of [dataDir(), join(here.root, 'var'), join(here.root, 'var/lib')]) await chmod(path, 0o755)
    const tried = spawnSync('setpriv', [...nobody, inject('builds').server1, 'status', '--root', here.root], {
      encoding: 'utf8',
    })
    expect(tried).toMatchObject({ status: 7, stdout: '' })
    expect(tried.stderr).toContain("is not this user's to ask")
    // Not even past the folder.
    await chmod(join(dataDir(), 'control'), 0o755)
    const past = spawnSync('setpriv', [...nobody, inject('builds').server1, 'status', '--root', here.root])
    expect(past.status).toBe(7)
  })

  it('is bounded in what it reads, and serves on after all of it', async () => {
    await startReady()
    const said = async (text: string | Buffer): Promise<string> => {
      const socket = connect(join(dataDir(), 'control/socket'))
      let answer = ''
      socket.on('data', (chunk) => (answer += chunk.toString()))
      socket.on('error', () => undefined)
      socket.write(text)
      await new Promise((resolve) => socket.once('close', resolve))
      return answer
    }
    expect(await said(Buffer.alloc(100_000, 'x'))).toBe('')
    for (const line of ['', 'null', '{', '{"command":"stop"}', '{"command":"status","more":1}', '\xff\xfe', '[]']) {
      expect(JSON.parse(await said(`${line}\n`))).toMatchObject({ ok: false, error: { code: 'usage' } })
    }
    const silent = connect(join(dataDir(), 'control/socket'))
    expect(operated('status')).toMatchObject({ phase: 'serving' })
    silent.destroy()
  })

  it('of a killed service is replaced, and another service does not work with the same data', async () => {
    const first = await startReady()
    const second = await start({
      config: `server: { port: ${here.ports.tls} }\nmetrics: { port: ${await freePort()} }\n`,
    })
    expect(await second.exit).toBe(1)
    expect(second.lines().at(-1)?.msg).toContain('another network_server works with')
    expect(operated('status')).toMatchObject({ pid: first.child.pid })
    first.child.kill('SIGKILL')
    await first.exit
    expect(operate('status')).toMatchObject({ status: 1 })
    const third = await startReady({ config: baseConfig() })
    expect(operated('status')).toMatchObject({ pid: third.child.pid })
    third.child.kill()
    expect(await third.exit).toBe(0)
    expect(existsSync(join(dataDir(), 'control/socket'))).toBe(false)
    expect(operate('status').stderr).toContain('no service is running')
  })
})

describe('checkpoints', () => {
  const database = () => join(dataDir(), 'state.db')
  /** Another process that writes to the database for as long as it lives: one row after the other. */
  const writer = () => {
    const program = `const { DatabaseSync } = require('node:sqlite')
      const db = new DatabaseSync(process.argv[1], { timeout: 10000 })
      db.exec('CREATE TABLE IF NOT EXISTS filled (n INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT')
      const add = db.prepare('INSERT INTO filled (v) VALUES (?)')
      console.log('begun')
      for (let n = 0; ; n += 1) add.run('x'.repeat(n % 1000))`
    const child = spawn(process.execPath, ['--no-warnings', '-e', program, database()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const begun = new Promise((resolve) => child.stdout.once('data', resolve))
    const ended = new Promise((resolve) => child.once('exit', resolve))
    return { begun, end: async () => (child.kill('SIGKILL'), ended) }
  }
  const numbersIn = (file: string, readOnly = true): readonly number[] => {
    const db = new DatabaseSync(file, { readOnly })
    try {
      return db
        .prepare('SELECT n FROM filled ORDER BY n')
        .all()
        .map(({ n }) => Number(n))
    } finally {
      db.close()
    }
  }

  it('are taken while others write, and restored elsewhere and in place', async () => {
    const server = await startReady()
    const { begun, end } = writer()
    await begun
    let taken: Record<string, unknown> = {}
    try {
      for (let n = 0; n < 3; n += 1) {
        taken = operated('checkpoint')
        const file = String(taken.path)
        expect(
          createHash('sha256')
            .update(await readFile(file))
            .digest('hex'),
        ).toBe(taken.sha256)
        const numbers = numbersIn(file)
        // What was committed before, without a gap: one moment.
        expect(numbers).toEqual(numbers.map((_number, index) => index + 1))
      }
      expect(operate('restore', 'latest').status).toBe(6)
    } finally {
      await end()
    }
    expect(spawnSync('sha256sum', ['-c', '--status', '--', ...(await sums())], { cwd: checkpoints() }).status).toBe(0)
    expect(operated('status')).toMatchObject({ checkpoint_failures: 0 })
    expect(
      await server.logged(server.lines().find(({ msg }) => msg.startsWith('checkpoint taken'))?.msg ?? ''),
    ).toMatchObject({ level: 'INFO' })
    const atCheckpoint = numbersIn(String(taken.path))
    server.child.kill()
    expect(await server.exit).toBe(0)
    const atEnd = numbersIn(database())
    expect(atEnd.length).toBeGreaterThan(atCheckpoint.length)
    const dry = operate('restore', 'latest', '--dry-run')
    expect(dry).toMatchObject({ status: 0, stdout: expect.stringContaining('Dry run: nothing was changed.') as string })
    expect(numbersIn(database())).toEqual(atEnd)
    const { kept } = operated('restore', 'latest')
    expect(numbersIn(database())).toEqual(atCheckpoint)
    expect(numbersIn(String(kept))).toEqual(atEnd)
    const elsewhere = join(here.root, 'elsewhere')
    expect(runToEnd(['restore', String(taken.path), '--root', elsewhere])).toMatchObject({ status: 0 })
    expect(numbersIn(join(elsewhere, 'var/lib/network_system/state.db'))).toEqual(atCheckpoint)
    await startReady()
  })
  const sums = async () => (await readdir(checkpoints())).filter((name) => name.endsWith('.sha256'))

  it('hold the records that were acknowledged before, as another server then tells over HTTP', async () => {
    const server = await startReady()
    const acknowledged = new Map<string, number>()
    let over = false
    const client = async (name: string) => {
      for (let n = 1; !over; n += 1) {
        const { status } = await send('PUT', `/v1/records/things/${name}`, `{"n":${n}}`)
        expect([200, 201, 204]).toContain(status)
        acknowledged.set(name, n)
      }
    }
    const names = ['a', 'b', 'c', 'd']
    const clients = names.map(client)
    await eventually(() => expect(names.every((name) => (acknowledged.get(name) ?? 0) > 5)).toBe(true))
    const before = new Map(acknowledged)
    const taken = await new Promise<string>((resolve, reject) => {
      const words = ['checkpoint', '--root', here.root, '--json']
      execFile(inject('builds').server1, words, (error, stdout) => {
        if (error === null) resolve(stdout)
        else reject(new Error(error.message))
      })
    })
    const after = new Map(acknowledged)
    over = true
    await Promise.all(clients)
    server.child.kill()
    expect(await server.exit).toBe(0)
    const elsewhere = join(here.root, 'elsewhere')
    const { path } = JSON.parse(taken) as { readonly path: string }
    expect(runToEnd(['restore', path, '--root', elsewhere])).toMatchObject({ status: 0 })
    await startReady({ args: ['--config', join(here.root, 'config.yaml'), '--root', elsewhere] })
    for (const name of names) {
      const { body } = await send('GET', `/v1/records/things/${name}`)
      const { n } = JSON.parse(body) as { readonly n: number }
      expect(n).toBeGreaterThanOrEqual(before.get(name) ?? 0)
      // One more may have been on the disk and its answer on the way.
      expect(n).toBeLessThanOrEqual((after.get(name) ?? 0) + 1)
    }
  })

  it.runIf(process.getuid?.() === 0)('are put back by root as the owner of the data', async () => {
    const server = await startReady()
    expect((await send('PUT', '/v1/records/things/one', '1')).status).toBe(201)
    const { path } = operated('checkpoint')
    server.child.kill()
    expect(await server.exit).toBe(0)
    const own = join(here.root, 'roots-own')
    await mkdir(own, { mode: 0o700 })
    for (const ending of ['', '.sha256']) {
      await writeFile(join(own, `copy.db${ending}`), await readFile(`${String(path)}${ending}`), { mode: 0o600 })
    }
    const elsewhere = join(here.root, 'elsewhere')
    const data = join(elsewhere, 'var/lib/network_system')
    await mkdir(data, { recursive: true, mode: 0o755 })
    for (const folder of [here.root, elsewhere]) await chmod(folder, 0o755)
    const victim = join(own, 'victim')
    await writeFile(victim, 'of root')
    // Whatever the service may have laid there.
    await symlink(victim, join(data, 'state.db'))
    await chown(data, 65_534, 65_534)
    expect(runToEnd(['restore', join(own, 'copy.db'), '--root', elsewhere])).toMatchObject({ status: 0, stderr: '' })
    expect(await readFile(victim, 'utf8')).toBe('of root')
    const restored = await lstat(join(data, 'state.db'))
    expect({ file: restored.isFile(), uid: restored.uid, gid: restored.gid }).toEqual({
      ...{ file: true, uid: 65_534, gid: 65_534 },
    })
    // A link of the service to what only root may read is not followed.
    await mkdir(join(data, 'checkpoints'))
    const name = 'checkpoint-20260102T030405678Z.db'
    for (const ending of ['', '.sha256']) {
      await symlink(join(own, `copy.db${ending}`), join(data, 'checkpoints', `${name}${ending}`))
    }
    await chown(join(data, 'checkpoints'), 65_534, 65_534)
    const refused = runToEnd(['restore', join(data, 'checkpoints', name), '--root', elsewhere])
    expect(refused.status).not.toBe(0)
    expect(runToEnd(['restore', 'latest', '--root', elsewhere]).status).not.toBe(0)
    // Nor one in the place of the whole folder.
    await rename(join(own, 'copy.db'), join(own, name))
    await rename(join(own, 'copy.db.sha256'), join(own, `${name}.sha256`))
    await rm(join(data, 'checkpoints'), { recursive: true })
    await symlink(own, join(data, 'checkpoints'))
    for (const which of ['latest', join(data, 'checkpoints', name)]) {
      expect(runToEnd(['restore', which, '--root', elsewhere])).toMatchObject({ status: 7, stdout: '' })
    }
    expect((await readdir(data)).filter((one) => one.startsWith('.'))).toEqual([])
  })

  it.runIf(process.getuid?.() === 0)(
    'are migrated by root as their owner, who writes nothing through a link',
    async () => {
      const config = join(here.root, 'config.yaml')
      await writeFile(config, baseConfig())
      const [victim, data] = [join(here.root, 'victim'), dataDir()]
      await writeFile(victim, '', { mode: 0o600 })
      await chmod(here.root, 0o755)
      await mkdir(data, { recursive: true })
      const migrate = () => runToEnd(['migrate', '--config', config, '--root', here.root])
      await symlink(victim, join(data, 'state.db'))
      await chown(data, 65_534, 65_534)
      expect(migrate()).toMatchObject({ status: 1, stdout: '' })
      expect(await readFile(victim, 'utf8')).toBe('')
      await rm(join(data, 'state.db'))
      await writeFile(join(data, 'state.db'), '')
      await chown(join(data, 'state.db'), 65_534, 65_534)
      expect(migrate()).toMatchObject({ status: 0, stderr: '' })
      expect((await lstat(join(data, 'state.db'))).uid).toBe(65_534)
    },
  )

  it('are taken by netops too, as the host of a root', async () => {
    await startReady()
    await mkdir(join(here.root, 'usr/local/bin'), { recursive: true })
    await symlink(inject('builds').server1, join(here.root, 'usr/local/bin/network_server'))
    const asked = spawnSync(inject('builds').netops, ['checkpoint', '--root', here.root, '--json'], {
      encoding: 'utf8',
    })
    expect(asked.status).toBe(0)
    const { hosts } = JSON.parse(asked.stdout) as { hosts: readonly { path: string; sha256: string }[] }
    expect(await readFile(`${hosts[0]?.path}.sha256`, 'utf8')).toContain(hosts[0]?.sha256)
  })

  it('are taken by the clock, and only so many are kept', async () => {
    await startReady({ config: `${baseConfig()}checkpoint: { interval: 2s, timeout: 1900ms, keep: 1 }\n` })
    const names = async () => (await readdir(checkpoints())).filter((name) => name.endsWith('.db'))
    const first = await eventually(async () => (await names()).at(0) ?? Promise.reject(new Error('none')))
    await eventually(async () => expect(await names()).not.toContain(first))
    expect((await names()).length).toBeLessThanOrEqual(2)
  })

  const kills = process.env.NETOPS_ENDURANCE === '1' ? 50 : 4

  it('that are killed at any moment leave only whole ones, and what they left is removed', async () => {
    const server = await startReady()
    const { begun, end } = writer()
    await begun
    await eventually(() => expect(numbersIn(database()).length).toBeGreaterThan(2000))
    await end()
    for (let n = 0; n < kills; n += 1) {
      const asking = spawn(inject('builds').server1, ['checkpoint', '--root', here.root], { stdio: 'ignore' })
      const ended = new Promise((resolve) => asking.once('exit', resolve))
      await new Promise((resolve) => setTimeout(resolve, 40 + (n * 160) / kills))
      killTakers(server.child.pid ?? 0)
      await ended
    }
    const taken = operated('checkpoint')
    expect(numbersIn(String(taken.path)).length).toBeGreaterThan(2000)
    const names = await readdir(checkpoints())
    expect(names.filter((name) => name.startsWith('.taking'))).toEqual([])
    expect(spawnSync('sha256sum', ['-c', '--status', '--', ...(await sums())], { cwd: checkpoints() }).status).toBe(0)
    expect(names.filter((name) => name.endsWith('.db')).length).toBe((await sums()).length)
  })

  it('that are restored under kill -9 leave the old state or the new one, and never half', async () => {
    const server = await startReady()
    const { begun, end } = writer()
    await begun
    await eventually(() => expect(numbersIn(database()).length).toBeGreaterThan(2000))
    await end()
    const taken = operated('checkpoint')
    const fresh = numbersIn(String(taken.path))
    server.child.kill()
    await server.exit
    const seen = new Set<string>()
    for (let n = 0; n < kills; n += 1) {
      const db = new DatabaseSync(database())
      db.exec('PRAGMA journal_mode = WAL; DELETE FROM filled WHERE n > 3')
      db.close()
      const restoring = spawn(inject('builds').server1, ['restore', 'latest', '--root', here.root], { stdio: 'ignore' })
      const ended = new Promise((resolve) => restoring.once('exit', resolve))
      await new Promise((resolve) => setTimeout(resolve, 30 + (n * 120) / kills))
      restoring.kill('SIGKILL')
      await ended
      // As the service opens it: what a killed restore had begun in the old file is taken back.
      const numbers = numbersIn(database(), false)
      seen.add(numbers.length === 3 ? 'old' : 'new')
      if (numbers.length !== 3) expect(numbers).toEqual(fresh)
    }
    expect(operate('restore', 'latest').status).toBe(0)
    expect(numbersIn(database())).toEqual(fresh)
    expect((await readdir(dataDir())).filter((name) => name.startsWith('.'))).toEqual([])
    expect([...seen].every((one) => one === 'old' || one === 'new')).toBe(true)
  })
})

/** Kills what a service has started. */
function killTakers(pid: number): void {
  const children = spawnSync('pgrep', ['-P', `${pid}`], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)
  for (const child of children) {
    try {
      process.kill(Number(child), 'SIGKILL')
    } catch {
      // It has just ended.
    }
  }
}
