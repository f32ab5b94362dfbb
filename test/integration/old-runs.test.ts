// What hosts know of their runs without old journals: thousands of those, runs that were killed, runs of an earlier netops,
// and runs from clocks that were wrong.
import { rm, writeFile } from 'node:fs/promises'
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

const quickly = ['--min-healthy-time', '500ms', '--healthy-deadline', '20s']
