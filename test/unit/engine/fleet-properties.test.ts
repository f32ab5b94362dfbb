// The engine on fleets, against a model: hosts that are lost for a while, budgets, batches, conditions and waits that go on.
import { rm } from 'node:fs/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { begin, Journal, runState } from '../../../src/engine/journal.ts'
import { runPlan, undoRun, type RunResult } from '../../../src/engine/run.ts'
import { NetopsError } from '../../../src/model/errors.ts'
import type { JournalRecord } from '../../../src/model/journal.ts'
import { allOrNone, sequence, tolerantly, type Plan, type Step, type WaitOutcome } from '../../../src/model/plan.ts'
import { Killed, modelWorld, step } from '../../support/model-world.ts'
import { samples } from '../../support/samples.ts'
import { quickFolder } from '../../support/scratch.ts'

let runs: string
let count = 0
beforeEach(async () => {
  runs = await quickFolder('fleet-properties')
})
afterEach(() => rm(runs, { recursive: true, force: true, maxRetries: 3 }))

// ---- fleets

type Trouble = 'none' | 'fails' | 'impossible' | 'lost'

interface HostScript {
  readonly name: string
  readonly trouble: Trouble
  /** How its drain comes out, which the step after it hangs on. */
  readonly drained: WaitOutcome
}

interface Fleet {
  readonly hosts: readonly HostScript[]
  readonly maxFailures: number
  readonly limit: number
  /** Sizes of batches; all at once where there are none. */
  readonly sizes: readonly number[]
}

const fleets: fc.Arbitrary<Fleet> = fc
  .record({
    hosts: fc.array(
      fc.record({
        trouble: fc.constantFrom<Trouble>('none', 'none', 'none', 'fails', 'impossible', 'lost'),
        drained: fc.constantFrom<WaitOutcome>('met', 'met', 'timed-out', 'inconclusive'),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    maxFailures: fc.nat(3),
    limit: fc.integer({ min: 1, max: 3 }),
    cuts: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 6 }),
  })
  .map(({ hosts, cuts, ...rest }) => ({
    ...rest,
    hosts: hosts.map((host, index) => ({ ...host, name: `w${index}` })),
    sizes: sizesOf(cuts, hosts.length),
  }))

/** Cuts as long as they last, and what is left. */
function sizesOf(cuts: readonly number[], hosts: number): readonly number[] {
  const sizes: number[] = []
  let left = hosts
  for (const cut of cuts) {
    if (left <= cut) break
    sizes.push(cut)
    left -= cut
  }
  return sizes.length === 0 ? [] : [...sizes, left]
}

/** A step of one host: `w1-work`. */
const on = (host: string, id: string, more: Partial<Step> = {}): Step => step(`${host}-${id}`, { host, ...more })

const drain = (host: HostScript): Step =>
  on(host.name, 'drain', {
    until: {
      probe: { kind: 'ready', url: `http://${host.name}/`, unit: 'x', release: 'r' },
      holdForMs: 0,
      deadlineMs: 3000,
      onDeadline: 'go-on',
    },
  })

const planOf = ({ hosts, maxFailures, limit, sizes }: Fleet): Plan => {
  const before = { maxFailures: 0, maxLost: hosts.length, onLost: 'park' } as const
  const groups = hosts.map((host): Plan => {
    const { name } = host
    const when = { step: `${name}-lease`, is: 'done' } as const
    if (host.trouble === 'impossible') {
      return { ...on(name, 'look', { impossible: { code: 'refused', message: 'no' } }), act: [], undo: [] }
    }
    const gated = on(name, 'gated', { when: { step: `${name}-drain`, waited: ['met'] } })
    return { ...sequence(name, [drain(host), gated, on(name, 'work'), on(name, 'verify')]), when }
  })
  const pauses = sizes.slice(1).map((_, at) => on(`pause${at}`, 'x', { act: [], undo: [] }))
  const able = hosts.filter(({ trouble }) => trouble !== 'impossible').map(({ name }) => name)
  return {
    ...sequence('fleet', [
      {
        ...allOrNone(
          'push',
          able.map((name) => on(name, 'push', { undo: [] })),
          limit,
        ),
        ...before,
      },
      {
        ...sequence(
          'take',
          able.map((name) =>
            on(name, 'lease', { undo: [], transient: true, when: { step: `${name}-push`, is: 'done' } }),
          ),
        ),
        ...before,
      },
      tolerantly('each', groups, {
        limit,
        maxFailures,
        ...(sizes.length === 0 ? {} : { batches: { sizes: [...sizes], between: pauses } }),
      }),
    ]),
    onLost: 'park',
    onFailure: 'keep',
    always: able.map((name) => on(name, 'back', { undo: [], when: { step: `${name}-lease`, is: 'begun' } })),
  }
}

// ---- carrying out

interface Site {
  readonly fleet: Fleet
  readonly run: string
  files: ReadonlyMap<string, string>
  /** Effects in the order in which they were applied, over all processes. */
  readonly applied: string[]
}

const siteOf = (fleet: Fleet): Site => ({ fleet, run: `r${(count += 1)}`, files: new Map(), applied: [] })

interface Attempt {
  /** Whether a host cannot be reached. */
  readonly isLost?: (host: string) => boolean
  /** After how many effects the process dies. */
  readonly killAfter?: number
  readonly direction?: 'forward' | 'back'
}

const hostOf = (mark: string): string => mark.slice(1).split('-')[0] ?? ''

/** One process that begins the run or goes on with it; undefined when it was killed. */
async function attempt(site: Site, { isLost, killAfter, direction }: Attempt = {}): Promise<RunResult | undefined> {
  let [left, dead] = [killAfter ?? Infinity, false]
  const script = new Map(site.fleet.hosts.map((host) => [host.name, host]))
  const world = modelWorld({
    files: site.files,
    dead: () => dead,
    watch: (mark) => {
      if (left-- <= 0) {
        dead = true
        throw new Killed()
      }
      if (isLost?.(hostOf(mark)) === true) throw new NetopsError('unreachable', { message: 'gone', host: hostOf(mark) })
      site.applied.push(mark)
    },
    fail: (mark) => {
      if (script.get(hostOf(mark))?.trouble === 'fails' && mark.includes('-work.b') && mark.startsWith('+')) {
        throw new Error(`${mark} is refused`)
      }
    },
    answer: (probe) => {
      const drained = probe.kind === 'ready' ? script.get(new URL(probe.url).hostname)?.drained : undefined
      return { ok: drained === 'met', seen: 'x', ...(drained === 'inconclusive' ? { unknown: true } : {}) }
    },
  })
  const journal = await Journal.open(runs, site.run, {
    now: () => new Date(0),
    observe: () => {
      if (dead) throw new Killed()
    },
  })
  try {
    if (journal.records.length === 0) {
      const plan = planOf(site.fleet)
      begin(journal, { run: site.run, procedure: 'test', by: 'test', input: null, facts: null, plan })
    } else if (direction === undefined) journal.append({ type: 'resumed', by: 'test', pid: 1 })
    return await (direction === 'back' ? undoRun(journal, world) : runPlan(journal, world))
  } catch (error) {
    if (error instanceof Killed || dead) return undefined
    throw error
  } finally {
    dead = true
    site.files = world.files
    journal.close()
  }
}

async function recordsOf(site: Site): Promise<readonly JournalRecord[]> {
  const journal = await Journal.open(runs, site.run, { now: () => new Date(0), observe: () => undefined })
  journal.close()
  return journal.records
}

// ---- what has to hold

const isMade = (site: Site, id: string): boolean => site.files.get(`${id}.b`) === 'new'
const names = ({ hosts }: Fleet, ...troubles: readonly Trouble[]): readonly string[] =>
  hosts.filter(({ trouble }) => troubles.includes(trouble)).map(({ name }) => name)

/** What a host comes to that was begun and is not in trouble: by the model of its own few steps. */
function expectDone(site: Site, { name, drained }: HostScript): void {
  for (const id of ['drain', 'work', 'verify']) expect(isMade(site, `${name}-${id}`), `${name}-${id}`).toBe(true)
  expect(isMade(site, `${name}-gated`), `${name} drained: ${drained}`).toBe(drained === 'met')
}

function expectUntouched(site: Site, name: string): void {
  for (const id of ['drain', 'gated', 'work', 'verify'])
    expect(isMade(site, `${name}-${id}`), `${name}-${id}`).toBe(false)
}

/** Whether the hosts in trouble are within the budget, however they come. */
const within = (fleet: Fleet): boolean => names(fleet, 'fails', 'impossible', 'lost').length <= fleet.maxFailures

const lostNow =
  (fleet: Fleet) =>
  (host: string): boolean =>
    names(fleet, 'lost').includes(host)

/** When each host's own steps were begun and when they were through, as places in the journal. */
function spans(records: readonly JournalRecord[]): ReadonlyMap<string, { from: number; to: number }> {
  const found = new Map<string, { from: number; to: number }>()
  for (const record of records) {
    if (!('step' in record) || !/-(drain|gated|work|verify|look)$/.test(record.step)) continue
    const host = record.step.split('-')[0] ?? ''
    found.set(host, { from: found.get(host)?.from ?? record.seq, to: record.seq })
  }
  return found
}

describe('a fleet', () => {
  test('goes on without hosts that are lost, within its budget, and a resume completes them alone', async () => {
    await fc.assert(
      fc.asyncProperty(fleets.filter(within), async (fleet) => {
        const site = siteOf(fleet)
        const first = await attempt(site, { isLost: lostNow(fleet) })
        const lost = names(fleet, 'lost')
        expect(first?.open).toBe(lost.length > 0)
        for (const host of fleet.hosts) {
          if (host.trouble === 'none') expectDone(site, host)
          else expectUntouched(site, host.name)
        }
        if (lost.length === 0) return
        expect((await recordsOf(site)).at(-1)?.type).toBe('parked')
        const before = site.applied.length
        const second = await attempt(site)
        expect(second?.open).toBe(false)
        for (const host of fleet.hosts) if (host.trouble === 'none' || host.trouble === 'lost') expectDone(site, host)
        // Only leases are taken and given back elsewhere.
        const elsewhere = site.applied.slice(before).filter((mark) => !lost.includes(hostOf(mark)))
        expect(elsewhere.filter((mark) => !/-(lease|back)\./.test(mark))).toEqual([])
      }),
      samples(120),
    )
  }, 120_000)

  test('begins no other host once more than its budget failed or are lost', async () => {
    await fc.assert(
      fc.asyncProperty(fleets, async (fleet) => {
        const site = siteOf(fleet)
        const result = await attempt(site, { isLost: lostNow(fleet) })
        const records = await recordsOf(site)
        let bad = names(fleet, 'lost').length
        for (const record of records) {
          if (!('step' in record)) continue
          // A host of its own begins; whoever is lost was counted where its group would have begun.
          if (record.type === 'begin' && record.step.endsWith('-drain')) {
            const failed = records.filter(
              (one) => one.seq < record.seq && one.type === 'failed' && /-(work|look)$/.test(one.step),
            )
            expect(failed.length).toBeLessThanOrEqual(fleet.maxFailures)
          }
          if (record.type === 'failed') bad += 1
        }
        if (bad > fleet.maxFailures) expect(result?.outcome).not.toBe('done')
        // Each host stands whole or untouched, whatever became of the others.
        for (const host of fleet.hosts) {
          if (isMade(site, `${host.name}-verify`)) expectDone(site, host)
          else expectUntouched(site, host.name)
        }
      }),
      samples(120),
    )
  }, 120_000)

  test('goes in batches: none is begun before the one before it is through, and never more at once than allowed', async () => {
    await fc.assert(
      fc.asyncProperty(fleets, async (fleet) => {
        const site = siteOf(fleet)
        await attempt(site, { isLost: lostNow(fleet) })
        const found = spans(await recordsOf(site))
        const waves = fleet.sizes.length === 0 ? [fleet.hosts.length] : fleet.sizes
        let at = 0
        let through = 0
        for (const size of waves) {
          const wave = fleet.hosts.slice(at, at + size).flatMap(({ name }) => found.get(name) ?? [])
          for (const { from } of wave) expect(from).toBeGreaterThan(through)
          through = Math.max(through, ...wave.map(({ to }) => to))
          at += size
          for (const one of wave) {
            const beside = wave.filter(({ from, to }) => from <= one.to && to >= one.from)
            // Spans of records overlap also where one host begins right after another ended beside a third.
            if (fleet.limit === 1) expect(beside).toHaveLength(1)
          }
        }
      }),
      samples(120),
    )
  }, 120_000)

  test('killed at any moment while hosts are lost, and resumed when they are back, ends as if nothing had happened', async () => {
    const kills = fc.array(fc.nat(60), { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(fleets.filter(within), kills, fc.boolean(), async (fleet, moments, away) => {
        const site = siteOf(fleet)
        for (const killAfter of moments) {
          const result = await attempt(site, { killAfter, ...(away ? { isLost: lostNow(fleet) } : {}) })
          if (result !== undefined && !result.open) break
        }
        for (let tries = 0; runState(await recordsOf(site)).end === undefined; tries += 1) {
          expect(tries).toBeLessThan(5)
          await attempt(site)
        }
        for (const host of fleet.hosts) {
          if (host.trouble === 'none' || host.trouble === 'lost') expectDone(site, host)
          else expectUntouched(site, host.name)
        }
        const taken = names(fleet, 'none', 'lost', 'fails')
        for (const name of taken) expect(isMade(site, `${name}-back`), `${name} is given back`).toBe(true)
      }),
      samples(120),
    )
  }, 180_000)

  test('is undone on all hosts but those that are lost, and on these once they are back', async () => {
    await fc.assert(
      fc.asyncProperty(fleets.filter(within), fc.nat(255), async (fleet, pick) => {
        const site = siteOf(fleet)
        const first = await attempt(site)
        expect(first?.open).toBe(false)
        const changed = fleet.hosts
          .filter(({ trouble }) => trouble === 'none' || trouble === 'lost')
          .map(({ name }) => name)
        const gone = changed.filter((_, index) => ((pick >> index) & 1) === 1)
        if (gone.length === 0) return
        const second = await attempt(site, { direction: 'back', isLost: (host) => gone.includes(host) })
        expect(second?.open).toBe(true)
        expect([...new Set(second?.failures.map(({ host }) => host))].sort()).toEqual(gone.toSorted())
        for (const name of changed) {
          if (gone.includes(name)) expect(isMade(site, `${name}-verify`)).toBe(true)
          else expectUntouched(site, name)
        }
        const third = await attempt(site)
        expect(third).toMatchObject({ open: false, outcome: 'done' })
        for (const name of changed) expectUntouched(site, name)
      }),
      samples(120),
    )
  }, 120_000)
})

describe('a group whose lost hosts count as failed', () => {
  test('ends with them, and nobody waits for them any more', async () => {
    await fc.assert(
      fc.asyncProperty(fleets, async (fleet) => {
        const lost = names(fleet, 'lost')
        const plan: Plan = {
          ...tolerantly(
            'each',
            fleet.hosts.map(({ name }) => sequence(name, [on(name, 'drain'), on(name, 'verify')])),
            { limit: fleet.limit, maxFailures: fleet.hosts.length },
          ),
          onLost: 'fail',
        }
        const journal = await Journal.open(runs, `f${(count += 1)}`, {
          now: () => new Date(0),
          observe: () => undefined,
        })
        begin(journal, { run: 'f', procedure: 'test', by: 'test', input: null, facts: null, plan })
        const world = modelWorld({
          watch: (mark) => {
            if (lost.includes(hostOf(mark))) throw new NetopsError('unreachable', { message: 'gone' })
          },
        })
        const result = await runPlan(journal, world)
        journal.close()
        expect(result.open).toBe(false)
        expect(result.failures.filter(({ code }) => code === 'unreachable').length).toBe(lost.length)
        for (const { name } of fleet.hosts) {
          expect(world.files.get(`${name}-verify.b`) === 'new').toBe(!lost.includes(name))
        }
        if (lost.length > 0) expect(result.outcome).toBe(lost.length === fleet.hosts.length ? 'unreachable' : 'partly')
      }),
      samples(60),
    )
  }, 60_000)
})
