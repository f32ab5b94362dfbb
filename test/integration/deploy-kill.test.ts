// Deployment under kill -9: the host's part at each line of its journal, the operator's netops during the activation.
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { judgeLease } from '../../src/engine/lease-file.ts'
import { journalPath, runState } from '../../src/engine/journal.ts'
import { dataSchema } from '../../src/model/data-schema.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { messageOf } from '../../src/model/errors.ts'
import { ownTraits, type ReleaseTraits } from '../../src/model/release-traits.ts'
import { placeInJournal } from '../../src/runs/run-journal.ts'
import { exec, start } from '../../src/system/exec.ts'
import { faultsAt, hostPart, sample } from '../support/kills.ts'
import {
  foreignRelease,
  journalsOf,
  pause,
  siteInService,
  smallRelease,
  type Release,
  type Site,
} from '../support/site.ts'

const quick = ['--min-healthy-time', '200ms', '--healthy-deadline', '20s']

/** What a deployment that is cut off is to come to in the end. */
interface Attempt {
  readonly release: Release
  readonly config: string
  /** The exit code of the resume that finishes it. */
  readonly exit: number
  /** The release that is in service afterwards, with which configuration. */
  readonly then: { readonly release: string; readonly config: string }
}

/** Deploys, kills the host's part there, resumes, and checks where that ends; throws when it is not as it should be. */
async function surviveKill(site: Site, attempt: Attempt, fault: string): Promise<void> {
  const run = await pushOnly(site, attempt)
  await hostPart(site, run, { NETOPS_FAULT: fault })
  const killed = (await journalsOf(site, 'torn')).get(`${run}.local`) ?? []
  const [, moment, place = ''] = /^kill-(before|after):(.+)$/.exec(fault) ?? []
  const reached = killed.map(placeInJournal)
  if (moment === 'after' ? reached.at(-1) !== place : reached.includes(place) || runState(killed).end !== undefined) {
    throw new Error(`it was not killed there, but after ${reached.join(' ')}`)
  }
  const resumed = await site.netops(['runs', 'resume', run, '--json'])
  expect(resumed).toMatchObject({ code: attempt.exit })
  expect(await site.answering()).toBe(attempt.then.release)
  expect(await readFile(site.paths.config, 'utf8')).toBe(attempt.then.config)
  expect(await readlink(site.paths.current)).toBe(`releases/${attempt.then.release}`)
  // A run that had ended when it was killed leaves its lease to whoever comes next.
  expect((await judgeLease(site.paths.lease))?.standing ?? 'dead').toBe('dead')
  const journals = await journalsOf(site)
  for (const records of [journals.get(run), journals.get(`${run}.local`)]) expectNothingTwice(records ?? [])
}

/** An operator's netops that dies when it has pushed everything and the host is about to begin; returns the run. */
async function pushOnly(site: Site, { release, config }: Attempt): Promise<string> {
  const before = await journalsOf(site)
  const words = ['deploy', '--root', site.root, '--release', release.file, '--config', config, ...quick]
  const operator = await exec([inject('builds').netops, ...words], {
    env: { NETOPS_FAULT: 'kill-after:begin:local/activate' },
  })
  expect(operator).toMatchObject({ code: 137 })
  const added = [...(await journalsOf(site)).entries()].filter(([run]) => !before.has(run))
  expect(added.map(([, records]) => records.at(-1))).toMatchObject([{ type: 'begin', step: 'local/activate' }])
  return added[0]?.[0] ?? ''
}

/** No step is done twice, and none is begun again once it is done. */
function expectNothingTwice(records: readonly JournalRecord[]): void {
  const done = new Set<string>()
  for (const record of records) {
    if (record.type !== 'done' && record.type !== 'begin') continue
    // The lease lasts only while a process holds it, and whoever goes on takes it again.
    if (/\/(lease|give-back)$/.test(record.step)) continue
    if (done.has(record.step)) throw new Error(`${record.type} of ${record.step} after it was done`)
    if (record.type === 'done') done.add(record.step)
  }
  expect(runState(records).end).toBeDefined()
}

/** What the journal of the host run holds when nobody kills it. */
async function recordsOf(site: Site, attempt: Attempt): Promise<readonly JournalRecord[]> {
  const run = await pushOnly(site, attempt)
  await hostPart(site, run)
  expect((await site.netops(['runs', 'resume', run])).code).toBe(attempt.exit)
  return (await journalsOf(site)).get(`${run}.local`) ?? []
}

/** Tries each fault and tells all that did not end well; after one of those the next gets a new site. */
async function tryEach(
  faults: readonly string[],
  siteAfter: (before: 'none' | 'bad') => Promise<(fault: string) => Promise<void>>,
): Promise<void> {
  const bad: string[] = []
  let attempt = await siteAfter('none')
  for (const fault of faults) {
    try {
      await attempt(fault)
    } catch (error) {
      bad.push(`${fault}: ${messageOf(error)}`)
      attempt = await siteAfter('bad')
    }
  }
  expect(bad).toEqual([])
}

describe("the host's part, killed before and after each line of its journal and resumed", () => {
  test.each<[string, ReleaseTraits, number]>([
    ['', { data: dataSchema }, 4],
    [' behind sockets that are held', ownTraits, 3],
  ])(
    'brings the new release into service%s, and does no step twice',
    { timeout: 1_200_000 },
    async (_, traits, kills) => {
      // Each time the next version follows the last: a second deployment with everything to do, on one site.
      let version = 0
      const next = async (site: Site): Promise<Attempt> => {
        version += 1
        const release = await smallRelease(site, `1.${version}.0`, '', traits)
        const config = await site.config('next.yaml', 1000 + version)
        return { release, config, exit: 0, then: { release: release.id, config: await readFile(config, 'utf8') } }
      }
      const place = async (): Promise<Site> => {
        const { site } = await siteInService()
        // From here on the sockets stay as they are.
        if (traits.sockets === true) await recordsOf(site, await next(site))
        return site
      }
      const first = await place()
      const whole = await recordsOf(first, await next(first))
      const begun = Date.now()
      const faults = sample(faultsAt(whole), kills)
      await tryEach(faults, async (before) => {
        const site = before === 'none' ? first : await place()
        return async (fault) => surviveKill(site, await next(site), fault)
      })
      console.log(`${whole.length} records, ${faults.length} kills in ${Math.round((Date.now() - begun) / 1000)} s`)
    },
  )

  test('puts the old release back where the new one crashes', { timeout: 1_800_000 }, async () => {
    const fresh = async () => {
      const { site } = await siteInService()
      const old = { release: (await site.answering()) ?? '', config: await readFile(site.paths.config, 'utf8') }
      const release = await foreignRelease(site, 'crashing', 'exit 1')
      const attempt: Attempt = { release, config: await site.config('changed.yaml', 77), exit: 8, then: old }
      return { site, attempt }
    }
    const first = await fresh()
    const whole = await recordsOf(first.site, first.attempt)
    await tryEach(sample(faultsAt(whole), 3), async (before) => {
      const place = before === 'none' ? first : await fresh()
      return (fault) => surviveKill(place.site, place.attempt, fault)
    })
  })
})

describe("the operator's netops, killed during the activation", () => {
  test.each(['stop', 'start', 'health'])(
    'when the host reports the step %s: the host finishes alone',
    { timeout: 400_000 },
    async (step) => {
      const { site } = await siteInService()
      const release = await smallRelease(site, '1.1.0')
      const words = [
        'deploy',
        '--root',
        site.root,
        '--release',
        release.file,
        '--config',
        await site.config('next.yaml', 222),
      ]
      const operator = await start([inject('builds').netops, ...words, '--min-healthy-time', '2s'], {
        output: join(site.folder, 'operator.log'),
      })
      const run = await reported(site, step)
      process.kill(operator.pid, 'SIGKILL')
      expect(await operator.ended).toBe(137)
      const meanwhile = await statusOf(site)
      expect(meanwhile.unfinished.length === 0 ? meanwhile.release : meanwhile.unfinished[0]?.run).toBe(
        meanwhile.unfinished.length === 0 ? release.id : `${run}.local`,
      )

      await expect
        .poll(() => statusOf(site), { timeout: 40_000 })
        .toMatchObject({
          release: release.id,
          unfinished: [],
          health: { healthy: true, release: release.id },
        })
      const [pid, journal] = [
        await site.mainPid(),
        await readFile(journalPath(site.paths.runs, `${run}.local`), 'utf8'),
      ]
      const resumed = await site.netops(['runs', 'resume', run, '--json'])
      expect(resumed).toMatchObject({ code: 0, json: { ok: true, hosts: [{ outcome: 'done', release: release.id }] } })
      expect(await site.mainPid()).toBe(pid)
      expect(await readFile(journalPath(site.paths.runs, `${run}.local`), 'utf8')).toBe(journal)
      expectNothingTwice((await journalsOf(site)).get(run) ?? [])
      expect(await site.netops(['runs', 'resume', run])).toMatchObject({ code: 0 })
    },
  )
})

/** Waits until the operator's netops was told that a step began; returns its run. */
async function reported(site: Site, step: string): Promise<string> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await pause(10)) {
    for (const [run, records] of await journalsOf(site, 'torn')) {
      const told = records.some(
        (one) => one.type === 'relayed' && one.record.type === 'begin' && one.record.step === step,
      )
      if (told && runState(records).end === undefined) return run
    }
  }
  throw new Error(`the operator was not told of ${step} within a minute`)
}

interface Told {
  readonly release: string
  readonly unfinished: readonly { readonly run: string }[]
}

const statusOf = async (site: Site): Promise<Told> =>
  (await site.netops(['status', '--json'])).json.hosts?.[0] as unknown as Told
