// Leases whose files are damaged, or whose heartbeats are from the future: whoever lives keeps them, and nobody else does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { HeartbeatWatch } from '../../../src/engine/heartbeat.ts'
import { judgeLease, readLease } from '../../../src/engine/lease-file.ts'
import {
  carryRun,
  giveBackForFleet,
  isCarried,
  renewForFleet,
  takeForFleet,
  takeHost,
  type LeasePaths,
  type Taken,
} from '../../../src/engine/lease.ts'
import { readLocks, releaseLocks } from '../../../src/engine/locks.ts'
import { hostPaths } from '../../../src/model/paths.ts'
import { identify, isAlive, type ProcessIdentity } from '../../../src/system/processes.ts'
import { layDown, markOpen } from '../../support/old-runs.ts'

let folder: string
let paths: LeasePaths
let taken: Taken[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-leases-'))
  paths = { ...hostPaths(folder), netops: 'netops' }
  await mkdir(dirname(paths.lease), { recursive: true })
})
afterEach(async () => {
  for (const { lease } of taken) await lease.leave()
  taken = []
  await rm(folder, { recursive: true, force: true })
})

// A second takes the part of the half minute that a silent holder gets.
const quick = { heartbeatMs: 100, boundMs: 1000 }

async function take(run: string): Promise<Taken> {
  const got = await takeHost(paths, { run, reason: `reason of ${run}` }, quick)
  taken.push(got)
  return got
}
const takeFleet = (run: string) => takeForFleet(paths, { run, reason: 'deploy', user: 'alice', host: 'ops1' }, quick)
const onlyDead = { run: undefined, rule: 'only what is over' } as const
const names = async (): Promise<string[]> => (await readdir(dirname(paths.lease))).sort()

const whole = JSON.stringify({
  ...{ schema: 'netops/lease/v1', run: 'old', reason: 'deploy', host: 'h', user: 'u', since: 's' },
  process: { pid: 1, startTime: '1', bootId: 'b' },
})
const texts: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['cut', whole.slice(0, 60)],
  ['garbage', '\0\u0001garbage'],
  ['of another type', '[]'],
  ['without a run', whole.replace('"run":"old",', '')],
  ['too large', `${whole.slice(0, -1)}${' '.repeat(100_000)}}`],
]

async function aged(path: string, ageMs: number): Promise<void> {
  const at = new Date(Date.now() - ageMs)
  await utimes(path, at, at)
}

describe("a host's lease that is damaged and that nobody has", () => {
  test.each(texts)('%s, is shown, and passes on to whoever comes', async (_, text) => {
    await writeFile(paths.lease, text)
    expect(await readLocks(paths)).toMatchObject([
      { kind: 'host', lease: 'release', standing: 'dead', state: 'over', damage: { code: 'damaged' } },
    ])
    const { takenFrom } = await take('next')
    expect(takenFrom).toContain(`taken over: ${paths.lease} is damaged: `)
    expect((await readLease(paths.lease))?.run).toBe('next')
    expect(await names()).toEqual(['lease.json'])
  })

  test('is given back by its name, and what it was is kept', async () => {
    await writeFile(paths.lease, whole.slice(0, 60))
    expect(await releaseLocks(paths, onlyDead)).toMatchObject([
      { damage: { message: `${paths.lease} is damaged: it is cut off, or no JSON` } },
    ])
    expect(await names()).toEqual([expect.stringMatching(/^lease\.json\.damaged-\d+$/)])
    await take('next')
  })

  test('is named, with the way out, where a folder lies in its place', async () => {
    await mkdir(paths.lease)
    await expect(take('next')).rejects.toMatchObject({
      code: 'damaged',
      message: `${paths.lease} is damaged: it is a folder`,
      hint: `put it aside: mv -- ${paths.lease} ${paths.lease}.aside`,
    })
    await releaseLocks(paths, onlyDead)
    await take('next')
  })

  test('goes to exactly one of many that ask at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      await writeFile(paths.lease, '')
      const asked = await Promise.allSettled(Array.from({ length: 6 }, (_, index) => take(`r${index}`)))
      expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const { lease } of taken.splice(0)) await lease.giveBack()
    }
  })

  test('stays with a run that stopped half way, and only that run may go on', async () => {
    await layDown(paths.runs, { run: 'half', file: { state: 'running' }, journal: { lines: 4, ended: false } })
    await markOpen(paths.runs, 'half')
    await writeFile(paths.lease, '')
    await expect(take('next')).rejects.toMatchObject({
      code: 'locked',
      message: `run half stopped half way and is not finished; ${paths.lease} is damaged: it is empty`,
      hint: expect.stringContaining('netops runs resume half') as string,
    })
    await expect(takeFleet('fleet')).rejects.toMatchObject({ code: 'locked' })
    expect(await readLocks(paths)).toMatchObject([{ run: 'half', state: 'unfinished' }])
    await expect(releaseLocks(paths, onlyDead)).rejects.toMatchObject({ code: 'refused' })
    await take('half')
  })
})

describe("a host's lease that is damaged while its holder lives", () => {
  test('stays the holder’s: nobody takes it, or gives it back', async () => {
    const holder = await take('first')
    await truncate(paths.lease, 0)
    const message = `${paths.lease} is damaged: it is empty, and process ${process.pid} has it`
    await expect(take('second')).rejects.toMatchObject({ code: 'locked', message })
    await expect(takeFleet('fleet')).rejects.toMatchObject({ code: 'locked', message })
    await expect(releaseLocks(paths, onlyDead)).rejects.toMatchObject({ code: 'locked' })
    holder.lease.assertHeld()
    await holder.lease.giveBack()
    await take('second')
  })
})

describe("a fleet's lease that is damaged", () => {
  test.each(texts)('%s, is nobody’s after the bound, and until then keeps others out', async (_, text) => {
    await writeFile(paths.fleetLease, text)
    await expect(takeFleet('next')).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringMatching(/fleet-lease\.json is damaged: .*, and it was renewed 0 s ago$/) as string,
    })
    await aged(paths.fleetLease, 2 * quick.boundMs)
    await expect(takeFleet('next')).resolves.toContain('fleet-lease.json is damaged')
  })

  test('ends the work of the run that had it, which is told why, and giving it back does no harm', async () => {
    await takeFleet('one')
    await writeFile(paths.fleetLease, 'garbage')
    await expect(renewForFleet(paths, 'one')).rejects.toMatchObject({
      code: 'locked',
      resumable: true,
      message: expect.stringContaining(`${paths.fleetLease} is damaged`) as string,
    })
    await giveBackForFleet(paths, 'one')
    expect(await names()).toEqual(['fleet-lease.json'])
  })
})

test('a run whose carrier is damaged is carried out by whoever comes', async () => {
  for (const text of ['', 'garbage']) {
    await mkdir(join(paths.runs, 'r'), { recursive: true })
    await writeFile(join(paths.runs, 'r', 'carrier.json'), text)
    expect(await isCarried(paths.runs, 'r')).toBe(false)
    const held = await carryRun(paths.runs, 'r', quick)
    await held.giveBack()
  }
})

describe('a heartbeat from the future', () => {
  const hour = 3_600_000

  test('of a fleet run that died: it passes on when no other came within the bound', async () => {
    await takeFleet('dead')
    await aged(paths.fleetLease, -hour)
    expect(await readLocks(paths)).toMatchObject([{ run: 'dead', standing: 'held', ahead: true }])
    const begun = performance.now()
    await expect(takeFleet('next')).resolves.toContain('taken over from run dead')
    expect(performance.now() - begun).toBeGreaterThan(quick.boundMs)
  })

  test('of a fleet run that lives is followed by another, and nobody takes its lease', async () => {
    await takeFleet('living')
    await aged(paths.fleetLease, -hour)
    const asked = expect(takeFleet('next')).rejects.toMatchObject({ code: 'locked' })
    await sleep(quick.boundMs / 2)
    await renewForFleet(paths, 'living')
    await asked
    expect((await readLease(paths.fleetLease))?.run).toBe('living')
  })

  test("keeps no run of the host itself from it, where the fleet run's holder is dead", async () => {
    await takeFleet('dead')
    await aged(paths.fleetLease, -hour)
    await take('own')
  })

  test('of a run that died can be given back', async () => {
    await takeFleet('dead')
    await aged(paths.fleetLease, -hour)
    const given = releaseLocks({ ...paths }, onlyDead, quick)
    await expect(given).resolves.toMatchObject([{ run: 'dead' }])
  })

  test('of a process that stands still ends it after the bound, and the host passes on', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    onTestFinished(() => void child.kill('SIGKILL'))
    const stopped = (await identify(child.pid ?? 0)) as ProcessIdentity
    child.kill('SIGSTOP')
    await writeFile(paths.lease, JSON.stringify({ ...(JSON.parse(whole) as object), process: stopped }))
    await aged(paths.lease, -hour)
    const watch = new HeartbeatWatch()
    expect(await judgeLease(paths.lease, quick, watch)).toMatchObject({ standing: 'held', ahead: true })
    await take('next')
    expect(await isAlive(stopped)).toBe(false)
    await aged(paths.lease, -hour)
    expect(await judgeLease(paths.lease, quick, watch)).toMatchObject({ standing: 'held' })
  })
})
