// Who gets a lease, who is refused and who takes it over: by the processes, files and clocks of this machine.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { begin, Journal } from '../../src/engine/journal.ts'
import { claimPath, judgeLease, readLease, type Lease } from '../../src/engine/lease-file.ts'
import { carryRun, giveBackForFleet, isCarried, renewForFleet, type Taken } from '../../src/engine/lease.ts'
import type { LeaseName } from '../../src/model/leases.ts'
import { leasePath } from '../../src/model/paths.ts'
import { sequence } from '../../src/model/plan.ts'
import { identify, isAlive, type ProcessIdentity } from '../../src/system/processes.ts'
import { aged, deadProcess, leaseFiles, leaseHost, leftBy, quick, running, take, takeFleet } from '../support/leases.ts'

const host = leaseHost()

async function journalOf(run: string, ended: boolean): Promise<void> {
  const journal = await Journal.open(host.paths.runs, run, { now: () => new Date(), observe: () => undefined })
  const plan = sequence('nothing', [])
  begin(journal, { run, procedure: 'test', by: 'test', input: null, facts: null, plan })
  if (ended) journal.append({ type: 'end', outcome: 'done', changed: false })
  journal.close()
}

describe("a host's lease", () => {
  test('goes to exactly one of many that ask at once', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => take(host, `r${index}`)))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const winner = asked.findIndex(({ status }) => status === 'fulfilled')
    expect((await readLease(host.paths.lease))?.run).toBe(`r${winner}`)
    expect(await leaseFiles(host)).toEqual(['lease.json'])
  })

  test('of a dead holder goes to exactly one of many that ask at once', async () => {
    const dead = await deadProcess()
    for (let round = 0; round < 15; round += 1) {
      await leftBy(host, dead, { run: 'old' })
      const asked = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => take(host, `r${index}`)))
      expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const winner = asked.findIndex(({ status }) => status === 'fulfilled')
      expect((await readLease(host.paths.lease))?.run).toBe(`r${winner}`)
      expect(await leaseFiles(host)).toEqual(['lease.json'])
    }
  })

  test('of a living holder is refused with who holds it, since when, and how to watch it', async () => {
    await take(host, 'first')
    const held = await readLease(host.paths.lease)
    await expect(take(host, 'second')).rejects.toMatchObject({
      code: 'locked',
      message: `run first (deploy of first) by ${userInfo().username} holds this host since ${held?.since ?? ''}`,
      hint: 'wait for it, or watch it on the host: netops runs follow first',
    })
    expect(await readLease(host.paths.lease)).toEqual(held)
  })

  test('is kept alive by its heartbeat for as long as it is held', async () => {
    await take(host, 'first')
    await sleep(3 * quick.boundMs)
    expect(await judgeLease(host.paths.lease, quick)).toMatchObject({ standing: 'held' })
  })

  test('of a holder that died is taken over, and the caller is told whose it was', async () => {
    await leftBy(host, await deadProcess(), { run: 'old' })
    expect((await take(host, 'next')).takenFrom).toBe(
      'taken over from run old (deploy) by u of s, whose process is gone',
    )
    expect(await readLease(host.paths.lease)).toMatchObject({ run: 'next', process: { pid: process.pid } })
  })

  test.each([
    ['of a number that another process got since', { startTime: '1' }],
    ['of an earlier boot', { bootId: 'another' }],
  ])('%s is a dead one', async (_, other) => {
    const living = await identify(process.pid)
    if (living === undefined) throw new Error('unknown')
    await leftBy(host, { ...living, ...other }, { run: 'old' })
    expect((await take(host, 'next')).takenFrom).toContain('run old')
  })

  test('of a run that stopped half way is kept from other runs, with how to finish that one', async () => {
    await leftBy(host, await deadProcess(), { run: 'half' })
    await journalOf('half', false)
    await expect(take(host, 'next')).rejects.toMatchObject({
      code: 'locked',
      message: 'run half (deploy) of s stopped half way and is not finished',
      hint: 'finish it first, on the host: netops runs resume half; or take it back: netops runs undo half',
    })
    expect((await readLease(host.paths.lease))?.run).toBe('half')
  })

  test('of a run that stopped half way is taken again by that run', async () => {
    await leftBy(host, await deadProcess(), { run: 'half' })
    await journalOf('half', false)
    await take(host, 'half')
    expect(await readLease(host.paths.lease)).toMatchObject({ run: 'half', process: { pid: process.pid } })
  })

  test('of a run that ended and died before giving it back goes to the next', async () => {
    await leftBy(host, await deadProcess(), { run: 'ended' })
    await journalOf('ended', true)
    expect((await take(host, 'next')).takenFrom).toContain('run ended')
  })

  test('can be taken after those who were taking it over died half way', async () => {
    const [first, second, third] = [await deadProcess(), await deadProcess(), await deadProcess()]
    const claimed = async (process: ProcessIdentity, run: string, dead: Lease): Promise<Lease> => {
      await writeFile(
        claimPath(host.paths.lease, { content: JSON.stringify(dead) }),
        JSON.stringify({ ...dead, process, run }),
      )
      return { ...dead, process, run }
    }
    await leftBy(host, first, { run: 'old' })
    const old = await readLease(host.paths.lease)
    if (old === undefined) throw new Error('there is no lease')
    await claimed(third, 'c', await claimed(second, 'b', old))
    const asked = await Promise.allSettled(Array.from({ length: 4 }, (_, index) => take(host, `r${index}`)))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await readLease(host.paths.lease)).toMatchObject({ process: { pid: process.pid } })
    expect(await leaseFiles(host)).toEqual(['lease.json'])
  })

  test('is given back only while it is still the same', async () => {
    const { lease } = await take(host, 'first')
    await writeFile(`${host.paths.lease}.new`, await readFile(host.paths.lease))
    await rm(host.paths.lease)
    await leftBy(host, await deadProcess(), { run: 'other' })
    expect(() => lease.assertHeld()).toThrow(/lost its lease/)
    await lease.giveBack()
    expect((await readLease(host.paths.lease))?.run).toBe('other')
  })

  test('lets the next one take it once it was given back', async () => {
    const { lease } = await take(host, 'first')
    lease.assertHeld()
    await lease.giveBack()
    expect(await readLease(host.paths.lease)).toBeUndefined()
    expect((await take(host, 'second')).takenFrom).toBeUndefined()
  })
})

describe('a frozen holder', () => {
  test('is not taken for dead while its heartbeat bound lasts', async () => {
    const { identity, stop } = await running()
    await leftBy(host, identity, { run: 'frozen', ageMs: 0.5 * quick.boundMs })
    stop()
    await expect(take(host, 'next')).rejects.toMatchObject({ code: 'locked' })
    expect(await isAlive(identity)).toBe(true)
  })

  test('is ended before its lease passes on, so that it can never go on', async () => {
    const { identity, stop } = await running()
    await leftBy(host, identity, { run: 'frozen', ageMs: 2 * quick.boundMs })
    stop()
    expect((await take(host, 'next')).takenFrom).toMatch(/^taken over from run frozen .* silent for 2 s and was ended$/)
    expect(await isAlive(identity)).toBe(false)
  })

  test('in the middle of its run is left alone by other runs, which are told how to finish it', async () => {
    const { identity, stop } = await running()
    await leftBy(host, identity, { run: 'frozen', ageMs: 2 * quick.boundMs })
    await journalOf('frozen', false)
    stop()
    await expect(take(host, 'next')).rejects.toMatchObject({
      code: 'locked',
      message: 'run frozen (deploy) of s stands still and is not finished',
    })
    expect(await isAlive(identity)).toBe(true)
    await take(host, 'frozen')
    expect(await isAlive(identity)).toBe(false)
  })

  test('that moves again while it is being judged keeps its lease', async () => {
    const { identity } = await running()
    await leftBy(host, identity, { run: 'slow', ageMs: 2 * quick.boundMs })
    const beat = setInterval(() => void aged(host.paths.lease, 0), 20)
    try {
      await expect(take(host, 'next')).rejects.toMatchObject({ code: 'locked' })
      expect(await isAlive(identity)).toBe(true)
    } finally {
      clearInterval(beat)
    }
  })
})

describe("a fleet run's lease", () => {
  test('keeps other fleet runs out, with who has it and from where', async () => {
    await takeFleet(host, 'one')
    await expect(takeFleet(host, 'two')).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringMatching(
        /^run one \(deploy by alice\) by alice from ops1 holds this host since /,
      ) as string,
    })
    expect((await readLease(host.paths.fleetLease))?.run).toBe('one')
  })

  test('goes to exactly one of many that ask at once', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 6 }, (_, index) => takeFleet(host, `r${index}`)))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('is taken again by the same run, whoever carries it out now', async () => {
    await takeFleet(host, 'one')
    expect(await takeFleet(host, 'one')).toBeUndefined()
    await renewForFleet(host.paths, 'one')
  })

  test('is joined by the parts of that run, and keeps other runs of the host out', async () => {
    await takeFleet(host, 'one')
    await expect(take(host, 'two')).rejects.toMatchObject({ code: 'locked' })
    expect(await readLease(host.paths.lease)).toBeUndefined()
    await take(host, 'one.web1', { fleet: 'one' })
    expect((await readLease(host.paths.lease))?.run).toBe('one.web1')
  })

  test('is refused where a run of the host itself is at work, and then leaves no trace', async () => {
    await take(host, 'own')
    await expect(takeFleet(host, 'one')).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('run own') as string,
    })
    expect(await readLease(host.paths.fleetLease)).toBeUndefined()
  })

  test('is refused where a run of the host stopped half way', async () => {
    await leftBy(host, await deadProcess(), { run: 'half' })
    await journalOf('half', false)
    await expect(takeFleet(host, 'one')).rejects.toMatchObject({
      code: 'locked',
      hint: expect.stringContaining('runs resume half') as string,
    })
    expect(await readLease(host.paths.fleetLease)).toBeUndefined()
  })

  test('passes on when its operator was not heard of for longer than the bound, who then learns of it', async () => {
    await takeFleet(host, 'one')
    await aged(host.paths.fleetLease, 2 * quick.boundMs)
    await expect(takeFleet(host, 'two')).resolves.toContain('taken over from run one (deploy by alice) by alice')
    await expect(renewForFleet(host.paths, 'one')).rejects.toMatchObject({
      code: 'locked',
      resumable: true,
      message: expect.stringContaining('to run two') as string,
    })
    await giveBackForFleet(host.paths, 'one')
    expect((await readLease(host.paths.fleetLease))?.run).toBe('two')
  })

  test('lives on by its heartbeat', async () => {
    await takeFleet(host, 'one')
    // It would pass on, had its holder not been heard of just in time.
    await aged(host.paths.fleetLease, 2 * quick.boundMs)
    await renewForFleet(host.paths, 'one')
    await expect(takeFleet(host, 'two')).rejects.toMatchObject({ code: 'locked' })
  })
})

describe('a run', () => {
  test('is carried out by one process at a time', async () => {
    const held = await carryRun(host.paths.runs, 'r1', quick)
    expect(await isCarried(host.paths.runs, 'r1')).toBe(true)
    await expect(carryRun(host.paths.runs, 'r1', quick)).rejects.toMatchObject({
      code: 'locked',
      message: `run r1 is being carried out right now, by process ${process.pid} of ${userInfo().username}`,
    })
    await held.giveBack()
    expect(await isCarried(host.paths.runs, 'r1')).toBe(false)
  })
})

describe('leases by name', () => {
  const takeNamed = (run: string, ...leases: LeaseName[]): Promise<Taken> => take(host, run, { leases })

  test('lie beside each other, and exclude only those who need the same', async () => {
    await takeNamed('backup', 'backup')
    await takeNamed('deploy', 'release')
    await expect(takeNamed('other', 'backup')).rejects.toMatchObject({ code: 'locked' })
    await expect(takeNamed('restore', 'release', 'backup', 'logs')).rejects.toMatchObject({ code: 'locked' })
    expect((await readLease(leasePath(host.paths.lease, 'backup')))?.run).toBe('backup')
    expect((await readLease(host.paths.lease))?.run).toBe('deploy')
  })

  test('are all given back where one cannot be had', async () => {
    await takeNamed('logs', 'logs')
    await expect(takeNamed('restore', 'release', 'backup', 'logs')).rejects.toMatchObject({ code: 'locked' })
    expect(await readLease(host.paths.lease)).toBeUndefined()
    await takeNamed('deploy', 'release')
  })

  test('of a backup that died half way block backups, and no rollback', async () => {
    await leftBy(host, await deadProcess(), { run: 'half', name: 'backup' })
    await journalOf('half', false)
    await expect(takeNamed('backup', 'backup')).rejects.toMatchObject({
      code: 'locked',
      hint: expect.stringContaining('runs resume half') as string,
    })
    await takeNamed('rollback', 'release')
  })

  test('of fleets are kept apart by name too', async () => {
    await takeFleet(host, 'backups', ['backup'])
    await takeFleet(host, 'deploys')
    await expect(takeFleet(host, 'third', ['backup'])).rejects.toMatchObject({
      code: 'locked',
    })
    await expect(takeNamed('own', 'backup')).rejects.toMatchObject({ code: 'locked' })
    await takeNamed('expiry', 'logs')
    await renewForFleet(host.paths, 'backups', ['backup'])
    await giveBackForFleet(host.paths, 'backups', ['backup'])
    await takeNamed('own', 'backup')
    expect((await readLease(host.paths.fleetLease))?.run).toBe('deploys')
  })
})
