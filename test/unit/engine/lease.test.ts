import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile, rename } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { begin, Journal } from '../../../src/engine/journal.ts'
import { claimPath, judgeLease, readLease, type Lease } from '../../../src/engine/lease-file.ts'
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
import { sequence } from '../../../src/model/plan.ts'
import { identify, isAlive, type ProcessIdentity } from '../../../src/system/processes.ts'

let folder: string
let paths: LeasePaths
let taken: Taken[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-lease-'))
  const at = (name: string): string => join(folder, 'state', name)
  paths = {
    root: '/',
    netops: 'netops',
    lease: at('lease.json'),
    fleetLease: at('fleet-lease.json'),
    runs: join(folder, 'runs'),
  }
})
afterEach(async () => {
  for (const { lease } of taken) await lease.leave()
  taken = []
  await rm(folder, { recursive: true, force: true })
})

// A second takes the part of the half minute that a silent holder gets.
const quick = { heartbeatMs: 100, boundMs: 1000 }

async function take(run: string, timing = quick, fleet?: string): Promise<Taken> {
  const got = await takeHost(paths, { run, reason: `deploy of ${run}`, fleet }, timing)
  taken.push(got)
  return got
}

/** A process that runs until the test ends. */
async function running(): Promise<{ identity: ProcessIdentity; stop: () => void; kill: () => Promise<void> }> {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const identity = await identify(child.pid ?? 0)
  if (identity === undefined) throw new Error('the process did not run')
  const ended = once(child, 'exit')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  onTestFinished(kill)
  return { identity, stop: () => void child.kill('SIGSTOP'), kill }
}

/** A process that ran and was ended. */
async function deadProcess(): Promise<ProcessIdentity> {
  const { identity, kill } = await running()
  await kill()
  return identity
}

/** Puts a lease on the disk as another process left it; `ageMs` ago it was heard of last. */
async function leftBy(process: ProcessIdentity, run: string, ageMs = 0): Promise<void> {
  const lease = { schema: 'netops/lease/v1', run, reason: 'deploy', host: 'h', user: 'u', since: 's', process }
  await mkdir(join(folder, 'state'), { recursive: true })
  await writeFile(paths.lease, JSON.stringify(lease))
  await aged(paths.lease, ageMs)
}
async function aged(path: string, ageMs: number): Promise<void> {
  const at = new Date(Date.now() - ageMs)
  await utimes(path, at, at)
}

async function journalOf(run: string, ended: boolean): Promise<void> {
  const journal = await Journal.open(paths.runs, run, { now: () => new Date(), observe: () => undefined })
  const plan = sequence('nothing', [])
  begin(journal, { run, procedure: 'test', by: 'test', input: null, facts: null, plan })
  if (ended) journal.append({ type: 'end', outcome: 'done', changed: false })
  journal.close()
}
const files = async (): Promise<string[]> => (await readdir(join(folder, 'state'))).sort()

describe("a host's lease", () => {
  test('goes to exactly one of many that ask at once', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => take(`r${index}`)))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const winner = asked.findIndex(({ status }) => status === 'fulfilled')
    expect((await readLease(paths.lease))?.run).toBe(`r${winner}`)
    expect(await files()).toEqual(['lease.json'])
  })

  test('of a dead holder goes to exactly one of many that ask at once', async () => {
    const dead = await deadProcess()
    for (let round = 0; round < 15; round += 1) {
      await leftBy(dead, 'old')
      const asked = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => take(`r${index}`)))
      expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const winner = asked.findIndex(({ status }) => status === 'fulfilled')
      expect((await readLease(paths.lease))?.run).toBe(`r${winner}`)
      expect(await files()).toEqual(['lease.json'])
    }
  })

  test('of a living holder is refused with who holds it, since when, and how to watch it', async () => {
    await take('first')
    const held = await readLease(paths.lease)
    await expect(take('second')).rejects.toMatchObject({
      code: 'locked',
      message: `run first (deploy of first) by ${userInfo().username} holds this host since ${held?.since ?? ''}`,
      hint: 'wait for it, or watch it on the host: netops runs follow first',
    })
    expect(await readLease(paths.lease)).toEqual(held)
  })

  test('is kept alive by its heartbeat for as long as it is held', async () => {
    await take('first')
    await sleep(3 * quick.boundMs)
    expect(await judgeLease(paths.lease, quick)).toMatchObject({ standing: 'held' })
  })

  test('of a holder that died is taken over, and the caller is told whose it was', async () => {
    await leftBy(await deadProcess(), 'old')
    expect((await take('next')).takenFrom).toBe('taken over from run old (deploy) by u of s, whose process is gone')
    expect(await readLease(paths.lease)).toMatchObject({ run: 'next', process: { pid: process.pid } })
  })

  test.each([
    ['of a number that another process got since', { startTime: '1' }],
    ['of an earlier boot', { bootId: 'another' }],
  ])('%s is a dead one', async (_, other) => {
    const living = await identify(process.pid)
    if (living === undefined) throw new Error('unknown')
    await leftBy({ ...living, ...other }, 'old')
    expect((await take('next')).takenFrom).toContain('run old')
  })

  test('of a run that stopped half way is kept from other runs, with how to finish that one', async () => {
    await leftBy(await deadProcess(), 'half')
    await journalOf('half', false)
    await expect(take('next')).rejects.toMatchObject({
      code: 'locked',
      message: 'run half (deploy) of s stopped half way and is not finished',
      hint: 'finish it first, on the host: netops runs resume half; or take it back: netops runs undo half',
    })
    expect((await readLease(paths.lease))?.run).toBe('half')
  })

  test('of a run that stopped half way is taken again by that run', async () => {
    await leftBy(await deadProcess(), 'half')
    await journalOf('half', false)
    await take('half')
    expect(await readLease(paths.lease)).toMatchObject({ run: 'half', process: { pid: process.pid } })
  })

  test('of a run that ended and died before giving it back goes to the next', async () => {
    await leftBy(await deadProcess(), 'ended')
    await journalOf('ended', true)
    expect((await take('next')).takenFrom).toContain('run ended')
  })

  test('can be taken after those who were taking it over died half way', async () => {
    const [first, second, third] = [await deadProcess(), await deadProcess(), await deadProcess()]
    const claimed = async (process: ProcessIdentity, run: string, dead: Lease): Promise<Lease> => {
      await writeFile(
        claimPath(paths.lease, { content: JSON.stringify(dead) }),
        JSON.stringify({ ...dead, process, run }),
      )
      return { ...dead, process, run }
    }
    await leftBy(first, 'old')
    const old = await readLease(paths.lease)
    if (old === undefined) throw new Error('there is no lease')
    await claimed(third, 'c', await claimed(second, 'b', old))
    const asked = await Promise.allSettled(Array.from({ length: 4 }, (_, index) => take(`r${index}`)))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await readLease(paths.lease)).toMatchObject({ process: { pid: process.pid } })
    expect(await files()).toEqual(['lease.json'])
  })

  test('is given back only while it is still the same', async () => {
    const { lease } = await take('first')
    await writeFile(`${paths.lease}.new`, await readFile(paths.lease))
    await rm(paths.lease)
    await leftBy(await deadProcess(), 'other')
    expect(() => lease.assertHeld()).toThrow(/lost its lease/)
    await lease.giveBack()
    expect((await readLease(paths.lease))?.run).toBe('other')
  })

  test('lets the next one take it once it was given back', async () => {
    const { lease } = await take('first')
    lease.assertHeld()
    await lease.giveBack()
    expect(await readLease(paths.lease)).toBeUndefined()
    expect((await take('second')).takenFrom).toBeUndefined()
  })
})

describe('a frozen holder', () => {
  test('is not taken for dead while its heartbeat bound lasts', async () => {
    const { identity, stop } = await running()
    await leftBy(identity, 'frozen', 0.5 * quick.boundMs)
    stop()
    await expect(take('next')).rejects.toMatchObject({ code: 'locked' })
    expect(await isAlive(identity)).toBe(true)
  })

  test('is ended before its lease passes on, so that it can never go on', async () => {
    const { identity, stop } = await running()
    await leftBy(identity, 'frozen', 2 * quick.boundMs)
    stop()
    expect((await take('next')).takenFrom).toMatch(/^taken over from run frozen .* silent for 2 s and was ended$/)
    expect(await isAlive(identity)).toBe(false)
  })

  test('in the middle of its run is left alone by other runs, which are told how to finish it', async () => {
    const { identity, stop } = await running()
    await leftBy(identity, 'frozen', 2 * quick.boundMs)
    await journalOf('frozen', false)
    stop()
    await expect(take('next')).rejects.toMatchObject({
      code: 'locked',
      message: 'run frozen (deploy) of s stands still and is not finished',
    })
    expect(await isAlive(identity)).toBe(true)
    await take('frozen')
    expect(await isAlive(identity)).toBe(false)
  })

  test('that moves again while it is being judged keeps its lease', async () => {
    const { identity } = await running()
    await leftBy(identity, 'slow', 2 * quick.boundMs)
    const beat = setInterval(() => void aged(paths.lease, 0), 20)
    try {
      await expect(take('next')).rejects.toMatchObject({ code: 'locked' })
      expect(await isAlive(identity)).toBe(true)
    } finally {
      clearInterval(beat)
    }
  })
})

describe("a fleet run's lease", () => {
  const alice = { reason: 'deploy by alice', user: 'alice', host: 'ops1' }
  const takeFleet = (run: string) => takeForFleet(paths, { ...alice, run }, quick)

  test('keeps other fleet runs out, with who has it and from where', async () => {
    await takeFleet('one')
    await expect(takeFleet('two')).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringMatching(
        /^run one \(deploy by alice\) by alice from ops1 holds this host since /,
      ) as string,
    })
    expect((await readLease(paths.fleetLease))?.run).toBe('one')
  })

  test('goes to exactly one of many that ask at once', async () => {
    const asked = await Promise.allSettled(Array.from({ length: 6 }, (_, index) => takeFleet(`r${index}`)))
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('is taken again by the same run, whoever carries it out now', async () => {
    await takeFleet('one')
    expect(await takeFleet('one')).toBeUndefined()
    await renewForFleet(paths, 'one')
  })

  test('is joined by the parts of that run, and keeps other runs of the host out', async () => {
    await takeFleet('one')
    await expect(take('two')).rejects.toMatchObject({ code: 'locked' })
    expect(await readLease(paths.lease)).toBeUndefined()
    await take('one.web1', quick, 'one')
    expect((await readLease(paths.lease))?.run).toBe('one.web1')
  })

  test('is refused where a run of the host itself is at work, and then leaves no trace', async () => {
    await take('own')
    await expect(takeFleet('one')).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining('run own') as string,
    })
    expect(await readLease(paths.fleetLease)).toBeUndefined()
  })

  test('is refused where a run of the host stopped half way', async () => {
    await leftBy(await deadProcess(), 'half')
    await journalOf('half', false)
    await expect(takeFleet('one')).rejects.toMatchObject({
      code: 'locked',
      hint: expect.stringContaining('runs resume half') as string,
    })
    expect(await readLease(paths.fleetLease)).toBeUndefined()
  })

  test('passes on when its operator was not heard of for longer than the bound, who then learns of it', async () => {
    await takeFleet('one')
    await aged(paths.fleetLease, 2 * quick.boundMs)
    await expect(takeFleet('two')).resolves.toContain('taken over from run one (deploy by alice) by alice')
    await expect(renewForFleet(paths, 'one')).rejects.toMatchObject({
      code: 'locked',
      resumable: true,
      message: expect.stringContaining('to run two') as string,
    })
    await giveBackForFleet(paths, 'one')
    expect((await readLease(paths.fleetLease))?.run).toBe('two')
  })

  test('lives on by its heartbeat', async () => {
    await takeFleet('one')
    // It would pass on, had its holder not been heard of just in time.
    await aged(paths.fleetLease, 2 * quick.boundMs)
    await renewForFleet(paths, 'one')
    await expect(takeFleet('two')).rejects.toMatchObject({ code: 'locked' })
  })
})

describe('a run', () => {
  test('is carried out by one process at a time', async () => {
    const held = await carryRun(paths.runs, 'r1', quick)
    expect(await isCarried(paths.runs, 'r1')).toBe(true)
    await expect(carryRun(paths.runs, 'r1', quick)).rejects.toMatchObject({
      code: 'locked',
      message: `run r1 is being carried out right now, by process ${process.pid} of ${userInfo().username}`,
    })
    await held.giveBack()
    expect(await isCarried(paths.runs, 'r1')).toBe(false)
  })
})

describe('leases by name', () => {
  const takeNamed = async (run: string, ...leases: ('release' | 'backup' | 'logs')[]): Promise<Taken> => {
    const got = await takeHost(paths, { run, reason: run, leases }, quick)
    taken.push(got)
    return got
  }

  test('lie beside each other, and exclude only those who need the same', async () => {
    await takeNamed('backup', 'backup')
    await takeNamed('deploy', 'release')
    await expect(takeNamed('other', 'backup')).rejects.toMatchObject({ code: 'locked' })
    await expect(takeNamed('restore', 'release', 'backup', 'logs')).rejects.toMatchObject({ code: 'locked' })
    expect((await readLease(join(folder, 'state', 'lease-backup.json')))?.run).toBe('backup')
    expect((await readLease(paths.lease))?.run).toBe('deploy')
  })

  test('are all given back where one cannot be had', async () => {
    await takeNamed('logs', 'logs')
    await expect(takeNamed('restore', 'release', 'backup', 'logs')).rejects.toMatchObject({ code: 'locked' })
    expect(await readLease(paths.lease)).toBeUndefined()
    await takeNamed('deploy', 'release')
  })

  test('of a backup that died half way block backups, and no rollback', async () => {
    await leftBy(await deadProcess(), 'half')
    await journalOf('half', false)
    await rename(paths.lease, join(folder, 'state', 'lease-backup.json'))
    await expect(takeNamed('backup', 'backup')).rejects.toMatchObject({
      code: 'locked',
      hint: expect.stringContaining('runs resume half') as string,
    })
    await takeNamed('rollback', 'release')
  })

  test('of fleets are kept apart by name too', async () => {
    const alice = { reason: 'x', user: 'alice', host: 'ops1' }
    await takeForFleet(paths, { ...alice, run: 'backups', leases: ['backup'] }, quick)
    await takeForFleet(paths, { ...alice, run: 'deploys' }, quick)
    await expect(takeForFleet(paths, { ...alice, run: 'third', leases: ['backup'] }, quick)).rejects.toMatchObject({
      code: 'locked',
    })
    await expect(takeNamed('own', 'backup')).rejects.toMatchObject({ code: 'locked' })
    await takeNamed('expiry', 'logs')
    await renewForFleet(paths, 'backups', ['backup'])
    await giveBackForFleet(paths, 'backups', ['backup'])
    await takeNamed('own', 'backup')
    expect((await readLease(paths.fleetLease))?.run).toBe('deploys')
  })
})
