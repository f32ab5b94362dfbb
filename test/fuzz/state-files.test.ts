// State files as they never were written: each is read, or refused with its name and the way out.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { entryPath, listBackups, readBackup } from '../../src/backups/catalogue.ts'
import { connectHere, readerOf } from '../../src/drivers/hosts/readers.ts'
import { servicesFor } from '../../src/drivers/services/choose.ts'
import { readLease, renewLease } from '../../src/engine/lease-file.ts'
import { describeRuns, halfDoneRuns } from '../../src/engine/run-file.ts'
import { NetopsError } from '../../src/model/errors.ts'
import { hostPaths, type HostPaths } from '../../src/model/paths.ts'
import { parseTuningRecord } from '../../src/model/tuning.ts'
import { readHistory } from '../../src/procedures/deploy/history.ts'
import { readRelease } from '../../src/procedures/deploy/release.ts'
import { readEnvironment } from '../../src/procedures/environment-mark.ts'
import { readCatalogue } from '../../src/procedures/read-catalogue.ts'
import { readHostStatus } from '../../src/procedures/status/host-status.ts'
import { keepRequest, readRequest } from '../../src/runs/host-run-request.ts'
import { backupEntryOf } from '../support/backups.ts'
import { input, recordOf } from '../support/activation.ts'
import { fuzz } from '../support/fuzz.ts'
import { mutated } from '../support/mutations.ts'
import { quickFolder } from '../support/scratch.ts'

let root: string
let paths: HostPaths
beforeAll(async () => {
  root = await quickFolder('fuzz-state')
  paths = hostPaths(root)
  await writeFile(join(root, 'network_server'), '#!/bin/sh\n', { mode: 0o755 })
  for (const file of files) {
    await mkdir(dirname(file.path()), { recursive: true })
    await writeFile(file.path(), contentOf(file))
  }
})
afterAll(() => rm(root, { recursive: true, force: true }))

const process_ = { pid: 1, startTime: '12', bootId: 'b' }
const lease = {
  schema: 'netops/lease/v1',
  run: 'r',
  reason: 'x',
  host: 'ünï',
  user: 'u',
  since: 's',
  process: process_,
}
const run = {
  ...{ schema: 'netops/run/v1', run: 'r.web1', scope: 'host', procedure: 'activate', leases: ['release'], sequence: 3 },
  ...{ started: '2026-01-02T03:04:05.000Z', state: 'running', at: '2026-01-02T03:04:05.000Z' },
}
const supervisor = {
  ...{
    schema: 'netops/supervisor/v1',
    supervisor: process_,
    child: process_,
    since: 's',
    restarts: 1,
    state: 'running',
  },
}
const tuning = {
  ...{
    schema: 'netops/tuning/v1',
    run: 'r',
    profile: 'guide',
    kernel: { 'net.core.somaxconn': '1' },
    limits: {},
    server: {},
  },
  ...{ notSet: {}, files: {}, originals: { kernel: {}, files: { '/a': { kind: 'absent' } }, folders: [] } },
}
const manifest = {
  ...{ schema: 'netops/build/v1', executables: [] },
}
const backup = backupEntryOf(Date.parse('2026-11-27T02:15:00Z'))
const services = () => servicesFor(root, 'netops')
const reader = () => readerOf(connectHere('local'))
const status = () =>
  readHostStatus({ reader: reader(), services: services(), root, get: () => Promise.resolve(undefined) })

interface StateFile {
  readonly content: object | string
  readonly path: () => string
  /** What reads it; it may refuse, by the file's name. */
  readonly ask: (path: string, text: string) => unknown
  /** What goes on whatever stands in it. */
  readonly goesOn?: () => Promise<unknown>
}

const files: readonly StateFile[] = [
  {
    content: lease,
    path: () => join(root, 'lease.json'),
    ask: async (path) => [await readLease(path), await renewLease(path, 'r')],
  },
  {
    content: run,
    path: () => join(paths.runs, 'r.web1', 'run.json'),
    ask: () => undefined,
    goesOn: async () => [await describeRuns(paths.runs), await halfDoneRuns(paths.runs, 'release')],
  },
  {
    content: supervisor,
    path: () => join(paths.runtimeDir, 'supervisor.json'),
    ask: () => services().read(reader(), 'network_service'),
    goesOn: status,
  },
  {
    content: recordOf('r.web1', '1.0.0', 'a'),
    path: () => join(paths.history, 'r.web1', 'activation.json'),
    ask: async (path) => {
      const { unread } = await readHistory(reader(), paths)
      for (const { message, hint } of unread) {
        expect(message).toContain(path)
        expect(hint).toMatch(/\S/)
      }
    },
    goesOn: status,
  },
  {
    content: tuning,
    path: () => paths.tuning,
    ask: (path, text) => parseTuningRecord(text, path, 'web1'),
  },
  {
    content: input({ run: 'q.web1', root: '/' }),
    path: () => join(paths.runs, 'q.web1', 'order.json'),
    ask: () => readRequest(root, 'q.web1'),
    goesOn: async () => {
      await keepRequest(input({ run: 'q.web1', root })).catch(refused)
    },
  },
  {
    content: backup,
    path: () => entryPath(paths.catalogue, backup.id),
    ask: () => readBackup(paths.catalogue, backup.id),
    goesOn: async () => {
      // Over plain commands it is the same as here.
      const [here, there] = [await listBackups(paths.catalogue), await readCatalogue(reader(), paths.catalogue)]
      expect(there.entries).toEqual(here.entries)
      expect(there.damaged).toHaveLength(here.damaged.length)
      expect(here.entries.length + here.damaged.length).toBe(1)
    },
  },
  {
    content: 'production\n',
    path: () => paths.environment,
    ask: () => readEnvironment(reader(), paths),
  },
  {
    content: manifest,
    path: () => join(root, 'manifest.json'),
    ask: (path) => readRelease(join(dirname(path), 'network_server')),
  },
]

const contentOf = ({ content }: StateFile): string =>
  typeof content === 'string' ? content : `${JSON.stringify(content)}\n`

/** A request that is another than the one that is there is refused; that is no damage. */
const refused = (error: unknown): void => {
  if (!(error instanceof NetopsError) || error.code !== 'refused') throw error
}

/** One of the files, as it is on the disk or changed in some places. */
const damaged = fc.constantFrom(...files).chain((file) => mutated([contentOf(file)]).map((bytes) => ({ file, bytes })))

test('a state file is read, or refused with its name and the way out, and what does not hang on it goes on', async () => {
  await fuzz(damaged, 2000, async ({ file, bytes }) => {
    const path = file.path()
    await writeFile(path, bytes)
    try {
      await file.ask(path, bytes.toString())
    } catch (error) {
      if (!(error instanceof NetopsError)) throw error
      const isNamed = error.message.includes(path) || error.message.startsWith('there is no procedure')
      expect({ message: error.message, isNamed }).toMatchObject({ isNamed: true })
      expect(error.hint).toMatch(/\S/)
    }
    await file.goesOn?.()
    await writeFile(path, contentOf(file))
  })
})
