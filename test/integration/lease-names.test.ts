// Leases by name: which of them exclude each other, on a host and for fleets.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readJournal } from '../../src/engine/journal.ts'
import { readLease } from '../../src/engine/lease-file.ts'
import { giveBackForFleet, renewForFleet } from '../../src/engine/lease.ts'
import { readLocks, releaseLocks } from '../../src/engine/locks.ts'
import { describeRun, openRuns } from '../../src/engine/run-file.ts'
import { endPassedOn } from '../../src/engine/settle-ended.ts'
import type { LeaseName } from '../../src/model/leases.ts'
import { leasePath } from '../../src/model/paths.ts'
import { isAlive } from '../../src/system/processes.ts'
import { leaseFiles, leaseHost, leftBy, quick, running, take, takeFleet } from '../support/leases.ts'
import { layDown } from '../support/old-runs.ts'

const host = leaseHost()
const everything: readonly LeaseName[] = ['logs', 'backup', 'release']

const holder = async (name: LeaseName): Promise<string | undefined> =>
  (await readLease(leasePath(host.paths.lease, name)))?.run

/** A process that lives, stands still or is dead, and left a lease of a run that stopped half way. */
async function left(how: 'dead' | 'silent' | 'alive', run: string, names: readonly LeaseName[]) {
  const { identity, stop, kill } = await running()
  if (how === 'silent') stop()
  if (how === 'dead') await kill()
  await layDown(host.paths.runs, { run, journal: { lines: 4, ended: false } })
  for (const name of names) await leftBy(host, identity, { run, name, ageMs: how === 'silent' ? 2 * quick.boundMs : 0 })
  return identity
}

describe('a run that holds the lease for backups', () => {
  test.each(['dead', 'silent', 'alive'] as const)('and is %s keeps out only who needs that one too', async (how) => {
    const process = await left(how, 'half', ['backup'])
    await take(host, 'deploy', { leases: ['release'] })
    await take(host, 'rotation', { leases: ['logs'] })
    await expect(take(host, 'backup', { leases: ['backup'] })).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(how === 'alive' ? 'the lease backup of this host' : 'run half') as string,
    })
    await expect(takeFleet(host, 'backups', ['backup'])).rejects.toMatchObject({ code: 'locked' })
    expect(await holder('backup')).toBe('half')
    expect(await isAlive(process)).toBe(how !== 'dead')
  })

  test('and was cut off keeps nobody out where its file says that it needed nothing else', async () => {
    for (const [run, leases] of [['cut', ['backup']] as const, ['restoring', ['release', 'backup']] as const]) {
      await left('dead', run, ['backup'])
      await layDown(host.paths.runs, {
        ...{ run, file: { state: 'running', leases: [...leases] }, journal: { lines: 4, ended: false } },
      })
      const taking = take(host, `after-${run}`, { leases: ['backup'] })
      if (run === 'restoring') {
        await expect(taking).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(run) as string })
        continue
      }
      const { lease, takenFrom } = await taking
      expect(takenFrom).toMatch(/^taken over from run cut/)
      await lease.giveBack()
    }
  })

  test('and was cut off is ended by the next one, and by no other', async () => {
    await left('dead', 'cut', [])
    await layDown(host.paths.runs, {
      ...{ run: 'cut', file: { state: 'running', leases: ['backup'] }, journal: { lines: 4, ended: false } },
    })
    const openFolder = join(host.paths.runs, '..', 'open')
    await mkdir(openFolder, { recursive: true })
    await writeFile(join(openFolder, 'cut'), '')
    const end = (leases: readonly LeaseName[]) =>
      endPassedOn(host.paths.runs, { run: 'next', leases }, () => new Date('2026-01-02T04:00:00Z'))
    await end(['release'])
    expect(await openRuns(host.paths.runs)).toEqual(['cut'])
    await end(['backup'])
    expect(await openRuns(host.paths.runs)).toEqual([])
    expect(await describeRun(host.paths.runs, 'cut')).toMatchObject({ state: 'ended', outcome: 'interrupted' })
    expect((await readJournal(host.paths.runs, 'cut'))?.at(-1)).toMatchObject({
      ...{ type: 'end', changed: false, error: { message: 'it was cut off, and run next began in its place' } },
    })
  })

  test('is not kept out by a deployment that stopped half way', async () => {
    await left('dead', 'half', ['release'])
    await take(host, 'backup', { leases: ['backup'] })
    await expect(take(host, 'restore', { leases: ['release', 'backup'] })).rejects.toMatchObject({
      code: 'locked',
      hint: expect.stringContaining('runs resume half') as string,
    })
  })
})

describe('several leases', () => {
  test('are had in whatever order they are named, by exactly one of those who need the same', async () => {
    const needs: readonly (readonly LeaseName[])[] = [
      ['release', 'backup'],
      ['backup', 'release'],
      everything,
      ['backup', 'logs'],
      ['logs', 'backup'],
    ]
    for (let round = 0; round < 10; round += 1) {
      const asked = await Promise.allSettled(needs.map((leases, index) => take(host, `r${index}`, { leases })))
      // All of them need the backups. Two at once may each find the other there, and neither gets it.
      const got = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      expect(got.length).toBeLessThanOrEqual(1)
      for (const { lease } of got) await lease.giveBack()
      expect(await leaseFiles(host)).toEqual([])
    }
    const { lease } = await take(host, 'last', { leases: everything })
    expect(await leaseFiles(host)).toEqual(['lease-backup.json', 'lease-logs.json', 'lease.json'])
    lease.assertHeld()
    await lease.giveBack()
    expect(await leaseFiles(host)).toEqual([])
  })

  test('are lost as soon as one of them is', async () => {
    const { lease } = await take(host, 'r1', { leases: everything })
    await rm(leasePath(host.paths.lease, 'backup'))
    expect(() => lease.assertHeld()).toThrow(/lost its lease .*lease-backup\.json/)
  })

  test('that a run had when it stopped half way stay its own where it cannot have all again', async () => {
    await left('dead', 'half', ['release'])
    await take(host, 'backup', { leases: ['backup'] })
    await expect(take(host, 'half', { leases: ['release', 'backup'] })).rejects.toMatchObject({ code: 'locked' })
    expect(await holder('release')).toBe('half')
    await expect(take(host, 'next', { leases: ['release'] })).rejects.toMatchObject({ code: 'locked' })
  })

  test('that a run had when it stopped half way stay its own where a fleet run has the host', async () => {
    await takeFleet(host, 'other', ['release'])
    await left('dead', 'half', ['release'])
    await expect(take(host, 'half', { leases: ['release'] })).rejects.toMatchObject({ code: 'locked' })
    expect(await holder('release')).toBe('half')
  })

  test('of one dead run are told of once', async () => {
    const process = await left('dead', 'old', [])
    await rm(join(host.paths.runs, 'old'), { recursive: true })
    for (const name of everything) await leftBy(host, process, { run: 'old', name })
    const { takenFrom } = await take(host, 'next', { leases: everything })
    expect(takenFrom).toBe('taken over from run old (deploy) by u of s, whose process is gone')
  })
})

describe("a fleet run's leases", () => {
  test('are joined only by a run that says that it is a part of it, whatever it is called', async () => {
    await takeFleet(host, 'one', ['release', 'backup'])
    await expect(take(host, 'one.web1', { leases: ['backup'] })).rejects.toMatchObject({ code: 'locked' })
    await take(host, 'part', { leases: ['backup'], fleet: 'one' })
    expect(await holder('backup')).toBe('part')
  })

  test('find a part of it at work, and refuse a run that is only called like one', async () => {
    for (const [run, fleet] of [['part', 'one'] as const, ['one.web1', 'two'] as const]) {
      await layDown(host.paths.runs, { run, file: { state: 'running', fleet }, journal: { lines: 2, ended: false } })
    }
    await take(host, 'part', { leases: ['release'] })
    await take(host, 'one.web1', { leases: ['backup'] })
    await takeFleet(host, 'one', ['release'])
    await expect(takeFleet(host, 'one', ['release', 'backup'])).rejects.toMatchObject({ code: 'locked' })
  })

  test('are taken all or none, renewed together and given back by name', async () => {
    await takeFleet(host, 'one', ['backup'])
    await expect(takeFleet(host, 'two', ['release', 'backup'])).rejects.toMatchObject({ code: 'locked' })
    expect(await leaseFiles(host)).toEqual(['fleet-lease-backup.json'])
    await takeFleet(host, 'two', ['release', 'logs'])
    await renewForFleet(host.paths, 'two', ['release', 'logs'])
    await expect(renewForFleet(host.paths, 'two', ['release', 'backup'])).rejects.toMatchObject({
      code: 'locked',
      resumable: true,
    })
    await giveBackForFleet(host.paths, 'two', ['logs'])
    expect(await leaseFiles(host)).toEqual(['fleet-lease-backup.json', 'fleet-lease.json'])
  })
})

test('all leases are shown by name and given back', async () => {
  await takeFleet(host, 'one', ['logs'])
  await left('dead', 'half', ['backup'])
  expect((await readLocks(host.paths)).map(({ kind, lease, run, state }) => [kind, lease, run, state])).toEqual([
    ['host', 'backup', 'half', 'unfinished'],
    ['fleet', 'logs', 'one', 'at work'],
  ])
  await expect(releaseLocks(host.paths, { run: 'half', rule: 'only what is over' })).rejects.toMatchObject({
    code: 'refused',
  })
  await releaseLocks(host.paths, { run: 'half', rule: 'whatever it is' })
  expect(await leaseFiles(host)).toEqual(['fleet-lease-logs.json'])
})
