import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  checkDatabase,
  checkDisk,
  checkNetwork,
  judgeMemory,
  readMemory,
  type Check,
  type Verdict,
} from '../../../src/server/checks.ts'
import { createHealth, type CheckName } from '../../../src/server/health.ts'
import { StoreUnavailable } from '../../../src/server/store/port.ts'

const good: Check = () => Promise.resolve(undefined)
const bad: Check = () => Promise.resolve({ reason: 'broken', detail: 'broken at /a/place' })

describe('health', () => {
  const healthOf = (checks: Partial<Record<CheckName, Check>>, now = () => 0, changes: string[] = []) =>
    createHealth({
      checks: { database: good, memory: good, disk: good, network: good, ...checks },
      now,
      onChange: (name, verdict) => changes.push(`${name}: ${verdict?.detail ?? 'good'}`),
    })

  it('has the guide’s shape, and beside it how long each check took', async () => {
    const details = ['database', 'memory', 'disk', 'network'].map((name) => `"${name}":{"duration_ms":0}`).join()
    expect(JSON.stringify(await healthOf({}).read())).toBe(
      `{"healthy":true,"status":"healthy","checks":{"database":true,"memory":true,"disk":true,"network":true},"details":{${details}}}`,
    )
  })

  it('tells the reason that is for anybody, and logs the one with the place', async () => {
    const changes: string[] = []
    const { details } = await healthOf({ disk: bad }, () => 0, changes).read()
    expect(details.disk).toEqual({ duration_ms: 0, reason: 'broken' })
    expect(changes).toEqual(['disk: broken at /a/place'])
  })

  it('does not begin a check again that still hangs, and takes its answer when it comes', async () => {
    let [begun, time] = [0, 0]
    let answer: (verdict: undefined) => void = () => undefined
    const hangs: Check = () => {
      begun += 1
      return new Promise((resolve) => (answer = resolve))
    }
    const health = healthOf({ disk: hangs }, () => time)
    for (time of [0, 1000]) {
      expect((await health.read()).details.disk.reason).toBe('no answer within 2 s')
    }
    expect(begun).toBe(1)
    time = 2000
    const waiting = health.read()
    answer(undefined)
    expect((await waiting).healthy).toBe(true)
  })

  it.each(['database', 'memory', 'disk', 'network'] as const)('is unhealthy when %s alone fails', async (name) => {
    const status = await healthOf({ [name]: bad }).read()
    expect(status).toMatchObject({ healthy: false, status: 'unhealthy' })
    expect(Object.entries(status.checks).filter(([, value]) => !value)).toEqual([[name, false]])
  })

  it('counts a check that throws as failed, with its reason', async () => {
    const changes: string[] = []
    const status = await healthOf({ disk: () => Promise.reject(new Error('gone')) }, () => 0, changes).read()
    expect(status.checks.disk).toBe(false)
    // What an error says may name places, and is for the log.
    expect(status.details.disk.reason).toBe('the check failed')
    expect(changes).toEqual(['disk: gone'])
  })

  it('keeps an answer for a second, also under many probes at once', async () => {
    let runs = 0
    let time = 0
    const counted: Check = () => {
      runs += 1
      return Promise.resolve(undefined)
    }
    const health = healthOf({ memory: counted }, () => time)
    await Promise.all(Array.from({ length: 100 }, () => health.read()))
    time = 999
    await health.read()
    expect(runs).toBe(1)
    time = 1000
    await health.read()
    expect(runs).toBe(2)
  })

  it('reports a change once, in both directions', async () => {
    const changes: string[] = []
    let time = 0
    let verdict: Verdict
    const full = { reason: 'full', detail: 'full' }
    const health = healthOf({ disk: () => Promise.resolve(verdict) }, () => (time += 1000), changes)
    for (const next of [undefined, full, full, undefined, undefined]) {
      verdict = next
      await health.read()
    }
    expect(changes).toEqual(['disk: full', 'disk: good'])
  })
})

describe('the memory check', () => {
  const reading = {
    ...{ resident: 100e6, residentLimit: 1e9, available: 500e6 },
    group: { used: 100e6, limit: 1e9 },
    heaps: [
      { used: 50e6, limit: 1e9 },
      { used: 60e6, limit: 1e9 },
    ],
  }

  it('holds for this very process', () => {
    expect(judgeMemory(readMemory())).toBeUndefined()
  })

  it.each([
    [{ resident: 950e6 }, '950.0 MB in memory of at most 1.0 GB'],
    [{ group: { used: 950e6, limit: 1e9 } }, 'the control group uses 950.0 MB of at most 1.0 GB'],
    [{ heaps: [...reading.heaps, { used: 950e6, limit: 1e9 }] }, '950.0 MB of heap used of at most 1.0 GB'],
    [{ available: 10e6 }, '10.0 MB of memory available on this host, less than 67.1 MB'],
  ])('fails for %j', (change, reason) => {
    expect(judgeMemory(reading)).toBeUndefined()
    expect(judgeMemory({ ...reading, ...change })?.reason).toBe(reason)
  })
})

describe('with a folder', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'netops-health-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  describe('the disk check', () => {
    const data = () => ({ path: folder, place: 'data' })

    it('holds while enough is free, and says how much is missing otherwise', async () => {
      expect(await checkDisk([data()], 1)).toBeUndefined()
      const verdict = await checkDisk([data()], Number.MAX_SAFE_INTEGER)
      expect(verdict?.reason).toMatch(/ free in the data folder, less than /)
      expect(verdict?.detail).toContain(`free below ${folder}`)
    })

    it('leaves nothing behind, and replaces what a kill left', async () => {
      writeFileSync(join(folder, '.network_server-health'), 'left')
      expect(await checkDisk([data(), data()], 1)).toBeUndefined()
      expect(readdirSync(folder)).toEqual([])
    })

    it('holds when two look at once', async () => {
      const verdicts = await Promise.all(Array.from({ length: 20 }, () => checkDisk([data()], 1)))
      expect(verdicts.filter((verdict) => verdict !== undefined)).toEqual([])
    })

    it('fails for a folder that takes no file, follows no link out of it, and names the place to the log alone', async () => {
      const gone = { path: join(folder, 'none'), place: 'log' }
      expect((await checkDisk([data(), gone], 1))?.reason).toBe('the log folder takes no file: ENOENT')
      expect((await checkDisk([gone], 1))?.detail).toContain(gone.path)
      const other = join(folder, 'other')
      writeFileSync(other, 'kept')
      symlinkSync(other, join(folder, '.network_server-health'))
      expect((await checkDisk([data()], 1))?.reason).toBe('the data folder takes no file: ELOOP')
      expect(readFileSync(other, 'utf8')).toBe('kept')
    })
  })
})

describe('the database check', () => {
  const failing = (error: Error) => checkDatabase({ verify: () => Promise.reject(error) })

  it('tells clients the reason alone, and the log what is behind it', async () => {
    expect(await checkDatabase({ verify: () => Promise.resolve() })).toBeUndefined()
    const cause = new Error('ENOENT: /var/lib/network_system/state.db')
    expect(await failing(new StoreUnavailable('the database is gone', { cause }))).toEqual({
      reason: 'the database is gone',
      detail: 'the database is gone: ENOENT: /var/lib/network_system/state.db',
    })
    expect(await failing(new Error('a fault at /a/place'))).toEqual({
      reason: 'the check failed',
      detail: 'a fault at /a/place',
    })
  })
})

describe('the network check', () => {
  const listening = async (host: string, answer?: RequestListener) => {
    // Without an answer to give it takes connections, and reads until they end.
    const server = answer === undefined ? createTcpServer((socket) => socket.resume()) : createServer(answer)
    await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve))
    return {
      address: server.address() as AddressInfo,
      close: () => new Promise<void>((resolve) => server.close(() => resolve())),
    }
  }
  const statusOnly =
    (status: number): RequestListener =>
    (request, response) =>
      response.writeHead(request.url === '/health/live' ? status : 404).end()

  it.each(['127.0.0.1', '0.0.0.0', '::1'])(
    'holds while something answers on %s, and fails afterwards',
    async (host) => {
      const { address, close } = await listening(host, statusOnly(200))
      const listener = { ...address, speaks: 'http' } as const
      expect(await checkNetwork([listener])).toBeUndefined()
      await close()
      const verdict = await checkNetwork([listener])
      expect(verdict?.reason).toBe('the port does not answer: ECONNREFUSED')
      expect(verdict?.detail).toContain(String(address.port))
    },
  )

  it('fails where a connection is taken and nothing said, and where something else answers', async () => {
    const [mute, other] = [await listening('127.0.0.1'), await listening('127.0.0.1', statusOnly(404))]
    expect((await checkNetwork([{ ...mute.address, speaks: 'http' }]))?.reason).toBe(
      'the port does not answer within 1 s',
    )
    expect((await checkNetwork([{ ...other.address, speaks: 'http' }]))?.reason).toBe(
      'the port answers 404 to /health/live',
    )
    expect((await checkNetwork([{ ...other.address, speaks: 'tls' }]))?.reason).toMatch(
      /^the TLS port does not answer: /,
    )
    await Promise.all([mute.close(), other.close()])
  })

  it('takes a server that turns requests away for one that answers', async () => {
    const full = await listening('127.0.0.1', statusOnly(503))
    expect(await checkNetwork([{ ...full.address, speaks: 'http' }])).toBeUndefined()
    await full.close()
  })
})
