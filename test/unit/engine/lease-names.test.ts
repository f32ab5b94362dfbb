import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { readLease } from '../../../src/engine/lease-file.ts'
import {
  giveBackForFleet,
  renewForFleet,
  takeForFleet,
  takeHost,
  type HostHolder,
  type LeasePaths,
  type Taken,
} from '../../../src/engine/lease.ts'
import { readLocks, releaseLocks } from '../../../src/engine/locks.ts'
import type { LeaseName } from '../../../src/model/leases.ts'
import { hostPaths, leasePath } from '../../../src/model/paths.ts'
import { identify, isAlive, type ProcessIdentity } from '../../../src/system/processes.ts'
import { layDown } from '../../support/old-runs.ts'

let folder: string
let paths: LeasePaths
let taken: Taken[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-leases-'))
  paths = { ...hostPaths(folder), netops: 'netops' }
})
afterEach(async () => {
  for (const { lease } of taken) await lease.leave()
  taken = []
  await rm(folder, { recursive: true, force: true })
})

// A second takes the part of the half minute that a silent holder gets.
const quick = { heartbeatMs: 100, boundMs: 1000 }
const everything: readonly LeaseName[] = ['logs', 'backup', 'release']

async function take(run: string, leases: readonly LeaseName[], more: Partial<HostHolder> = {}): Promise<Taken> {
  const got = await takeHost(paths, { run, reason: `reason of ${run}`, leases, ...more }, quick)
  taken.push(got)
  return got
}
const takeFleet = (run: string, leases: readonly LeaseName[]) =>
  takeForFleet(paths, { run, reason: run, user: 'alice', host: 'ops1', leases }, quick)

const holder = async (name: LeaseName): Promise<string | undefined> =>
  (await readLease(leasePath(paths.lease, name)))?.run
const leaseFiles = async (): Promise<string[]> =>
  (await readdir(join(folder, 'var/lib/netops'))).filter((name) => name.includes('lease')).sort()

/** A process that lives, stands still or is dead, and left a lease of a run that stopped half way. */
async function left(how: 'dead' | 'silent' | 'alive', run: string, names: readonly LeaseName[]) {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const identity = await identify(child.pid ?? 0)
  if (identity === undefined) throw new Error('the process did not run')
  const gone = once(child, 'exit')
  onTestFinished(() => void child.kill('SIGKILL'))
  if (how === 'silent') child.kill('SIGSTOP')
  if (how === 'dead') {
    child.kill('SIGKILL')
    await gone
  }
  await layDown(paths.runs, { run, journal: { lines: 4, ended: false } })
  for (const name of names) await writeLease(identity, run, name, how === 'silent' ? 2 * quick.boundMs : 0)
  return identity
}

async function writeLease(process: ProcessIdentity, run: string, name: LeaseName, ageMs: number): Promise<void> {
  const path = leasePath(paths.lease, name)
  await mkdir(join(folder, 'var/lib/netops'), { recursive: true })
  const lease = { schema: 'netops/lease/v1', run, reason: 'x', host: 'h', user: 'u', since: 's', process }
  await writeFile(path, JSON.stringify(lease))
  const at = new Date(Date.now() - ageMs)
  await utimes(path, at, at)
}

describe('a run that holds the lease for backups', () => {
  test.each(['dead', 'silent', 'alive'] as const)('and is %s keeps out only who needs that one too', async (how) => {
    const process = await left(how, 'half', ['backup'])
    await take('deploy', ['release'])
    await take('rotation', ['logs'])
    await expect(take('backup', ['backup'])).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(how === 'alive' ? 'the lease backup of this host' : 'run half') as string,
    })
    await expect(takeFleet('backups', ['backup'])).rejects.toMatchObject({ code: 'locked' })
    expect(await holder('backup')).toBe('half')
    expect(await isAlive(process)).toBe(how !== 'dead')
  })

  test('is not kept out by a deployment that stopped half way', async () => {
    await left('dead', 'half', ['release'])
    await take('backup', ['backup'])
    await expect(take('restore', ['release', 'backup'])).rejects.toMatchObject({
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
      const asked = await Promise.allSettled(needs.map((leases, index) => take(`r${index}`, leases)))
      // All of them need the backups. Two at once may each find the other there, and neither gets it.
      const got = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
      expect(got.length).toBeLessThanOrEqual(1)
      for (const { lease } of got) await lease.giveBack()
      expect(await leaseFiles()).toEqual([])
    }
    const { lease } = await take('last', everything)
    expect(await leaseFiles()).toEqual(['lease-backup.json', 'lease-logs.json', 'lease.json'])
    lease.assertHeld()
    await lease.giveBack()
    expect(await leaseFiles()).toEqual([])
  })

  test('are lost as soon as one of them is', async () => {
    const { lease } = await take('r1', everything)
    await rm(leasePath(paths.lease, 'backup'))
    expect(() => lease.assertHeld()).toThrow(/lost its lease .*lease-backup\.json/)
  })

  test('that a run had when it stopped half way stay its own where it cannot have all again', async () => {
    await left('dead', 'half', ['release'])
    await take('backup', ['backup'])
    await expect(take('half', ['release', 'backup'])).rejects.toMatchObject({ code: 'locked' })
    expect(await holder('release')).toBe('half')
    await expect(take('next', ['release'])).rejects.toMatchObject({ code: 'locked' })
  })

  test('that a run had when it stopped half way stay its own where a fleet run has the host', async () => {
    await takeFleet('other', ['release'])
    await left('dead', 'half', ['release'])
    await expect(take('half', ['release'])).rejects.toMatchObject({ code: 'locked' })
    expect(await holder('release')).toBe('half')
  })

  test('of one dead run are told of once', async () => {
    const process = await left('dead', 'old', [])
    await rm(join(paths.runs, 'old'), { recursive: true })
    for (const name of everything) await writeLease(process, 'old', name, 0)
    const { takenFrom } = await take('next', everything)
    expect(takenFrom).toBe('taken over from run old (x) by u of s, whose process is gone')
  })
})

describe("a fleet run's leases", () => {
  test('are joined only by a run that says that it is a part of it, whatever it is called', async () => {
    await takeFleet('one', ['release', 'backup'])
    await expect(take('one.web1', ['backup'])).rejects.toMatchObject({ code: 'locked' })
    await take('part', ['backup'], { fleet: 'one' })
    expect(await holder('backup')).toBe('part')
  })

  test('find a part of it at work, and refuse a run that is only called like one', async () => {
    for (const [run, fleet] of [['part', 'one'] as const, ['one.web1', 'two'] as const]) {
      await layDown(paths.runs, { run, file: { state: 'running', fleet }, journal: { lines: 2, ended: false } })
    }
    await take('part', ['release'])
    await take('one.web1', ['backup'])
    await takeFleet('one', ['release'])
    await expect(takeFleet('one', ['release', 'backup'])).rejects.toMatchObject({ code: 'locked' })
  })

  test('are taken all or none, renewed together and given back by name', async () => {
    await takeFleet('one', ['backup'])
    await expect(takeFleet('two', ['release', 'backup'])).rejects.toMatchObject({ code: 'locked' })
    expect(await leaseFiles()).toEqual(['fleet-lease-backup.json'])
    await takeFleet('two', ['release', 'logs'])
    await renewForFleet(paths, 'two', ['release', 'logs'])
    await expect(renewForFleet(paths, 'two', ['release', 'backup'])).rejects.toMatchObject({
      code: 'locked',
      resumable: true,
    })
    await giveBackForFleet(paths, 'two', ['logs'])
    expect(await leaseFiles()).toEqual(['fleet-lease-backup.json', 'fleet-lease.json'])
  })
})

test('all leases are shown by name and given back', async () => {
  await takeFleet('one', ['logs'])
  await left('dead', 'half', ['backup'])
  expect((await readLocks(paths)).map(({ kind, lease, run, state }) => [kind, lease, run, state])).toEqual([
    ['host', 'backup', 'half', 'unfinished'],
    ['fleet', 'logs', 'one', 'at work'],
  ])
  await expect(releaseLocks(paths, { run: 'half', rule: 'only what is over' })).rejects.toMatchObject({
    code: 'refused',
  })
  await releaseLocks(paths, { run: 'half', rule: 'whatever it is' })
  expect(await leaseFiles()).toEqual(['fleet-lease-logs.json'])
})
