import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectLocal } from '../../../../src/drivers/hosts/local.ts'
import { readerOver } from '../../../../src/drivers/hosts/reader.ts'
import { hostPaths, type HostPaths } from '../../../../src/model/paths.ts'
import { readCleanUpFacts, type OldRun } from '../../../../src/procedures/gc/clean-up.ts'
import { began, journalText, layDown } from '../../../support/old-runs.ts'

let root: string
let paths: HostPaths
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'netops-gc-'))
  paths = hostPaths(root)
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** What is known of the runs below the root, and how many commands that took. */
async function look(): Promise<{ runs: ReadonlyMap<string, Omit<OldRun, 'run'>>; commands: number }> {
  let commands = 0
  const local = connectLocal('web1')
  const connection: typeof local = {
    ...local,
    run: (argv, options) => {
      commands += 1
      return local.run(argv, options)
    },
  }
  const request = {
    procedure: 'gc' as const,
    run: 'now.web1',
    host: 'web1',
    root,
    manager: 'process' as const,
    netops: join(paths.netopsBuilds, 'new', 'netops'),
    olderThanMs: 0,
    keepRuns: 0,
  }
  const { runs } = await readCleanUpFacts(readerOver(connection), request)
  return { runs: new Map(runs.map(({ run, ...known }) => [run, known])), commands }
}

const at = Date.parse(began)
const netops = '/opt/network_system/netops/abc/netops'
const ended = { lines: 20, ended: true }
const cutOff = { lines: 3, ended: false }

test('each run is known by its file, else by the end of its journal and by its request', async () => {
  const torn = `${journalText('x', cutOff)}{"netops":1,"seq":4,"type":"do`
  await layDown(paths.runs, { run: 'ended', file: { netops }, journal: 'not looked at' })
  await layDown(paths.runs, { run: 'parked', file: { state: 'parked', netops }, journal: cutOff })
  await layDown(paths.runs, { run: 'killed-at-its-end', file: { state: 'running', netops }, journal: ended })
  await layDown(paths.runs, { run: 'old-ended.web1', journal: ended, netops })
  await layDown(paths.runs, { run: 'old-cut-off.web1', journal: torn, netops })
  await layDown(paths.runs, { run: 'old-damaged.web1', journal: 'garbage\n', netops })
  await layDown(paths.runs, { run: 'old-empty.web1', journal: '', netops })
  await mkdir(join(paths.runs, 'nothing'))
  const { runs } = await look()
  expect(Object.fromEntries(runs)).toMatchObject({
    ended: { at, over: true },
    parked: { at, over: false, netops: 'abc' },
    'killed-at-its-end': { at, over: true },
    'old-ended.web1': { at, over: true },
    'old-cut-off.web1': { at, over: false, netops: 'abc' },
    'old-damaged.web1': { at: undefined, over: false, netops: 'abc' },
    'old-empty.web1': { at: undefined, over: false, netops: 'abc' },
    nothing: { at: undefined, over: false, netops: undefined },
  })
  expect(runs.size).toBe(8)
})

test('a hundred runs take no more commands than one, whoever wrote them', async () => {
  await layDown(paths.runs, { run: 'first', file: { netops }, journal: '' })
  await layDown(paths.runs, { run: 'old.web1', journal: cutOff, netops })
  const { commands } = await look()
  for (let index = 0; index < 50; index += 1) {
    await layDown(paths.runs, { run: `new-${index}`, file: { netops }, journal: '' })
    await layDown(paths.runs, { run: `old-${index}.web1`, journal: index % 2 === 0 ? ended : cutOff, netops })
  }
  const many = await look()
  expect(many.runs.size).toBe(102)
  expect([...many.runs.values()].filter(({ over }) => over)).toHaveLength(76)
  expect(many.commands).toBe(commands)
})

test('runs in more parts than one command takes are all known', async () => {
  for (let index = 0; index < 301; index += 1) {
    await layDown(paths.runs, { run: `old-${index}.web1`, journal: { lines: 2, ended: true } })
  }
  await writeFile(join(paths.runs, 'old-300.web1', 'journal.jsonl'), '')
  const { runs } = await look()
  expect([...runs.values()].filter(({ over }) => over)).toHaveLength(300)
})
