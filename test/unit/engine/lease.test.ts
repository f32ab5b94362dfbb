import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Journal } from '../../../src/engine/journal.ts'
import {
  acquireLease,
  claimPath,
  readLease,
  releaseLease,
  type Lease,
  type LeasePaths,
} from '../../../src/engine/lease.ts'
import { sequence } from '../../../src/model/plan.ts'
import { identify, type ProcessIdentity } from '../../../src/system/processes.ts'

let folder: string
let paths: LeasePaths
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-lease-'))
  paths = { root: '/', netops: 'netops', lease: join(folder, 'state', 'lease.json'), runs: join(folder, 'runs') }
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const take = (run: string) => acquireLease(paths, run, `deploy of ${run}`)

/** A process that ran and was ended. */
async function deadProcess(): Promise<ProcessIdentity> {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const identity = await identify(child.pid ?? 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  if (identity === undefined) throw new Error('the process did not run')
  return identity
}

/** Puts a lease on the disk as another process left it. */
async function leftBy(process: ProcessIdentity, run: string): Promise<void> {
  const lease = { schema: 'netops/lease/v1', run, reason: 'deploy', host: 'h', user: 'u', since: 's', process }
  await mkdir(join(folder, 'state'), { recursive: true })
  await writeFile(paths.lease, JSON.stringify(lease))
}

async function journalOf(run: string, ended: boolean): Promise<void> {
  const journal = await Journal.open(paths.runs, run, { now: () => new Date(), observe: () => undefined })
  const plan = sequence('nothing', [])
  journal.append({ type: 'run', run, procedure: 'test', by: 'test', input: null, facts: null, plan })
  if (ended) journal.append({ type: 'end', outcome: 'done', changed: false })
  journal.close()
}
const files = async (): Promise<string[]> => (await readdir(join(folder, 'state'))).sort()

describe('a lease', () => {
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

  test('of a holder that died is taken over, and the caller is told whose it was', async () => {
    await leftBy(await deadProcess(), 'old')
    expect(await take('next')).toMatchObject({ run: 'old' })
    expect(await readLease(paths.lease)).toMatchObject({ run: 'next', process: { pid: process.pid } })
  })

  test('of a number that another process got since is a dead one', async () => {
    const living = await identify(process.pid)
    if (living === undefined) throw new Error('unknown')
    await leftBy({ ...living, startTime: '1' }, 'old')
    expect(await take('next')).toMatchObject({ run: 'old' })
  })

  test('of an earlier boot is a dead one', async () => {
    const living = await identify(process.pid)
    if (living === undefined) throw new Error('unknown')
    await leftBy({ ...living, bootId: 'another' }, 'old')
    expect(await take('next')).toMatchObject({ run: 'old' })
  })

  test('of a run that stopped half way is kept from other runs, with how to finish that one', async () => {
    await leftBy(await deadProcess(), 'half')
    await journalOf('half', false)
    await expect(take('next')).rejects.toMatchObject({
      code: 'locked',
      message: 'run half (deploy) of s stopped half way and is not finished',
      hint: 'finish it first, on the host: netops runs resume half',
    })
    expect((await readLease(paths.lease))?.run).toBe('half')
  })

  test('of a run that stopped half way is taken again by that run', async () => {
    await leftBy(await deadProcess(), 'half')
    await journalOf('half', false)
    expect(await take('half')).toMatchObject({ run: 'half' })
    expect(await readLease(paths.lease)).toMatchObject({ process: { pid: process.pid } })
  })

  test('of a run that ended and died before giving it back goes to the next', async () => {
    await leftBy(await deadProcess(), 'ended')
    await journalOf('ended', true)
    expect(await take('next')).toMatchObject({ run: 'ended' })
  })

  test('can be taken after those who were taking it over died half way', async () => {
    const [first, second, third] = [await deadProcess(), await deadProcess(), await deadProcess()]
    const claimed = async (process: ProcessIdentity, run: string, dead: Lease): Promise<Lease> => {
      await writeFile(claimPath(paths.lease, dead), JSON.stringify({ ...dead, process, run }))
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
})

describe('giving a lease back', () => {
  test('lets the next one take it', async () => {
    await take('first')
    await releaseLease(paths.lease, 'first')
    expect(await readLease(paths.lease)).toBeUndefined()
    expect(await take('second')).toBeUndefined()
  })

  test('is done only by the run that holds it', async () => {
    await take('first')
    await releaseLease(paths.lease, 'second')
    expect((await readLease(paths.lease))?.run).toBe('first')
  })

  test('is done only by the process that holds it', async () => {
    await leftBy(await deadProcess(), 'first')
    await releaseLease(paths.lease, 'first')
    expect((await readLease(paths.lease))?.run).toBe('first')
  })
})
