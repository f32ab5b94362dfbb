import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkDisk, checkNetwork, judgeMemory, readMemory, type Check } from '../../../src/server/checks.ts'
import { createHealth, type CheckName } from '../../../src/server/health.ts'

const good: Check = () => Promise.resolve(undefined)
const bad: Check = () => Promise.resolve('broken')

describe('health', () => {
  const healthOf = (checks: Partial<Record<CheckName, Check>>, now = () => 0, changes: string[] = []) =>
    createHealth({
      checks: { database: good, memory: good, disk: good, network: good, ...checks },
      now,
      onChange: (name, verdict) => changes.push(`${name}: ${verdict ?? 'good'}`),
    })

  it('has exactly the guide’s shape', async () => {
    expect(JSON.stringify(await healthOf({}).read())).toBe(
      '{"healthy":true,"status":"healthy","checks":{"database":true,"memory":true,"disk":true,"network":true}}',
    )
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
    let verdict: string | undefined
    const health = healthOf({ disk: () => Promise.resolve(verdict) }, () => (time += 1000), changes)
    for (const next of [undefined, 'full', 'full', undefined, undefined]) {
      verdict = next
      await health.read()
    }
    expect(changes).toEqual(['disk: full', 'disk: good'])
  })
})

describe('the memory check', () => {
  const reading = { resident: 100e6, residentLimit: 1e9, heapUsed: 50e6, heapLimit: 1e9, available: 500e6 }

  it('holds for this very process', () => {
    expect(judgeMemory(readMemory())).toBeUndefined()
  })

  it.each([
    [{ resident: 950e6 }, '950.0 MB in memory of at most 1.0 GB'],
    [{ heapUsed: 950e6 }, '950.0 MB of heap used of at most 1.0 GB'],
    [{ available: 10e6 }, '10.0 MB of memory available on this host, less than 67.1 MB'],
  ])('fails for %j', (change, reason) => {
    expect(judgeMemory(reading)).toBeUndefined()
    expect(judgeMemory({ ...reading, ...change })).toBe(reason)
  })
})

describe('with a folder', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'netops-health-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  describe('the disk check', () => {
    it('holds while enough is free, and says how much is missing otherwise', async () => {
      expect(await checkDisk([folder], 1)).toBeUndefined()
      expect(await checkDisk([folder], Number.MAX_SAFE_INTEGER)).toMatch(/ free below .*, less than /)
    })

    it('fails for a folder that is not there', async () => {
      await expect(checkDisk([folder, join(folder, 'none')], 1)).rejects.toThrow('ENOENT')
    })
  })
})

describe('the network check', () => {
  const listening = async (host: string): Promise<{ address: AddressInfo; close: () => Promise<void> }> => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve))
    return {
      address: server.address() as AddressInfo,
      close: () => new Promise((resolve) => server.close(() => resolve())),
    }
  }

  it.each(['127.0.0.1', '0.0.0.0'])('holds while something accepts on %s, and fails afterwards', async (host) => {
    const { address, close } = await listening(host)
    expect(await checkNetwork(address)).toBeUndefined()
    await close()
    expect(await checkNetwork(address)).toContain('ECONNREFUSED')
  })

  it('fails without an address', async () => {
    expect(await checkNetwork(null)).toBe('not listening')
  })
})
