import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { begin, Journal } from '../../../src/engine/journal.ts'
import {
  describeRun,
  describeRuns,
  openRun,
  readRunFile,
  settleRun,
  type RunDescription,
} from '../../../src/engine/run-file.ts'
import { settleEnded } from '../../../src/engine/settle-ended.ts'
import { sequence } from '../../../src/model/plan.ts'
import { step } from '../../support/model-world.ts'

let folder: string
let runs: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-runs-'))
  runs = join(folder, 'runs')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const at = '2026-01-02T03:04:05.000Z'
const outside = { now: () => new Date(at), observe: () => undefined }
const described = (run: string): RunDescription => ({ run, scope: 'host', procedure: 'test', fleet: 'f1', started: at })

/** A journal with a beginning and, if asked, an end. */
async function journalOf(run: string, end?: 'end' | 'parked'): Promise<Journal> {
  await mkdir(runs, { recursive: true })
  const journal = await Journal.open(runs, run, outside)
  begin(journal, { run, procedure: 'test', by: 'x', input: null, facts: null, plan: sequence('p', [step('one')]) })
  if (end === 'end') journal.append({ type: 'end', outcome: 'done', changed: true })
  if (end === 'parked') journal.append({ type: 'parked', error: { code: 'interrupted', message: 'x' } })
  journal.close()
  return journal
}
const open = () => readdir(join(folder, 'open'))

describe("a run's file", () => {
  test('says that it is open from before its first record until after its end', async () => {
    await openRun(runs, described('r1'), new Date(at))
    expect(await open()).toEqual(['r1'])
    expect(await readRunFile(runs, 'r1')).toMatchObject({ scope: 'host', fleet: 'f1', state: 'running' })
    const { records } = await journalOf('r1', 'end')
    await settleRun(runs, 'r1', records)
    expect(await open()).toEqual([])
    expect(await readRunFile(runs, 'r1')).toMatchObject({ state: 'ended', outcome: 'done', changed: true, fleet: 'f1' })
  })

  test('keeps a run that parked open, and its beginning when it goes on', async () => {
    await openRun(runs, described('r1'), new Date(at))
    const { records } = await journalOf('r1', 'parked')
    await settleRun(runs, 'r1', records)
    expect(await open()).toEqual(['r1'])
    expect(await readRunFile(runs, 'r1')).toMatchObject({ state: 'parked' })
    await openRun(runs, { ...described('r1'), started: '2027-01-01T00:00:00.000Z' }, new Date())
    expect(await readRunFile(runs, 'r1')).toMatchObject({ state: 'running', started: at })
  })

  test('is put right by whoever comes next where its process died between the end and saying so', async () => {
    await openRun(runs, described('r1'), new Date(at))
    await openRun(runs, described('r2'), new Date(at))
    await journalOf('r1', 'end')
    await journalOf('r2')
    expect(await describeRun(runs, 'r1')).toMatchObject({ state: 'ended', outcome: 'done' })
    await settleEnded(runs)
    expect(await open()).toEqual(['r2'])
    expect(await readRunFile(runs, 'r1')).toMatchObject({ state: 'ended' })
  })

  test('is not needed for runs of old, which tell by their journals and names', async () => {
    await journalOf('20250101T000000Z-deploy-aaaa.web1', 'end')
    await journalOf('20250101T000000Z-deploy-aaaa', 'parked')
    await mkdir(join(runs, 'damaged'), { recursive: true })
    await writeFile(join(runs, 'damaged', 'journal.jsonl'), 'garbage\n')
    const found = await describeRuns(runs)
    expect(found.map(({ run, scope, state }) => [run, scope, state]).sort()).toEqual([
      ['20250101T000000Z-deploy-aaaa', 'fleet', 'parked'],
      ['20250101T000000Z-deploy-aaaa.web1', 'host', 'ended'],
      ['damaged', 'fleet', 'running'],
    ])
  })

  test('spares reading a journal that has ended, whatever stands in it', async () => {
    await openRun(runs, described('r1'), new Date(at))
    const { records } = await journalOf('r1', 'end')
    await settleRun(runs, 'r1', records)
    await writeFile(join(runs, 'r1', 'journal.jsonl'), 'garbage\n')
    expect(await describeRun(runs, 'r1')).toMatchObject({ state: 'ended', outcome: 'done' })
  })
})
