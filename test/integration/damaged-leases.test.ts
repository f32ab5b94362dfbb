// Leases whose files are damaged, or whose heartbeats are from the future: whoever lives keeps them, and nobody else does.
import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { HeartbeatWatch } from '../../src/engine/heartbeat.ts'
import { judgeLease, readLease } from '../../src/engine/lease-file.ts'
import { carryRun, giveBackForFleet, isCarried, renewForFleet } from '../../src/engine/lease.ts'
import { readLocks, releaseLocks } from '../../src/engine/locks.ts'
import { isAlive } from '../../src/system/processes.ts'
import { aged, leaseFiles, leaseHost, leaseOf, leftBy, quick, running, take, takeFleet } from '../support/leases.ts'
import { layDown, markOpen } from '../support/old-runs.ts'

const host = leaseHost()

const onlyDead = { run: undefined, rule: 'only what is over' } as const

const whole = JSON.stringify(leaseOf({ pid: 1, startTime: '1', bootId: 'b' }, 'old'))
const texts: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['cut', whole.slice(0, 60)],
  ['garbage', '\0\u0001garbage'],
  ['of another type', '[]'],
  ['without a run', whole.replace('"run":"old",', '')],
  ['too large', `${whole.slice(0, -1)}${' '.repeat(100_000)}}`],
]

describe("a host's lease that is damaged and that nobody has", () => {
  test.each(texts)('%s, is shown, and passes on to whoever comes', async (_, text) => {
    await writeFile(host.paths.lease, text)
    expect(await readLocks(host.paths)).toMatchObject([
      { kind: 'host', lease: 'release', standing: 'dead', state: 'over', damage: { code: 'damaged' } },
    ])
    const { takenFrom } = await take(host, 'next')
    expect(takenFrom).toContain(`taken over: ${host.paths.lease} is damaged: `)
    expect((await readLease(host.paths.lease))?.run).toBe('next')
    expect(await leaseFiles(host)).toEqual(['lease.json'])
  })

  test('is given back by its name, and what it was is kept', async () => {
    await writeFile(host.paths.lease, whole.slice(0, 60))
    expect(await releaseLocks(host.paths, onlyDead)).toMatchObject([
      { damage: { message: `${host.paths.lease} is damaged: it is cut off, or no JSON` } },
    ])
    expect(await leaseFiles(host)).toEqual([expect.stringMatching(/^lease\.json\.damaged-\d+$/)])
    await take(host, 'next')
  })

  test('is named, with the way out, where a folder lies in its place', async () => {
    await mkdir(host.paths.lease)
    await expect(take(host, 'next')).rejects.toMatchObject({
      code: 'damaged',
      message: `${host.paths.lease} is damaged: it is a folder`,
      hint: `put it aside: mv -- ${host.paths.lease} ${host.paths.lease}.aside`,
    })
    await releaseLocks(host.paths, onlyDead)
    await take(host, 'next')
  })

  test('goes to exactly one of many that ask at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      await writeFile(host.paths.lease, '')
      const asked = await Promise.allSettled(Array.from({ length: 6 }, (_, index) => take(host, `r${index}`)))
      expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const { lease } of host.taken.splice(0)) await lease.giveBack()
    }
  })

  test('stays with a run that stopped half way, and only that run may go on', async () => {
    await layDown(host.paths.runs, { run: 'half', file: { state: 'running' }, journal: { lines: 4, ended: false } })
    await markOpen(host.paths.runs, 'half')
    await writeFile(host.paths.lease, '')
    await expect(take(host, 'next')).rejects.toMatchObject({
      code: 'locked',
      message: `run half stopped half way and is not finished; ${host.paths.lease} is damaged: it is empty`,
      hint: expect.stringContaining('netops runs resume half') as string,
    })
    await expect(takeFleet(host, 'fleet')).rejects.toMatchObject({ code: 'locked' })
    expect(await readLocks(host.paths)).toMatchObject([{ run: 'half', state: 'unfinished' }])
    await expect(releaseLocks(host.paths, onlyDead)).rejects.toMatchObject({ code: 'refused' })
    await take(host, 'half')
  })
})

describe("a host's lease that is damaged while its holder lives", () => {
  test('stays the holder’s: nobody takes it, or gives it back', async () => {
    const holder = await take(host, 'first')
    await truncate(host.paths.lease, 0)
    const message = `${host.paths.lease} is damaged: it is empty, and process ${process.pid} has it`
    await expect(take(host, 'second')).rejects.toMatchObject({ code: 'locked', message })
    await expect(takeFleet(host, 'fleet')).rejects.toMatchObject({ code: 'locked', message })
    await expect(releaseLocks(host.paths, onlyDead)).rejects.toMatchObject({ code: 'locked' })
    holder.lease.assertHeld()
    await holder.lease.giveBack()
    await take(host, 'second')
  })
})

describe("a fleet's lease that is damaged", () => {
  test.each(texts)('%s, is nobody’s after the bound, and until then keeps others out', async (_, text) => {
    await writeFile(host.paths.fleetLease, text)
    await expect(takeFleet(host, 'next')).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringMatching(/fleet-lease\.json is damaged: .*, and it was renewed 0 s ago$/) as string,
    })
    await aged(host.paths.fleetLease, 2 * quick.boundMs)
    await expect(takeFleet(host, 'next')).resolves.toContain('fleet-lease.json is damaged')
  })

  test('ends the work of the run that had it, which is told why, and giving it back does no harm', async () => {
    await takeFleet(host, 'one')
    await writeFile(host.paths.fleetLease, 'garbage')
    await expect(renewForFleet(host.paths, 'one')).rejects.toMatchObject({
      code: 'locked',
      resumable: true,
      message: expect.stringContaining(`${host.paths.fleetLease} is damaged`) as string,
    })
    await giveBackForFleet(host.paths, 'one')
    expect(await leaseFiles(host)).toEqual(['fleet-lease.json'])
  })
})

test('a run whose carrier is damaged is carried out by whoever comes', async () => {
  for (const text of ['', 'garbage']) {
    await mkdir(join(host.paths.runs, 'r'), { recursive: true })
    await writeFile(join(host.paths.runs, 'r', 'carrier.json'), text)
    expect(await isCarried(host.paths.runs, 'r')).toBe(false)
    const held = await carryRun(host.paths.runs, 'r', quick)
    await held.giveBack()
  }
})

describe('a heartbeat from the future', () => {
  const hour = 3_600_000

  test('of a fleet run that died: it passes on when no other came within the bound', async () => {
    await takeFleet(host, 'dead')
    await aged(host.paths.fleetLease, -hour)
    expect(await readLocks(host.paths)).toMatchObject([{ run: 'dead', standing: 'held', ahead: true }])
    const begun = performance.now()
    await expect(takeFleet(host, 'next')).resolves.toContain('taken over from run dead')
    expect(performance.now() - begun).toBeGreaterThan(quick.boundMs)
  })

  test('of a fleet run that lives is followed by another, and nobody takes its lease', async () => {
    await takeFleet(host, 'living')
    await aged(host.paths.fleetLease, -hour)
    let answered = false
    const asked = takeFleet(host, 'next').finally(() => (answered = true))
    const refused = expect(asked).rejects.toMatchObject({ code: 'locked' })
    await sleep(quick.boundMs / 2)
    // It is watched until it is known whether somebody lives.
    expect(answered).toBe(false)
    await renewForFleet(host.paths, 'living')
    await refused
    expect((await readLease(host.paths.fleetLease))?.run).toBe('living')
  })

  test("keeps no run of the host itself from it, where the fleet run's holder is dead", async () => {
    await takeFleet(host, 'dead')
    await aged(host.paths.fleetLease, -hour)
    await take(host, 'own')
  })

  test('of a run that died can be given back', async () => {
    await takeFleet(host, 'dead')
    await aged(host.paths.fleetLease, -hour)
    const given = releaseLocks(host.paths, onlyDead, quick)
    await expect(given).resolves.toMatchObject([{ run: 'dead' }])
  })

  test('of a process that stands still ends it after the bound, and the host passes on', async () => {
    const { identity, stop } = await running()
    stop()
    await leftBy(host, identity, { run: 'old', ageMs: -hour })
    const watch = new HeartbeatWatch()
    expect(await judgeLease(host.paths.lease, quick, watch)).toMatchObject({ standing: 'held', ahead: true })
    await take(host, 'next')
    expect(await isAlive(identity)).toBe(false)
    await aged(host.paths.lease, -hour)
    expect(await judgeLease(host.paths.lease, quick, watch)).toMatchObject({ standing: 'held' })
  })
})
