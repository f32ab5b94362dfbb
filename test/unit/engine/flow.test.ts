// What the engine does beside steps: hooks, `always`, tolerance, the operator's stop, undo, a changed plan.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { unstoppable, type Control } from '../../../src/engine/halt.ts'
import { begin, Journal, journalPath, runState } from '../../../src/engine/journal.ts'
import { runPlan, undoableOf, undoRun, type RunResult } from '../../../src/engine/run.ts'
import { NetopsError } from '../../../src/model/errors.ts'
import type { Hooks, JournalRecord } from '../../../src/model/journal.ts'
import { allOrNone, independently, sequence, type Group, type Plan } from '../../../src/model/plan.ts'
import { modelWorld, step, type ModelWorld, type Script } from '../../support/model-world.ts'
import { quickFolder } from '../../support/scratch.ts'

let runs: string
beforeEach(async () => {
  runs = await quickFolder('flow')
})
afterEach(() => rm(runs, { recursive: true, force: true, maxRetries: 3 }))

interface Told {
  readonly result: RunResult
  readonly records: readonly JournalRecord[]
  readonly world: ModelWorld
}

interface Call extends Script {
  readonly hooks?: Hooks
  readonly control?: Control
  readonly direction?: 'back'
}

/** Begins the run, or goes on with it where it has begun. */
async function run(plan: Plan, { hooks, control = unstoppable, direction, ...script }: Call = {}): Promise<Told> {
  const world = modelWorld(script)
  const journal = await Journal.open(runs, 'r', { now: () => new Date(0), observe: () => undefined })
  try {
    if (journal.records.length === 0) {
      begin(journal, { run: 'r', procedure: 'test', by: 'test', input: { hosts: 1 }, facts: null, plan, hooks })
    } else if (direction === undefined) journal.append({ type: 'resumed', by: 'test', pid: 1 })
    const result = await (direction === 'back' ? undoRun : runPlan)(journal, world, control)
    return { result, records: [...journal.records], world }
  } finally {
    journal.close()
  }
}

const failing = (marks: readonly string[], error?: () => Error) => ({
  fail: (mark: string) => {
    if (marks.includes(mark)) throw error?.() ?? new Error(`${mark} does not work`)
  },
})
const pressing = (mark: string, ...keys: ('stop' | 'undo')[]): Pick<Call, 'control' | 'watch'> => {
  const controllers = { stop: new AbortController(), undo: new AbortController() }
  return {
    control: { stop: controllers.stop.signal, undo: controllers.undo.signal },
    watch: (applied) => {
      if (applied === mark) for (const key of keys) controllers[key].abort()
    },
  }
}
const types = (records: readonly JournalRecord[]): string[] =>
  records.slice(1).map((record) => ('step' in record ? `${record.type} ${record.step}` : record.type))
const cleared = (id: string) => step(id, { undo: [] })

describe('hooks', () => {
  const hooks: Hooks = { pre: [['check', 'now'], ['warn']], post: [['tell']] }

  test('run before the first step and after the last, with the run as JSON on standard input', async () => {
    const documents: unknown[] = []
    const hook = (_: unknown, document: string) => void documents.push(JSON.parse(document))
    const { world, result, records } = await run(step('one'), { hooks, hook })
    expect(world.applied).toEqual(['hook check now', 'hook warn', '+one.a', '+one.b', 'hook tell'])
    expect(result.outcome).toBe('done')
    const common = { schema: 'netops/hook/v1', run: 'r', procedure: 'test', input: { hosts: 1 } }
    expect(documents).toMatchObject([
      { ...common, phase: 'pre' },
      { ...common, phase: 'pre' },
      { ...common, phase: 'post', outcome: 'done', changed: true, failures: [] },
    ])
    expect(types(records)).toEqual(['hook', 'hook', 'begin one', 'done one', 'hook', 'end'])
  })

  test('before a run end it when they fail: nothing was touched', async () => {
    const hook = (argv: readonly string[]) => {
      if (argv[0] === 'warn') throw new NetopsError('failed', { message: 'it exited with 3: not today' })
    }
    const { world, result, records } = await run(step('one'), { hooks, hook })
    expect(world.files.size).toBe(0)
    expect(result).toMatchObject({ outcome: 'failed', changed: false, open: false })
    expect(result.failures[0]?.message).toBe('the pre hook warn failed: it exited with 3: not today')
    expect(types(records)).toEqual(['hook', 'hook', 'end'])
  })

  test('after a run that fail are told beside a success that stays one', async () => {
    const hook = (argv: readonly string[]) => {
      if (argv[0] === 'tell') throw new NetopsError('failed', { message: 'no network' })
    }
    const { world, result } = await run(step('one'), { hooks, hook })
    expect(world.files.size).toBe(2)
    expect(result).toMatchObject({ outcome: 'partly', changed: true })
    expect(result.failures.map(({ message }) => message)).toEqual(['the post hook tell failed: no network'])
  })

  test('that ran are not run again by a resume', async () => {
    const lost = failing(['+one.b'], () => new NetopsError('unreachable', { message: 'gone' }))
    expect((await run(step('one'), { hooks, ...lost })).result.open).toBe(true)
    const { world, result } = await run(step('one'), { hooks })
    expect(world.applied).toEqual(['+one.a', '+one.b', 'hook tell'])
    expect(result.outcome).toBe('done')
  })
})

describe('always', () => {
  const plan = (): Plan => ({ ...sequence('all', [step('one'), step('two')]), always: [cleared('readmit')] })

  test('runs after the members, also when one of them failed and was undone', async () => {
    const { world, result } = await run(plan(), failing(['+two.a']))
    expect(world.applied.slice(-4)).toEqual(['-one.b', '-one.a', '+readmit.a', '+readmit.b'])
    expect(result.outcome).toBe('failed')
  })

  test('that fails is told, and what was done stays done', async () => {
    const { world, result } = await run(plan(), failing(['+readmit.a']))
    expect(result).toMatchObject({ outcome: 'partly', changed: true })
    expect([...world.files.keys()]).toEqual(['one.a', 'one.b', 'two.a', 'two.b'])
  })

  test('runs when the operator stops the run, and again after what a resume does', async () => {
    const stopped = await run(plan(), pressing('+one.a', 'stop'))
    expect(stopped.world.applied).toEqual(['+one.a', '+one.b', '+readmit.a', '+readmit.b'])
    expect(stopped.result).toMatchObject({ outcome: 'interrupted', open: true })
    const resumed = await run(plan())
    expect(resumed.world.applied).toEqual(['+two.a', '+two.b', '+readmit.a', '+readmit.b'])
    expect(resumed.result).toMatchObject({ outcome: 'done', open: false })
  })

  test('makes a resume do again what it had taken back', async () => {
    const drained: Plan = {
      ...sequence('all', [step('drain', { transient: true, undo: [] }), step('one'), step('two')]),
      always: [cleared('readmit')],
    }
    await run(drained, pressing('+one.a', 'stop'))
    const { world } = await run(drained)
    expect(world.applied).toEqual([...['+drain.a', '+drain.b', '+two.a', '+two.b'], ...['+readmit.a', '+readmit.b']])
  })

  test('is as far below as a group stands: what faded there is done again before its work goes on', async () => {
    const inner: Group = {
      ...sequence('host', [step('drain', { transient: true, undo: [] }), step('one'), step('two')]),
      always: [cleared('readmit')],
    }
    const plan = sequence('all', [sequence('hosts', [inner])])
    const { world } = await run(plan, pressing('+one.a', 'stop'))
    expect(world.applied).toContain('+readmit.a')
    const resumed = await run(plan, { files: world.files })
    expect(resumed.world.applied.filter((mark) => mark.endsWith('.a'))).toEqual(['+drain.a', '+two.a', '+readmit.a'])
  })

  test('stands around an undo of what had ended: drained, undone, readmitted', async () => {
    const drained: Plan = {
      ...sequence('all', [step('drain', { transient: true, undo: [] }), step('one')]),
      always: [cleared('readmit')],
    }
    const before = await run(drained)
    const { world } = await run(drained, { direction: 'back', files: before.world.files })
    expect(world.applied).toEqual(['+drain.a', '+drain.b', '-one.b', '-one.a', '+readmit.a', '+readmit.b'])
  })
})

describe('tolerance', () => {
  const host = (name: string) => sequence(name, [step(`${name}/one`), step(`${name}/two`)])
  const batch = (maxFailures: number): Plan => ({
    ...independently('hosts', [host('a'), host('b'), host('c'), host('d')], 1),
    maxFailures,
  })

  test('lets so many members fail, then begins no other; those that finished are kept', async () => {
    const bad = failing(['+a/two.a', '+b/two.a'])
    const { world, result } = await run(batch(1), bad)
    expect([...world.files.keys()]).toEqual([])
    expect(world.applied.some((mark) => mark.includes('c/'))).toBe(false)
    expect(result.failures).toHaveLength(2)
  })

  test('below its bound goes on, and says in the end that it is only partly done', async () => {
    const { world, result } = await run(batch(1), failing(['+a/two.a']))
    expect([...world.files.keys()].filter((path) => path.endsWith('two.b'))).toEqual(['b/two.b', 'c/two.b', 'd/two.b'])
    expect(result).toMatchObject({ outcome: 'partly', changed: true })
  })
})

describe('all or none side by side', () => {
  test('stops the others after their step when one fails, and takes all back', async () => {
    const long = sequence(
      'long',
      Array.from({ length: 20 }, (_, index) => step(`l${index}`)),
    )
    const plan = allOrNone('all', [sequence('short', [step('s1')]), long], 2)
    const { world, result } = await run(plan, failing(['+s1.a']))
    expect([...world.files]).toEqual([])
    expect(world.applied.some((mark) => mark.startsWith('+l19'))).toBe(false)
    expect(result.outcome).toBe('failed')
  })
})

describe("the operator's stop", () => {
  const plan = sequence('all', [step('one'), step('two'), step('three')])

  test('ends the run after its current step, ready to be resumed', async () => {
    const { world, result, records } = await run(plan, pressing('+two.a', 'stop'))
    expect(types(records).slice(-2)).toEqual(['done two', 'parked'])
    expect(result).toMatchObject({ outcome: 'interrupted', open: true })
    expect(result.failures[0]?.message).toBe('stopped by the operator before "Do three"')
    const resumed = await run(plan, { files: world.files })
    expect(resumed.world.applied).toEqual(['+three.a', '+three.b'])
  })

  test('does not wait for what a step waits for', async () => {
    const waiting = step('two', {
      until: {
        probe: { kind: 'ready', url: 'http://x/', unit: 'u', release: 'r' },
        holdForMs: 60_000,
        deadlineMs: 120_000,
      },
    })
    const { world, result } = await run(sequence('all', [step('one'), waiting]), pressing('+two.a', 'stop'))
    expect(world.elapsed()).toBeLessThan(2000)
    expect(result.failures[0]?.message).toBe('stopped by the operator during "Do two"')
  })

  test('given twice takes back what was done, and that is the end', async () => {
    const { world, result, records } = await run(plan, pressing('+two.a', 'stop', 'undo'))
    expect([...world.files]).toEqual([])
    expect(result).toMatchObject({ outcome: 'interrupted', changed: false, open: false })
    expect(records.at(-1)).toMatchObject({ type: 'end', outcome: 'interrupted', undone: true })
    expect(runState(records)).toMatchObject({ direction: 'back' })
  })

  test('given twice takes back also what had stopped at the first', async () => {
    const [stop, undo] = [new AbortController(), new AbortController()]
    const act = ['a', 'b', 'c', 'd', 'e'].map(
      (name) => ({ kind: 'write', path: `long.${name}`, content: 'new', mode: '0644' }) as const,
    )
    const takenBack = act.map(({ path }) => ({ kind: 'remove' as const, path }))
    const quick = sequence('quick', [step('short'), step('next')])
    const { world, result, records } = await run(
      independently('all', [quick, step('long', { act, undo: takenBack })], 2),
      {
        control: { stop: stop.signal, undo: undo.signal },
        watch: (applied) => {
          if (applied === '+short.a') stop.abort()
          // By now the other has stopped.
          if (applied === '+long.e') undo.abort()
        },
      },
    )
    expect(types(records)).toEqual(expect.arrayContaining(['done short', 'done long']))
    expect(world.applied).not.toContain('+next.a')
    expect([...world.files]).toEqual([])
    expect(result).toMatchObject({ outcome: 'interrupted', changed: false, open: false })
  })

  test('given twice keeps what committed, and says so', async () => {
    const committing = sequence('all', [step('one', { commits: true }), step('two'), step('three')])
    const { world, result } = await run(committing, pressing('+two.a', 'stop', 'undo'))
    expect([...world.files.keys()]).toEqual(['one.a', 'one.b'])
    expect(result).toMatchObject({ outcome: 'partly', changed: true, open: false })
  })
})

describe('undoing a run that has ended', () => {
  test('names every host that it does not reach, and takes back the others', async () => {
    const plan: Group = {
      ...independently(
        'all',
        ['a', 'b', 'c'].map((host) => step(host, { host })),
        3,
      ),
      onLost: 'park',
    }
    const done = await run(plan)
    const lost = { resumable: true, message: 'no answer' }
    const { world, result } = await run(plan, {
      files: done.world.files,
      direction: 'back',
      ...failing(['-a.b', '-c.b'], () => new NetopsError('unreachable', lost)),
    })
    expect([...world.files.keys()].sort()).toEqual(['a.a', 'a.b', 'c.a', 'c.b'])
    expect(result).toMatchObject({ outcome: 'unreachable', open: true })
    expect(result.failures.map(({ host }) => host).sort()).toEqual(['a', 'c'])
  })

  test('applies the undo effects that its journal holds, last step first', async () => {
    const before = new Map([['one.a', 'old']])
    const plan = sequence('all', [step('one', { before }), step('two')])
    const { world, records } = await run(plan, { files: before })
    const [start] = records
    expect(start?.type === 'run' && undoableOf(records, start)).toEqual({
      steps: ['Do two', 'Do one'],
      committed: undefined,
    })
    const undone = await run(plan, { files: world.files, direction: 'back' })
    expect([...undone.world.files]).toEqual([['one.a', 'old']])
    expect(undone.result).toMatchObject({ outcome: 'done', changed: false })
  })

  test('is refused past a step that committed', async () => {
    const plan = sequence('all', [step('one'), step('two', { commits: true })])
    await run(plan)
    await expect(run(plan, { direction: 'back' })).rejects.toMatchObject({
      code: 'refused',
      message: 'run r can only go forward since "Do two"',
    })
  })

  test('is refused a second time', async () => {
    await run(step('one'))
    await run(step('one'), { direction: 'back' })
    await expect(run(step('one'), { direction: 'back' })).rejects.toMatchObject({ code: 'refused' })
  })

  test('names what could not be undone and undoes the rest', async () => {
    const plan = sequence('all', [step('one'), step('two')])
    const { world } = await run(plan)
    const undone = await run(plan, { files: world.files, direction: 'back', ...failing(['-two.b']) })
    expect(undone.result).toMatchObject({ outcome: 'partly', changed: true })
    expect(undone.result.failures[0]?.message).toBe('undoing "Do two" failed: -two.b does not work')
    expect([...undone.world.files.keys()]).toEqual(['two.a', 'two.b'])
  })
})

describe('a plan that is not the one that was begun', () => {
  test('is refused by a resume and by an undo, and nothing is applied', async () => {
    const plan = sequence('all', [step('one'), step('two')])
    await run(plan, pressing('+one.a', 'stop'))
    const file = journalPath(runs, 'r')
    await writeFile(file, (await readFile(file, 'utf8')).replace('"path":"two.a"', '"path":"other.a"'))
    for (const call of [{}, { direction: 'back' as const }]) {
      await expect(run(plan, call)).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringContaining('is not the one that was begun') as string,
      })
    }
  })

  test('is the same whatever the order of its fields', async () => {
    await run(step('one'), pressing('+one.a', 'stop'))
    const file = journalPath(runs, 'r')
    const [first = '', ...rest] = (await readFile(file, 'utf8')).split('\n')
    const { plan, ...record } = JSON.parse(first) as { plan: Record<string, unknown> }
    const turned = Object.fromEntries(Object.entries(plan).reverse())
    await writeFile(file, [JSON.stringify({ ...record, plan: turned }), ...rest].join('\n'))
    expect((await run(step('one'))).result.outcome).toBe('done')
  })
})
