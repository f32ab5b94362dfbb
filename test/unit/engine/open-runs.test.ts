import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { carryRun } from '../../../src/engine/lease.ts'
import { describeRun, describeRuns, openRun, readRunFile, type RunDescription } from '../../../src/engine/run-file.ts'
import { settleEnded } from '../../../src/engine/settle-ended.ts'
import { hostPaths } from '../../../src/model/paths.ts'
import { identify, isAlive } from '../../../src/system/processes.ts'
import { began, layDown, markOpen } from '../../support/old-runs.ts'

let folder: string
let runs: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-open-'))
  runs = join(folder, 'runs')
  await mkdir(runs)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const description = (run: string): RunDescription => ({ run, scope: 'host', procedure: 'test', started: began })
const open = () => readdir(join(folder, 'open'))
const ended = { lines: 4, ended: true }
const cutOff = { lines: 4, ended: false }

test('the index of open runs lies beside the folder of runs, as the paths of a host say', async () => {
  const paths = hostPaths(folder)
  await openRun(paths.runs, description('r1'), new Date())
  expect(await readdir(paths.open)).toEqual(['r1'])
})

describe('a run that was killed', () => {
  test('after its mark and before its file is cleared up, and was never begun', async () => {
    await mkdir(join(runs, 'r1'))
    await markOpen(runs, 'r1')
    await settleEnded(runs)
    expect(await open()).toEqual([])
    expect(await readdir(join(runs, 'r1'))).toEqual([])
  })

  test('after its file and before its first record is cleared up', async () => {
    await openRun(runs, description('r1'), new Date())
    await settleEnded(runs)
    expect(await open()).toEqual([])
  })

  test('half way stays open', async () => {
    await layDown(runs, { run: 'r1', file: { state: 'running' }, journal: cutOff })
    await markOpen(runs, 'r1')
    await settleEnded(runs)
    expect(await open()).toEqual(['r1'])
    expect(await describeRun(runs, 'r1')).toMatchObject({ state: 'running' })
  })

  test('after its end and before its file says so is over for whoever reads it, and is then put right', async () => {
    await layDown(runs, { run: 'r1', file: { state: 'running' }, journal: ended })
    await markOpen(runs, 'r1')
    expect(await describeRun(runs, 'r1')).toMatchObject({ state: 'ended', outcome: 'done' })
    await settleEnded(runs)
    expect(await open()).toEqual([])
    expect(await readRunFile(runs, 'r1')).toMatchObject({ state: 'ended', outcome: 'done', changed: true, at: began })
  })

  test('between its file and the removal of its mark is over', async () => {
    await layDown(runs, { run: 'r1', file: {}, journal: ended })
    await markOpen(runs, 'r1')
    await settleEnded(runs)
    expect(await open()).toEqual([])
  })

  test('and cleaned up since leaves no mark, and no folder comes back', async () => {
    await markOpen(runs, 'gone')
    await settleEnded(runs)
    expect(await open()).toEqual([])
    expect(await readdir(runs)).toEqual([])
  })
})

describe('a mark stays', () => {
  test('while a process carries its run out, which has just begun or is about to end', async () => {
    for (const run of ['begins', 'ends']) {
      const carrier = await carryRun(runs, run)
      onTestFinished(() => carrier.giveBack())
      await openRun(runs, description(run), new Date())
    }
    await layDown(runs, { run: 'ends', file: { state: 'running' }, journal: ended })
    await settleEnded(runs)
    expect(await open()).toEqual(['begins', 'ends'])
    expect(await readRunFile(runs, 'ends')).toMatchObject({ state: 'running' })
  })

  test('while the process of its run stands still, which is not ended for it', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    onTestFinished(() => void child.kill('SIGKILL'))
    const frozen = await identify(child.pid ?? 0)
    if (frozen === undefined) throw new Error('the process did not run')
    await layDown(runs, { run: 'r1', file: { state: 'running' }, journal: ended })
    await markOpen(runs, 'r1')
    const carrier = { schema: 'netops/lease/v1', run: 'r1', reason: 'x', host: 'h', user: 'u', since: 's' }
    const path = join(runs, 'r1', 'carrier.json')
    await writeFile(path, JSON.stringify({ ...carrier, process: frozen }))
    await utimes(path, new Date(0), new Date(0))
    await settleEnded(runs)
    expect(await open()).toEqual(['r1'])
    expect(await isAlive(frozen)).toBe(true)
  })

  test('where the journal is damaged, and the others are settled all the same', async () => {
    for (const run of ['a', 'b', 'c']) {
      await layDown(runs, { run, file: { state: 'running' }, journal: run === 'b' ? 'garbage\n' : ended })
      await markOpen(runs, run)
    }
    await settleEnded(runs)
    expect(await open()).toEqual(['b'])
  })
})

describe('where the disk takes nothing more', () => {
  // Stands in for a full disk: nothing can be made where the marks lie.
  const block = () => writeFile(join(folder, 'open'), '')

  test('a run does not begin', async () => {
    await block()
    await expect(openRun(runs, description('r1'), new Date())).rejects.toThrow()
    expect(await readRunFile(runs, 'r1')).toBeUndefined()
  })

  test('one that is known goes on, or back', async () => {
    await layDown(runs, { run: 'r1', file: { state: 'parked' }, journal: cutOff })
    await block()
    await openRun(runs, description('r1'), new Date())
  })
})

test('all runs are listed oldest first, also those that nothing is known of', async () => {
  await layDown(runs, { run: 'b', file: { started: '2026-02-01T00:00:00.000Z' }, journal: 'not looked at' })
  await layDown(runs, { run: 'c', file: { started: '2026-01-01T00:00:00.000Z' }, journal: 'not looked at' })
  await layDown(runs, { run: 'a', journal: 'garbage\n' })
  await layDown(runs, { run: 'f.web1', file: { schema: 'netops/run/v2' as never }, journal: ended })
  expect((await describeRuns(runs)).map(({ run, scope, state }) => [run, scope, state])).toEqual([
    ['a', 'fleet', 'running'],
    ['c', 'host', 'ended'],
    ['f.web1', 'host', 'ended'],
    ['b', 'host', 'ended'],
  ])
})
