import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectHere, readerOf } from '../../../../src/drivers/hosts/readers.ts'
import { servicesFor } from '../../../../src/drivers/services/choose.ts'
import { hostPaths, type HostPaths } from '../../../../src/model/paths.ts'
import { readHostHealth, readHostStatus, type UnfinishedRun } from '../../../../src/procedures/status/host-status.ts'
import { began, journalText, layDown, markOpen } from '../../../support/old-runs.ts'

let root: string
let paths: HostPaths
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'netops-status-'))
  paths = hostPaths(root)
})
afterEach(() => rm(root, { recursive: true, force: true }))

const sources = () => ({
  reader: readerOf(connectHere('web1')),
  services: servicesFor(root, paths.netopsLink),
  get: () => Promise.resolve(undefined),
  root,
})
const unfinished = async (): Promise<readonly UnfinishedRun[]> => (await readHostStatus(sources())).unfinished
const cutOff = { lines: 3, ended: false }
const later = '2026-02-02T00:00:00.000Z'

test('nothing is unfinished where netops has never been', async () => {
  expect(await unfinished()).toEqual([])
})

test.each([
  ['is at work', 'running', journalText('r1', cutOff), 'step-0: done'],
  ['has just begun', 'running', journalText('r1', { lines: 1, ended: false }), 'run'],
  ['was cut off in the middle of a line', 'running', `${journalText('r1', cutOff)}{"netops":1,"seq"`, 'step-0: done'],
  ['says what a later netops understands', 'parked', `${journalText('r1', cutOff)}{"type":"hm","at":"x"}\n`, 'hm'],
] as const)('a run that %s is unfinished', async (_, state, journal, last) => {
  await layDown(paths.runs, { run: 'r1', file: { state, started: began, at: later }, journal })
  await markOpen(paths.runs, 'r1')
  expect(await unfinished()).toEqual([{ run: 'r1', since: began, last }])
})

test.each([
  ['has not begun', { run: 'r1', file: { state: 'running' }, journal: '' }],
  ['ended and could not say so', { run: 'r1', file: { state: 'running' }, journal: { lines: 3, ended: true } }],
  ["is an operator's, below a root", { run: 'r1', file: { state: 'running', scope: 'fleet' }, journal: cutOff }],
] as const)('a run that %s is none of the unfinished of a host', async (_, run) => {
  await layDown(paths.runs, run)
  await markOpen(paths.runs, run.run)
  expect(await unfinished()).toEqual([])
})

test('a run whose file is not there or not understood is known by its name and its journal', async () => {
  await layDown(paths.runs, { run: 'f.web1', journal: cutOff })
  await layDown(paths.runs, { run: 'f', journal: cutOff })
  for (const run of ['f.web1', 'f']) await markOpen(paths.runs, run)
  expect(await unfinished()).toEqual([{ run: 'f.web1', since: began, last: 'step-0: done' }])
})

test('runs that are over are not looked at, nor is any for the health', async () => {
  await layDown(paths.runs, { run: 'old', file: {}, journal: 'garbage\n' })
  await layDown(paths.runs, { run: 'open', file: { state: 'running' }, journal: cutOff })
  await markOpen(paths.runs, 'open')
  const looked: string[] = []
  const { reader, ...rest } = sources()
  const watched: typeof reader = {
    ...reader,
    readText: (path) => (looked.push(path), reader.readText(path)),
    list: (path) => (looked.push(path), reader.list(path)),
    query: (argv) => (looked.push(argv.at(-1) ?? ''), reader.query(argv)),
  }
  await readHostHealth({ reader: watched, ...rest })
  const ofRuns = (): string[] => looked.filter((path) => path.startsWith(paths.runs) || path.startsWith(paths.open))
  expect(ofRuns()).toEqual([])
  await readHostStatus({ reader: watched, ...rest })
  expect(await readdir(paths.open)).toEqual(['open'])
  expect(ofRuns()).toEqual([
    paths.open,
    join(paths.runs, 'open', 'run.json'),
    join(paths.runs, 'open', 'journal.jsonl'),
  ])
})
