import { rm } from 'node:fs/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { begin, Journal, readJournal, type JournalObserver } from '../../../src/engine/journal.ts'
import { runPlan, type RunResult } from '../../../src/engine/run.ts'
import { NetopsError } from '../../../src/model/errors.ts'
import type { ProbeAnswer } from '../../../src/model/effects.ts'
import type { JournalRecord } from '../../../src/model/journal.ts'
import {
  independently,
  sequence,
  stepsOf,
  allOrNone,
  type Group,
  type Plan,
  type Step,
  type Wait,
} from '../../../src/model/plan.ts'
import { Killed, killer, modelWorld, step, type ModelWorld, type Script } from '../../support/model-world.ts'
import { samples } from '../../support/samples.ts'
import { quickFolder } from '../../support/scratch.ts'

let runs: string
let count = 0
beforeEach(async () => {
  runs = await quickFolder('run')
})
afterEach(() => rm(runs, { recursive: true, force: true, maxRetries: 3 }))

const nothing: JournalObserver = () => undefined

interface Ended {
  readonly result: RunResult
  readonly records: readonly JournalRecord[]
  readonly world: ModelWorld
}

/** Opens or reopens a run's journal from the disk and carries its plan out. */
async function carryOut(plan: Plan, world: ModelWorld, run: string, observe = nothing): Promise<Ended> {
  const journal = await Journal.open(runs, run, { now: () => new Date(0), observe })
  try {
    if (journal.records.length === 0) {
      begin(journal, { run, procedure: 'test', by: 'test', input: null, facts: null, plan })
    }
    return { result: await runPlan(journal, world), records: [...journal.records], world }
  } finally {
    journal.close()
  }
}
const run = (plan: Plan, script: Script = {}): Promise<Ended> => carryOut(plan, modelWorld(script), `r${(count += 1)}`)

/** Fails whenever one of these effects is applied. */
const failing =
  (marks: readonly string[], error: () => Error = () => new Error('no')): NonNullable<Script['fail']> =>
  (mark) => {
    if (marks.includes(mark)) throw error()
  }
const types = (records: readonly JournalRecord[]): string[] =>
  records.map((record) => ('step' in record ? `${record.type} ${record.step}` : record.type))

/** Plans of nested sequences and independent branches, with steps named s0, s1, ... in written order. */
const plans: fc.Arbitrary<Group> = fc
  .letrec<{ plan: Plan; step: Plan; group: Group }>((tie) => ({
    plan: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('step'), tie('group')),
    step: fc
      .record({ commits: fc.constantFrom(false, false, false, true), unchanged: fc.constantFrom(false, false, true) })
      .map(({ commits, unchanged }) =>
        step('?', { ...(commits ? { commits } : {}), ...(unchanged ? { unchanged } : {}) }),
      ),
    group: fc
      .tuple(fc.array(tie('plan'), { minLength: 1, maxLength: 4 }), fc.boolean(), fc.integer({ min: 1, max: 3 }))
      .map(([each, parallel, limit]) => (parallel ? independently('g', each, limit) : sequence('g', each))),
  }))
  .group.map((plan) => {
    let next = 0
    const name = <T extends Plan>(from: T): T => {
      if (from.kind === 'group') return { ...from, each: from.each.map(name) }
      const { commits, unchanged } = from
      return { ...step(`s${next++}`), ...(commits ? { commits } : {}), ...(unchanged ? { unchanged } : {}) } as T
    }
    return name(plan)
  })

/** A plan and the places where it fails; none for a plan that works. */
const scenarios = fc
  .tuple(plans, fc.array(fc.nat(11), { maxLength: 2 }), fc.boolean())
  .map(([plan, picks, second]) => ({
    plan,
    marks: picks.map((pick) => `+s${pick}.${second ? 'b' : 'a'}`),
  }))

describe('a plan that fails', () => {
  test('is undone in reverse, back to the last step that commits and no further', async () => {
    const sequences = fc.integer({ min: 1, max: 7 }).chain((length) =>
      fc.record({
        length: fc.constant(length),
        failed: fc.nat(length - 1),
        commits: fc.option(fc.nat(length - 1)),
        nestedFrom: fc.nat(length - 1),
      }),
    )
    await fc.assert(
      fc.asyncProperty(sequences, async ({ length, failed, commits, nestedFrom }) => {
        const steps = Array.from({ length }, (_, index) =>
          step(`s${index}`, index === commits ? { commits: true } : {}),
        )
        const nested = [...steps.slice(0, nestedFrom), sequence('inner', steps.slice(nestedFrom))]
        const { world, result } = await run(sequence('outer', nested), { fail: failing([`+s${failed}.b`]) })
        const lastKept = commits !== null && commits < failed ? commits : -1
        const undone = steps.slice(lastKept + 1, failed + 1).reverse()
        expect(world.applied.filter((mark) => mark.startsWith('-'))).toEqual(
          undone.flatMap(({ id }) => [`-${id}.b`, `-${id}.a`]),
        )
        const kept = steps.slice(0, lastKept + 1).flatMap(({ id }) => [`${id}.a`, `${id}.b`])
        expect([...world.files.keys()]).toEqual(kept)
        expect(result).toMatchObject({
          outcome: lastKept >= 0 ? 'partly' : 'failed',
          changed: lastKept >= 0,
          open: false,
        })
      }),
      samples(60),
    )
  })

  test('puts back the old content, not nothing', async () => {
    const before = new Map([['one.a', 'old']])
    const plan = sequence('all', [step('one', { before }), step('two')])
    const { world } = await run(plan, { files: before, fail: failing(['+two.a']) })
    expect([...world.files]).toEqual([['one.a', 'old']])
  })

  test('leaves independent branches alone, however many run at once', async () => {
    const branches = fc.record({
      bad: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
      limit: fc.integer({ min: 1, max: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(branches, async ({ bad, limit }) => {
        const each = bad.map((_, index) => sequence(`b${index}`, [step(`b${index}/one`), step(`b${index}/two`)]))
        const marks = bad.flatMap((fails, index) => (fails ? [`+b${index}/two.b`] : []))
        const { world, result } = await run(independently('all', each, limit), { fail: failing(marks) })
        const whole = bad.flatMap((fails, index) =>
          fails ? [] : stepsOf(each[index] ?? sequence('', [])).map(({ id }) => id),
        )
        expect([...world.files.keys()].sort()).toEqual(whole.flatMap((id) => [`${id}.a`, `${id}.b`]).sort())
        const good = bad.some((fails) => !fails)
        expect(result.outcome).toBe(!bad.includes(true) ? 'done' : good ? 'partly' : 'failed')
        expect(result.failures.map(({ step }) => step).sort()).toEqual(
          bad.flatMap((fails, index) => (fails ? [`b${index}/two`] : [])),
        )
      }),
      samples(40),
    )
  })

  test('undoes the branches that finished too, in a parallel group that stands as one', async () => {
    const plan = allOrNone('all', [step('one'), step('two')], 2)
    const { world, result } = await run(plan, { fail: failing(['+two.a']) })
    expect([...world.files]).toEqual([])
    expect(result).toMatchObject({ outcome: 'failed', changed: false })
  })
})

describe('a run that was cut off', () => {
  test('is resumed without repeating what was finished, and ends in the same world at every line', async () => {
    await fc.assert(
      fc.asyncProperty(
        scenarios,
        fc.nat(),
        fc.constantFrom('before', 'after'),
        async ({ plan, marks }, pick, moment) => {
          const fail = failing(marks)
          const whole = await run(plan, { fail })
          const cut = killer(2 + (pick % (whole.records.length - 1)), moment)
          const name = `cut${(count += 1)}`
          const world = modelWorld({ fail, dead: cut.dead })
          await expect(carryOut(plan, world, name, cut.observe)).rejects.toThrow(Killed)
          const left = (await readJournal(runs, name)) ?? []
          if (left.some(({ type }) => type === 'end')) return
          const finished = left.flatMap((line) =>
            line.type === 'done' ? [`+${line.step}.a`] : line.type === 'undone' ? [`-${line.step}.a`] : [],
          )
          const later = modelWorld({ files: world.files, fail })
          const resumed = await carryOut(plan, later, name)
          expect([...later.files].sort()).toEqual([...whole.world.files].sort())
          expect(resumed.result).toMatchObject({
            outcome: whole.result.outcome,
            changed: whole.result.changed,
            open: false,
          })
          expect(later.applied.filter((mark) => finished.includes(mark))).toEqual([])
        },
      ),
      samples(100),
    )
  }, 30_000)

  test('goes on undoing where it was undoing, and keeps its outcome', async () => {
    const plan = sequence('all', [step('one'), step('two'), step('three')])
    const fail = failing(['+three.a'], () => new NetopsError('damaged', { message: 'the hash is another' }))
    const whole = await run(plan, { fail })
    expect(types(whole.records).slice(-5)).toEqual(['undoing two', 'undone two', 'undoing one', 'undone one', 'end'])
    const cut = killer(whole.records.findIndex((line) => line.type === 'undone' && line.step === 'two') + 1, 'after')
    const world = modelWorld({ fail, dead: cut.dead })
    await expect(carryOut(plan, world, 'cut', cut.observe)).rejects.toThrow(Killed)
    const resumed = await carryOut(plan, modelWorld({ files: world.files, fail }), 'cut')
    expect(resumed.world.applied).toEqual(['-one.b', '-one.a'])
    expect(resumed.result).toMatchObject({ outcome: 'damaged', failures: [{ code: 'damaged', step: 'three' }] })
  })

  test('names the real failure when it was undoing branches that had finished', async () => {
    const plan: Group = { ...independently('all', [step('one'), step('two')], 1), onFailure: 'undo' }
    const fail = failing(['+two.a'], () => new NetopsError('damaged', { message: 'the hash is another' }))
    const whole = await run(plan, { fail })
    const cut = killer(whole.records.length, 'before')
    await expect(carryOut(plan, modelWorld({ fail, dead: cut.dead }), 'cut', cut.observe)).rejects.toThrow(Killed)
    const resumed = await carryOut(plan, modelWorld({ fail }), 'cut')
    expect(resumed.result.failures.map(({ code }) => code)).toEqual(['damaged'])
  })

  test('says after a resume that nothing was changed when nothing was', async () => {
    const look = step('look', { act: [], undo: [] })
    const whole = await run(sequence('all', [look]))
    expect(whole.result.changed).toBe(false)
    const cut = killer(whole.records.length, 'before')
    await expect(carryOut(sequence('all', [look]), modelWorld(), 'cut', cut.observe)).rejects.toThrow(Killed)
    expect((await carryOut(sequence('all', [look]), modelWorld(), 'cut')).result.changed).toBe(false)
  })
})

describe('the outcome', () => {
  const ready = (release: string): Wait => ({
    probe: { kind: 'ready', url: 'http://127.0.0.1:8080/', unit: 'network_service', release },
    holdForMs: 1000,
    deadlineMs: 5000,
  })

  test('is done, with every step in the journal', async () => {
    const { result, records } = await run(sequence('all', [step('one'), step('two', { unchanged: true })]))
    expect(result).toEqual({ outcome: 'done', changed: true, failures: [], open: false })
    expect(types(records)).toEqual(['run', 'begin one', 'done one', 'unchanged two', 'end'])
  })

  test('is rolled-back when the undo saw the previous release healthy', async () => {
    const plan = sequence('all', [
      step('stop', { undoUntil: ready('1.0.0') }),
      step('start', { until: ready('2.0.0') }),
    ])
    const answer = (probe: { kind: string }): ProbeAnswer => {
      const old = 'release' in probe && probe.release === '1.0.0'
      return { ok: old, seen: old ? 'ready' : 'answers 503', startId: 'a' }
    }
    const { result, records } = await run(plan, { answer })
    expect(result).toMatchObject({
      outcome: 'rolled-back',
      changed: false,
      failures: [{ code: 'unhealthy', step: 'start' }],
    })
    expect(records.at(-1)).toMatchObject({ type: 'end', outcome: 'rolled-back', error: { step: 'start' } })
  })

  test('is failed when an unhealthy start was undone and nothing healthy was there before', async () => {
    const answer = (): ProbeAnswer => ({ ok: false, seen: 'answers 503' })
    const { result } = await run(sequence('all', [step('start', { until: ready('2.0.0') })]), { answer })
    expect(result.outcome).toBe('failed')
    expect(result.failures[0]?.message).toBe('not healthy on 2.0.0 within 5 s: answers 503')
  })

  test('is partly when an undo fails: it is named, and the others go on', async () => {
    const plan = sequence('all', [step('one'), step('two'), step('three')])
    const { result, world } = await run(plan, { fail: failing(['+three.a', '-two.b']) })
    expect(result).toMatchObject({ outcome: 'partly', changed: true, open: false })
    expect(result.failures.map(({ code, step }) => [code, step])).toEqual([
      ['failed', 'three'],
      ['partly', 'two'],
    ])
    expect([...world.files.keys()]).toEqual(['two.a', 'two.b'])
  })

  test.each(['unreachable', 'interrupted'] as const)(
    'stays open and undoes nothing when the run is %s',
    async (code) => {
      const plan = sequence('all', [step('one'), step('two')])
      const { result, records, world } = await run(plan, {
        fail: failing(['+two.b'], () => new NetopsError(code, { message: 'gone' })),
      })
      expect(result).toMatchObject({ outcome: code, open: true })
      expect(types(records)).toEqual(['run', 'begin one', 'done one', 'begin two', 'parked'])
      expect([...world.files.keys()]).toEqual(['one.a', 'one.b', 'two.a'])
    },
  )

  test('stays open when the host is lost while undoing, so that a resume can undo the rest', async () => {
    const plan = sequence('all', [step('one'), step('two')])
    const lost = (mark: string): void => {
      if (mark === '+two.a') throw new NetopsError('damaged', { message: 'the hash is another' })
      if (mark.startsWith('-one')) throw new NetopsError('unreachable', { message: 'gone' })
    }
    const cut = await carryOut(plan, modelWorld({ fail: lost }), 'lost')
    expect(cut.result).toMatchObject({ outcome: 'unreachable', open: true })
    expect(types(cut.records).slice(-2)).toEqual(['undoing one', 'parked'])
    const resumed = await carryOut(plan, modelWorld({ files: cut.world.files, fail: failing(['+two.a']) }), 'lost')
    expect(resumed.result).toMatchObject({ outcome: 'damaged', changed: false, open: false })
    expect([...resumed.world.files]).toEqual([])
  })
})

describe('waiting', () => {
  const held = (wait: Partial<Wait> = {}): Step =>
    step('wait', {
      until: {
        probe: { kind: 'ready', url: 'http://127.0.0.1/', unit: 'network_service', release: '2.0.0' },
        holdForMs: 10_000,
        deadlineMs: 60_000,
        ...wait,
      },
    })

  test('ends when the answer has held for as long as asked', async () => {
    const answer = (_: unknown, now: number): ProbeAnswer => ({ ok: now >= 3000, seen: 'x', startId: 'a' })
    const { result, world } = await run(held(), { answer })
    expect(result.outcome).toBe('done')
    expect(world.elapsed()).toBe(13_000)
  })

  test('starts holding again when the service was started again', async () => {
    const answer = (_: unknown, now: number): ProbeAnswer => ({ ok: true, seen: 'x', startId: now < 7000 ? 'a' : 'b' })
    const { world } = await run(held(), { answer })
    expect(world.elapsed()).toBe(17_000)
  })

  test('starts holding again after a bad answer', async () => {
    const answer = (_: unknown, now: number): ProbeAnswer => ({ ok: now !== 5000, seen: 'x', startId: 'a' })
    const { world } = await run(held(), { answer })
    expect(world.elapsed()).toBe(16_000)
  })

  test('lets a good streak that began in time hold past the deadline', async () => {
    const answer = (_: unknown, now: number): ProbeAnswer => ({ ok: now >= 55_000, seen: 'x', startId: 'a' })
    const { result, world } = await run(held(), { answer })
    expect(result.outcome).toBe('done')
    expect(world.elapsed()).toBe(65_000)
  })

  test('fails at the deadline', async () => {
    const { result, world } = await run(held(), { answer: () => ({ ok: false, seen: 'answers 503' }) })
    expect(world.elapsed()).toBe(60_000)
    expect(result.failures[0]).toMatchObject({
      code: 'unhealthy',
      message: 'not healthy on 2.0.0 within 60 s: answers 503',
    })
  })

  test('fails soon after the deadline when each answer comes from another start', async () => {
    const answer = (_: unknown, now: number): ProbeAnswer => {
      if (now > 600_000) throw new Error('it waits for ever')
      return { ok: true, seen: 'ready', startId: String(now) }
    }
    const { result, world } = await run(held(), { answer })
    expect(result.failures[0]?.code).toBe('unhealthy')
    expect(world.elapsed()).toBeLessThanOrEqual(62_000)
  })

  test('ends at once when waiting cannot help', async () => {
    const { result, world } = await run(held(), { answer: () => ({ ok: false, hopeless: true, seen: 'crashed' }) })
    expect(world.elapsed()).toBe(0)
    expect(result.failures[0]?.message).toBe('not healthy on 2.0.0: crashed')
  })
})
