// The engine against a model: any plan, any step that fails, times out or is lost, killed and stopped at any moment.
import { rm } from 'node:fs/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Control } from '../../../src/engine/halt.ts'
import { begin, Journal, runState } from '../../../src/engine/journal.ts'
import { runPlan, undoRun, type RunResult } from '../../../src/engine/run.ts'
import { bodyOf } from '../../../src/engine/steps.ts'
import { NetopsError } from '../../../src/model/errors.ts'
import type { JournalRecord } from '../../../src/model/journal.ts'
import {
  independently,
  sequence,
  stepsOf,
  allOrNone,
  type Group,
  type Plan,
  type Step,
} from '../../../src/model/plan.ts'
import { Killed, modelWorld, step } from '../../support/model-world.ts'
import { expectedEnd, groupsOf, type Trouble } from '../../support/reference-plan.ts'
import { samples } from '../../support/samples.ts'
import { quickFolder } from '../../support/scratch.ts'

let runs: string
let count = 0
beforeEach(async () => {
  runs = await quickFolder('properties')
})
afterEach(() => rm(runs, { recursive: true, force: true, maxRetries: 3 }))

// ---- plans

type Flavour = 'plain' | 'commits' | 'unchanged' | 'transient'
const flavours = fc.constantFrom<Flavour>('plain', 'plain', 'plain', 'commits', 'unchanged', 'transient')

const probed = (id: string): Pick<Step, 'until'> => ({
  until: {
    probe: { kind: 'ready', url: `http://${id}/`, unit: 'network_service', release: '2.0.0' },
    holdForMs: 2000,
    deadlineMs: 5000,
  },
})

function flavoured(id: string, flavour: Flavour): Step {
  const plain = step(id, probed(id))
  switch (flavour) {
    case 'plain':
      return plain
    case 'commits':
      return { ...plain, commits: true }
    case 'unchanged':
      return { ...step(id), unchanged: true }
    case 'transient':
      return { ...plain, transient: true, undo: [] }
  }
}

/** A shape of a plan before its steps have names. */
type Shape =
  | Flavour
  | {
      readonly how: 'sequence' | 'tolerant' | 'allOrNone' | 'independently'
      readonly each: Shape[]
      readonly always: boolean
      readonly limit: number
    }

const shapes: fc.Arbitrary<Shape> = fc.letrec<{ shape: Shape; group: Shape }>((tie) => ({
  shape: fc.oneof({ depthSize: 'small', withCrossShrink: true }, flavours, tie('group')),
  group: fc.record({
    how: fc.constantFrom('sequence', 'sequence', 'tolerant', 'allOrNone', 'independently'),
    each: fc.array(tie('shape'), { minLength: 1, maxLength: 4 }),
    always: fc.boolean(),
    limit: fc.integer({ min: 1, max: 3 }),
  }),
})).group

/** Names the steps s0, s1, ... in written order. Side by side with all or none, how far siblings came is a matter of time. */
function named(shape: Shape): Plan {
  let [next, clears] = [0, 0]
  const build = (from: Shape, timed: boolean): Plan => {
    if (typeof from === 'string')
      return flavoured(`s${next++}`, timed && (from === 'commits' || from === 'transient') ? 'plain' : from)
    const below = timed || from.how === 'allOrNone'
    const each = from.each.map((member) => build(member, below))
    const group: Group = {
      sequence: () => sequence('g', each),
      tolerant: () => ({ ...sequence('g', each), onFailure: 'keep' as const, maxFailures: 1 }),
      allOrNone: () => allOrNone('g', each, from.limit),
      independently: () => independently('g', each, from.limit),
    }[from.how]()
    const always = from.always && !timed ? [step(`z${clears++}`, { undo: [] })] : undefined
    return always === undefined ? group : { ...group, always }
  }
  return build(shape, false)
}

const troubles = fc.array(fc.tuple(fc.nat(9), fc.constantFrom<Trouble>('act', 'timeout')), { maxLength: 2 })
const scenarios = fc.record({ shape: shapes, picks: troubles }).map(({ shape, picks }) => {
  const plan = named(shape)
  const real = picks.map(([index, kind]) => [`s${index}`, kind] as const)
  return {
    plan,
    trouble: new Map<string, Trouble>(real),
    [fc.toStringMethod]: () => `${sketch(plan)} with ${JSON.stringify(real)}`,
  }
})

/** A plan in a line, for a counterexample that can be read: `seq[s0 par:2[s1! s2]]`. */
function sketch(plan: Plan): string {
  if (plan.kind === 'step') {
    const signs = [plan.commits && '!', plan.unchanged && '=', plan.transient && '~']
    return `${plan.id}${signs.filter((sign) => typeof sign === 'string').join('')}`
  }
  const always = plan.always === undefined ? '' : `; ${plan.always.map(sketch).join(' ')}`
  const { mode, onFailure, maxFailures, limit = '' } = plan
  return `${mode}/${onFailure}/${maxFailures}/${limit}[${plan.each.map(sketch).join(' ')}${always}]`
}

// ---- carrying out

type Event = { readonly mark: string } | { readonly record: JournalRecord }

interface Site {
  readonly plan: Plan
  readonly trouble: ReadonlyMap<string, Trouble>
  readonly run: string
  /** What is in the world, whatever process changed it. */
  files: ReadonlyMap<string, string>
  /** What happened, in order, over all processes. */
  readonly events: Event[]
}

const siteOf = ({ plan, trouble }: Pick<Site, 'plan' | 'trouble'>): Site => ({
  plan,
  trouble,
  run: `r${(count += 1)}`,
  files: new Map(),
  events: [],
})

interface Attempt {
  /** Sees what happens, and may throw `Killed` or press Ctrl-C. */
  readonly on?: (event: Event, when: 'before' | 'after') => void
  readonly control?: Control
  /** Throws in place of an effect. */
  readonly fail?: (mark: string) => void
  readonly direction?: 'forward' | 'back'
}

/** One process that begins a run or goes on with it; undefined when it was killed. */
async function attempt(site: Site, { on, control, fail, direction }: Attempt = {}): Promise<RunResult | undefined> {
  const process = { dead: false }
  const happens = (event: Event, when: 'before' | 'after'): void => {
    if (process.dead) throw new Killed()
    try {
      on?.(event, when)
    } catch (error) {
      process.dead = true
      throw error
    }
  }
  const world = modelWorld({
    files: site.files,
    dead: () => process.dead,
    watch: (mark) => {
      happens({ mark }, 'before')
      site.events.push({ mark })
    },
    fail: (mark) => {
      fail?.(mark)
      if (
        site.trouble.get(mark.slice(1).split('.')[0] ?? '') === 'act' &&
        mark.endsWith('.b') &&
        mark.startsWith('+')
      ) {
        throw new Error(`${mark} is refused`)
      }
    },
    answer: (probe) => ({
      ok: !(probe.kind === 'ready' && site.trouble.get(new URL(probe.url).hostname) === 'timeout'),
      seen: 'as told',
      startId: 'first',
    }),
  })
  const journal = await Journal.open(runs, site.run, {
    now: () => new Date(0),
    observe: (record, when) => {
      if (when === 'after') site.events.push({ record })
      happens({ record }, when)
    },
  })
  try {
    if (journal.records.length === 0) {
      begin(journal, { run: site.run, procedure: 'test', by: 'test', input: null, facts: null, plan: site.plan })
    } else if (direction === undefined) journal.append({ type: 'resumed', by: 'test', pid: 1 })
    return await (direction === 'back' ? undoRun(journal, world, control) : runPlan(journal, world, control))
  } catch (error) {
    if (error instanceof Killed || process.dead) return undefined
    throw error
  } finally {
    // Whatever still runs side by side has no process any more.
    process.dead = true
    site.files = world.files
    journal.close()
  }
}

/** Resumes until the run has ended. */
async function finish(site: Site): Promise<RunResult> {
  for (let tries = 0; tries < 20; tries += 1) {
    const result = await attempt(site)
    if (result !== undefined && !result.open) return result
  }
  throw new Error('it never ends')
}

// ---- what has to hold

const isMade = (site: Site, id: string): boolean =>
  site.files.get(`${id}.a`) === 'new' && site.files.get(`${id}.b`) === 'new'
const isGone = (site: Site, id: string): boolean => !site.files.has(`${id}.a`) && !site.files.has(`${id}.b`)

const indexOf = (events: readonly Event[], wanted: (event: Event) => boolean): number => events.findIndex(wanted)
const lastIndexOf = (events: readonly Event[], wanted: (event: Event) => boolean): number =>
  events.findLastIndex(wanted)
const isMark = (id: string, sign: '+' | '-') => (event: Event) =>
  'mark' in event && event.mark.startsWith(`${sign}${id}.`)
const isRecord = (id: string, type: JournalRecord['type']) => (event: Event) =>
  'record' in event && event.record.type === type && 'step' in event.record && event.record.step === id

/** Pairs of steps of which the first stands before the second in one sequence, at any depth. */
function orderedPairs(plan: Plan): readonly (readonly [Step, Step])[] {
  if (plan.kind === 'step') return []
  const inner = plan.each.flatMap(orderedPairs)
  if (plan.mode === 'parallel') return inner
  const across = plan.each.flatMap((earlier, index) =>
    plan.each
      .slice(index + 1)
      .flatMap((later) => bodyOf(earlier).flatMap((a) => bodyOf(later).map((b) => [a, b] as const))),
  )
  return [...inner, ...across]
}

/** Holds whatever happened to a run that has ended. */
function expectSound(site: Site): void {
  const { plan, events } = site
  // Each step stands whole or not at all, and the journal says which.
  for (const { id, undo, unchanged } of stepsOf(plan)) {
    const last = events.findLast((event) => 'record' in event && 'step' in event.record && event.record.step === id)
    const state = last !== undefined && 'record' in last ? last.record.type : 'never begun'
    const where = `${id} is ${state}`
    if (state === 'done') expect(isMade(site, id), where).toBe(true)
    else if (state === 'undone' || state === 'never begun' || unchanged === true)
      expect(isGone(site, id), where).toBe(true)
    else expect(undo.length === 0 || state === 'undo-failed', where).toBe(true)
  }
  // Undone in reverse; what was given up before the later one began is no part of that.
  for (const [earlier, later] of orderedPairs(plan)) {
    const after = (from: number) => (event: Event) => isMark(earlier.id, '-')(event) && events.indexOf(event) > from
    const begun = indexOf(events, isMark(later.id, '+'))
    const [first, second] = [lastIndexOf(events, isMark(later.id, '-')), indexOf(events, after(begun))]
    if (begun >= 0 && first >= 0 && second >= 0) {
      expect(second, `${later.id} is undone before ${earlier.id}`).toBeGreaterThan(first)
    }
    // And never past a step that committed.
    const done = indexOf(events, isRecord(later.id, 'done'))
    if (later.commits === true && done >= 0) {
      expect(indexOf(events, after(done)), `${earlier.id} stands before ${later.id}, which committed`).toBe(-1)
    }
  }
  // What is done is not done again, unless it lasts only while a run does.
  for (const { id, transient } of bodyOf(plan)) {
    const done = indexOf(events, isRecord(id, 'done'))
    if (done >= 0 && transient !== true)
      expect(lastIndexOf(events, isMark(id, '+')), `${id} is done once`).toBeLessThan(done)
  }
  // Whatever was begun is cleared up, after all else in its group; but for what lasts only while a run does, which one that is
  // resumed begins again, also where nothing is left to do but to end it.
  for (const group of groupsOf(plan)) {
    const body = bodyOf(group).filter(({ transient }) => transient !== true)
    const touched = Math.max(
      ...body.map(({ id }) => lastIndexOf(events, (event) => isMark(id, '+')(event) || isMark(id, '-')(event))),
    )
    if (touched < 0) continue
    for (const { id } of group.always ?? [])
      expect(lastIndexOf(events, isMark(id, '+')), `${id} ran last`).toBeGreaterThan(touched)
  }
}

/** The world is what the reference says. */
function expectReference(site: Site): void {
  const { kept, cleared } = expectedEnd(site.plan, site.trouble)
  const body = new Set(bodyOf(site.plan).map(({ id }) => id))
  const made = stepsOf(site.plan)
    .filter(({ id }) => isMade(site, id))
    .map(({ id }) => id)
  // A failed step that has no undo leaves what it came to.
  const firm = made.filter((id) => !site.trouble.has(id))
  expect(firm.filter((id) => body.has(id)).sort()).toEqual([...kept].sort())
  expect(firm.filter((id) => !body.has(id)).every((id) => cleared.has(id))).toBe(true)
}

describe('any plan', () => {
  test('with steps that fail or time out ends as the reference says', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const site = siteOf(scenario)
        const result = await attempt(site)
        expect(result?.open).toBe(false)
        expectSound(site)
        expectReference(site)
        const { outcome } = expectedEnd(site.plan, site.trouble)
        if (outcome === 'failed') expect(result?.outcome).not.toBe('done')
      }),
      samples(80),
    )
  }, 120_000)

  test('killed at any moment, and again while it is resumed, ends as if nothing had happened', async () => {
    const kills = fc.array(fc.nat(40), { minLength: 1, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(
        scenarios,
        kills,
        fc.constantFrom('before' as const, 'after' as const),
        async (scenario, moments, when) => {
          const site = siteOf(scenario)
          for (const moment of moments) {
            let left = moment
            const result = await attempt(site, {
              on: (event, at) => {
                // Before an effect, or before or after a record.
                if (('mark' in event || at === when) && left-- === 0) throw new Killed()
              },
            })
            if (result !== undefined && !result.open) break
          }
          if (runState(await recordsOf(site)).end === undefined) await finish(site)
          expectSound(site)
          expectReference(site)
        },
      ),
      samples(80),
    )
  }, 180_000)

  test('whose hosts are lost for a while ends as if they had not been', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, fc.nat(20), async (scenario, moment) => {
        const site = siteOf(scenario)
        let left = moment
        const result = await attempt(site, {
          fail: () => {
            if (left-- <= 0) throw new NetopsError('unreachable', { message: 'the host is gone' })
          },
        })
        if (result?.open === true) {
          expect((await recordsOf(site)).at(-1)?.type).toBe('parked')
          await finish(site)
        }
        expectSound(site)
        expectReference(site)
      }),
      samples(80),
    )
  }, 120_000)

  test('stopped by Ctrl-C at any moment, and resumed, ends as if nobody had touched it', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, fc.nat(30), async (scenario, moment) => {
        const site = siteOf(scenario)
        const stop = new AbortController()
        let left = moment
        const result = await attempt(site, {
          control: { stop: stop.signal, undo: new AbortController().signal },
          on: () => {
            if (left-- === 0) stop.abort()
          },
        })
        if (result?.open === true) {
          expect(result.outcome === 'interrupted' || result.outcome === 'partly').toBe(true)
          await finish(site)
        }
        expectSound(site)
        expectReference(site)
      }),
      samples(80),
    )
  }, 120_000)

  test('sent back by a second Ctrl-C, and even killed while it goes back, keeps only what committed', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, fc.nat(30), fc.option(fc.nat(10)), async (scenario, moment, kill) => {
        const site = siteOf(scenario)
        const [stop, undo] = [new AbortController(), new AbortController()]
        let left = moment
        let killIn = kill ?? -1
        const result = await attempt(site, {
          control: { stop: stop.signal, undo: undo.signal },
          on: () => {
            if (undo.signal.aborted && killIn-- === 0) throw new Killed()
            if (left-- !== 0) return
            stop.abort()
            undo.abort()
          },
        })
        const ended = result === undefined || result.open ? await finish(site) : result
        expectSound(site)
        // It came too late for a run that had just ended, or was not sent back before it was killed.
        const { direction } = runState(await recordsOf(site))
        if (direction === 'forward') return
        expect(['done', 'interrupted', 'partly']).toContain(ended.outcome)
        expectOnlyCommitted(site)
      }),
      samples(80),
    )
  }, 120_000)

  test('undone after its end, even if that is killed and gone on with, keeps only what committed', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, fc.option(fc.nat(15)), async (scenario, kill) => {
        const site = siteOf(scenario)
        await attempt(site)
        let left = kill ?? -1
        let undone: RunResult | undefined
        try {
          undone = await attempt(site, {
            direction: 'back',
            on: () => {
              if (left-- === 0) throw new Killed()
            },
          })
        } catch (error) {
          // There was nothing that could be undone, and nothing was.
          expect(error).toMatchObject({ code: 'refused' })
          expect((await recordsOf(site)).some(({ type }) => type === 'undo')).toBe(false)
          return
        }
        const state = runState(await recordsOf(site))
        if (undone === undefined && state.direction === 'back' && state.end === undefined) await finish(site)
        if (runState(await recordsOf(site)).direction === 'forward') return
        expect(runState(await recordsOf(site)).end?.undone).toBe(true)
        expectSound(site)
        expectOnlyCommitted(site)
        await expect(attempt(site, { direction: 'back' })).rejects.toMatchObject({ code: 'refused' })
      }),
      samples(80),
    )
  }, 120_000)
})

const recordsOf = async (site: Site): Promise<readonly JournalRecord[]> => {
  const journal = await Journal.open(runs, site.run, { now: () => new Date(0), observe: () => undefined })
  journal.close()
  return journal.records
}

/** Every step that could be taken back, and had no step behind it that committed, is gone from the world. */
function expectOnlyCommitted(site: Site): void {
  const pairs = orderedPairs(site.plan)
  const committed = (step: Step): boolean => step.commits === true && isMade(site, step.id)
  for (const one of bodyOf(site.plan)) {
    const behind = pairs.some(([earlier, later]) => earlier === one && committed(later))
    if (committed(one) || behind || one.undo.length === 0) continue
    expect(isGone(site, one.id), `${one.id} is taken back`).toBe(true)
  }
}
