// What hosts know of their runs without old journals: thousands of those, runs that were killed, runs of an earlier netops,
// runs from clocks that were wrong, and state files that are damaged.
import { mkdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readRunFile } from '../../src/engine/run-file.ts'
import { listIfAny } from '../../src/system/files.ts'
import { began, layDown } from '../support/old-runs.ts'
import { siteInService, smallRelease, type Called, type Site } from '../support/site.ts'

/** Runs that are over and whose journals nobody may open: they hold nothing that could be understood. */
async function manyOldRuns(site: Site, count: number): Promise<void> {
  onTestFinished(async () => {
    const old = (await listIfAny(site.paths.runs)).filter((run) => run.includes('-old-'))
    await Promise.all(old.map((run) => rm(join(site.paths.runs, run), { recursive: true })))
  })
  for (let index = 0; index < count; index += 1) {
    const run = `20260101T000000Z-old-${index}.local`
    await layDown(site.paths.runs, { run, file: {}, journal: '\0garbage' })
  }
}

const statusOf = async (site: Site): Promise<unknown> => (await site.netops(['status', '--json'])).json.hosts?.[0]
const openOf = (site: Site): Promise<readonly string[]> => listIfAny(site.paths.open)
const listed = async (site: Site): Promise<readonly { run: string; outcome: string }[]> =>
  ((await site.netops(['runs', 'list', '--json'])).json as { runs?: { run: string; outcome: string }[] }).runs ?? []
const cleanUp = (site: Site): Promise<Called> => site.netops(['gc', '--older-than', '0s', '--keep-runs', '0', '--json'])

describe('after thousands of runs', () => {
  test('status and health are right, and open none of their journals; gc removes them', async () => {
    const { site, release } = await siteInService()
    await manyOldRuns(site, 3000)
    expect(await statusOf(site)).toMatchObject({ release: release.id, unfinished: [], health: { healthy: true } })
    expect(await site.netops(['health'])).toMatchObject({ code: 0 })

    const next = await smallRelease(site, '1.1.0')
    const cut = await site.deploy(next, [], { NETOPS_FAULT: 'kill-after:begin:health' })
    const run = cut.json.run ?? ''
    const part = `${run}.local`
    expect(await openOf(site)).toEqual([run, part])
    expect(await statusOf(site)).toMatchObject({
      unfinished: [{ run: part, since: expect.any(String) as string, last: 'health: begin' }],
    })
    expect(await readRunFile(site.paths.runs, part)).toMatchObject({
      scope: 'host',
      fleet: run,
      procedure: 'activate',
      host: 'local',
      leases: ['release'],
      state: 'running',
    })
    const all = await listed(site)
    expect(all.filter(({ run: name }) => name.includes('-old-'))).toHaveLength(3000)
    expect(all.find(({ run: name }) => name === part)).toMatchObject({ outcome: 'unfinished' })
    expect((await cleanUp(site)).code).toBe(6)

    expect(await site.netops(['runs', 'resume', run, '--json'])).toMatchObject({ code: 0 })
    expect(await openOf(site)).toEqual([])
    expect(await readRunFile(site.paths.runs, part)).toMatchObject({ state: 'ended', outcome: 'done', changed: true })
    expect(await statusOf(site)).toMatchObject({ release: next.id, unfinished: [] })
    const done = await cleanUp(site)
    expect(done).toMatchObject({ code: 0 })
    expect(await listIfAny(site.paths.runs)).toEqual([done.json.run, `${done.json.run ?? ''}.local`])
  })
})

describe('a run that was killed when it had ended', () => {
  test('is over for everybody, and the next run clears up after it', async () => {
    const { site } = await siteInService()
    const next = await smallRelease(site, '1.1.0')
    expect(await openOf(site)).toEqual([])
    // Both processes: the host's, and then the operator's, which prints no document.
    await expect(site.deploy(next, [], { NETOPS_FAULT: 'kill-after:end' })).rejects.toThrow()
    const left = await openOf(site)
    expect(left).toHaveLength(2)
    expect(await statusOf(site)).toMatchObject({ release: next.id, unfinished: [] })
    expect((await listed(site)).every(({ outcome }) => outcome === 'done')).toBe(true)
    expect((await readRunFile(site.paths.runs, left[1] ?? ''))?.state).toBe('running')

    expect(await site.deploy(next)).toMatchObject({ code: 0 })
    expect(await openOf(site)).toEqual([])
    for (const run of left) expect(await readRunFile(site.paths.runs, run)).toMatchObject({ state: 'ended' })
  })
})

describe('runs of a netops that kept no such files', () => {
  test('are listed, resumed and removed by what their journals say', async () => {
    const { site } = await siteInService()
    await layDown(site.paths.runs, { run: '20250101T000000Z-x-0001.local', journal: { lines: 20, ended: true } })
    await layDown(site.paths.runs, { run: '20250101T000000Z-x-0002.local', journal: { lines: 20, ended: false } })
    const next = await smallRelease(site, '1.1.0')
    const run = (await site.deploy(next, [], { NETOPS_FAULT: 'kill-after:begin:health' })).json.run ?? ''
    await rm(site.paths.open, { recursive: true })
    for (const name of await listIfAny(site.paths.runs))
      await rm(join(site.paths.runs, name, 'run.json'), { force: true })
    expect(await listed(site)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ run: '20250101T000000Z-x-0001.local', started: began, outcome: 'done' }),
        expect.objectContaining({ run: '20250101T000000Z-x-0002.local', started: began, outcome: 'unfinished' }),
        expect.objectContaining({
          run,
          procedure: 'deploy',
          outcome: expect.stringMatching(/parked|unfinished/) as string,
        }),
        expect.objectContaining({ run: `${run}.local`, procedure: 'activate', outcome: 'unfinished' }),
      ]),
    )
    expect(await site.netops(['runs', 'resume', `${run}.local`])).toMatchObject({ code: 0 })
    expect(await site.netops(['runs', 'resume', run, '--json'])).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(next.id)
    const done = await cleanUp(site)
    expect(done).toMatchObject({ code: 0 })
    expect(await listIfAny(site.paths.runs)).toEqual([
      '20250101T000000Z-x-0002.local',
      done.json.run,
      `${done.json.run ?? ''}.local`,
    ])
  })
})

describe('runs from a clock that was ten minutes ahead', () => {
  /** What makes the clock of every netops that is called with it wrong. */
  async function ahead(site: Site): Promise<Readonly<Record<string, string>>> {
    const file = join(site.folder, 'ahead.cjs')
    await writeFile(
      file,
      `const Right = Date
globalThis.Date = class extends Right {
  constructor(...given) {
    super(...(given.length === 0 ? [Right.now() + 600_000] : given))
  }
  static now() {
    return Right.now() + 600_000
  }
}
`,
    )
    return { NODE_OPTIONS: `--require=${file}` }
  }

  test('come before those that followed by a right one: for rollback, undo and the list', async () => {
    const { site } = await siteInService()
    const [second, third] = [await smallRelease(site, '1.1.0'), await smallRelease(site, '1.2.0')]
    const early = (await site.deploy(second, [], await ahead(site))).json.run ?? ''
    const late = (await site.deploy(third)).json.run ?? ''
    expect(early > late).toBe(true)
    expect((await listed(site)).map(({ run }) => run).filter((run) => !run.includes('.'))).toEqual([
      expect.any(String),
      early,
      late,
    ])
    const refused = await site.netops(['runs', 'undo', early, '--json'])
    expect(refused).toMatchObject({
      code: 7,
      json: { error: { hint: expect.stringContaining(`${late}.local`) as string } },
    })
    expect(await site.netops(['rollback', ...quickly, '--json'])).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(second.id)
  })
})

describe('where state files are damaged', () => {
  test('each is named with the way out, and what does not hang on it goes on', async () => {
    const { site } = await siteInService()
    const [second, third] = [await smallRelease(site, '1.1.0'), await smallRelease(site, '1.2.0')]
    const run = (await site.deploy(second)).json.run ?? ''
    const { paths } = site
    const record = join(paths.history, `${run}.local`, 'activation.json')
    const half = `${run}.local`
    const damaged = [record, join(paths.runs, half, 'run.json'), join(paths.runtimeDir, 'supervisor.json')]
    for (const file of damaged) await truncate(file, 40)
    for (const lease of [paths.lease, paths.fleetLease]) await writeFile(lease, '')
    const long = new Date(Date.now() - 60_000)
    await utimes(paths.fleetLease, long, long)

    // What is in service is the one whose record is damaged.
    expect(await site.netops(['health'])).toMatchObject({ code: 0, stdout: expect.stringContaining(record) as string })
    const status = await site.netops(['status', '--json'])
    expect(status).toMatchObject({ code: 0, json: { hosts: [{ release: second.id, health: { healthy: true } }] } })
    const told = JSON.stringify(status.json.hosts)
    expect(told).toContain(`${record} is damaged: it is cut off, or no JSON`)
    expect(told).toContain('supervisor.json')
    const list = await site.netops(['runs', 'list'])
    expect(list).toMatchObject({ code: 0, stdout: expect.stringContaining(`mv -- ${damaged[1] ?? ''}`) as string })
    expect(list.stdout).toContain(`${run}  done`)
    const locks = await site.netops(['lock', 'status'])
    expect(locks).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`${paths.lease} is damaged: it is empty`) as string,
    })
    const rollback = await site.netops(['rollback', ...quickly, '--json'])
    expect(rollback).toMatchObject({ code: 9, json: { error: { message: expect.stringContaining(record) as string } } })
    expect(rollback.json.error?.hint).toMatch(/netops rollback --to 1\.0\.0-[0-9a-f]{12}$/)
    expect(await site.answering()).toBe(second.id)

    expect(await site.netops(['lock', 'release'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('put aside') as string,
    })
    expect(await site.netops(['lock', 'status'])).toMatchObject({ stdout: 'local: free\n' })
    for (const lease of [paths.lease, paths.fleetLease]) await writeFile(lease, 'garbage')
    await utimes(paths.fleetLease, long, long)
    const stays = await site.deploy(third)
    expect(stays).toMatchObject({
      code: 9,
      json: { error: { message: expect.stringContaining('supervisor.json') as string } },
    })
    expect(stays.json.error?.hint).toContain(`netops service stop --root ${site.root} && netops service start`)
    for (const action of ['stop', 'start']) expect(await site.netops(['service', action])).toMatchObject({ code: 0 })
    const deployed = await site.deploy(third)
    expect(deployed).toMatchObject({ code: 0 })
    expect(deployed.stderr).toContain(`${paths.fleetLease} is damaged`)
    expect(await site.answering()).toBe(third.id)
  })

  test('a journal with a line that is none stops what hangs on it alone', async () => {
    const { site } = await siteInService()
    const next = await smallRelease(site, '1.1.0')
    const run = (await site.deploy(next, [], { NETOPS_FAULT: 'kill-after:begin:health' })).json.run ?? ''
    const part = join(site.paths.runs, `${run}.local`)
    const journal = join(part, 'journal.jsonl')
    const text = await readFile(journal, 'utf8')
    await writeFile(journal, text.replace('\n', '\nnobody knows\n'))
    const stopped = await site.deploy(next)
    expect(stopped).toMatchObject({ code: 6 })
    expect(stopped.json.error?.message).toContain(`${journal}:2: not a journal record`)
    expect(await site.netops(['lock', 'status'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('unfinished') as string,
    })
    expect(await site.netops(['runs', 'list'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(journal) as string,
    })
    expect(await site.netops(['status'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('health: begin') as string,
    })
    expect(await site.netops(['runs', 'resume', `${run}.local`])).toMatchObject({
      code: 7,
      stderr: expect.stringContaining(`mv -- ${part} ${part}.aside`) as string,
    })
    // What a broken disk made of its request is no hindrance: the journal holds it too.
    await writeFile(journal, text)
    await rm(join(part, 'order.json'))
    await mkdir(join(part, 'order.json'))
    expect(await site.netops(['runs', 'resume', `${run}.local`])).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(next.id)
  })
})

const quickly = ['--min-healthy-time', '500ms', '--healthy-deadline', '20s']
