import { describe, expect, test } from 'vitest'
import { advance, unknownRun, type RunView } from '../../../../../src/cli/present/progress/state.ts'
import { planHash } from '../../../../../src/engine/journal.ts'
import type { JournalEntry, JournalRecord } from '../../../../../src/model/journal.ts'
import { independently, operatorHost, sequence, type Plan } from '../../../../../src/model/plan.ts'
import { deploymentOf, recordsOf } from '../../../../support/fleet-story.ts'
import { step } from '../../../../support/model-world.ts'

const run = (plan: Plan): JournalEntry => ({
  type: 'run',
  run: 'r1',
  procedure: 'test',
  by: 'test',
  input: null,
  facts: null,
  plan,
  planSha256: planHash(plan),
})
const viewOf = (entries: readonly JournalEntry[]): RunView => recordsOf(entries).reduce(advance, unknownRun)
const states = (entries: readonly JournalEntry[]): unknown =>
  Object.fromEntries(
    viewOf(entries)
      .hosts.values()
      .map(({ name, state }) => [name, state]),
  )

const on = (host: string, ids: readonly string[]) =>
  sequence(
    host,
    ids.map((id) => step(`${host}/${id}`, { host })),
  )
const plan = independently('all', [on('a', ['one', 'two']), on('b', ['one'])], 2)
const begin = (id: string): JournalEntry => ({ type: 'begin', step: id })
const done = (id: string, changed = true): JournalEntry => ({ type: 'done', step: id, changed })
const unchanged = (id: string): JournalEntry => ({ type: 'unchanged', step: id })
const failed = (id: string, code: 'failed' | 'rolled-back' = 'failed'): JournalEntry => ({
  type: 'failed',
  step: id,
  error: { code, message: `${id} broke` },
})
const undone = (id: string): JournalEntry[] => [
  { type: 'undoing', step: id },
  { type: 'undone', step: id },
]
const end = (outcome: 'done' | 'failed' | 'rolled-back'): JournalEntry => ({ type: 'end', outcome, changed: false })

describe('the state of a run', () => {
  const cases: readonly (readonly [string, readonly JournalEntry[], { a: string; b: string }])[] = [
    ['nothing begun', [], { a: 'waiting', b: 'waiting' }],
    ['a step at work', [begin('a/one')], { a: 'working', b: 'waiting' }],
    ['between two steps', [begin('a/one'), done('a/one')], { a: 'working', b: 'waiting' }],
    [
      'all steps of a host done',
      [begin('a/one'), done('a/one'), begin('a/two'), done('a/two', false)],
      { a: 'done', b: 'waiting' },
    ],
    ['nothing to do', [unchanged('a/one'), unchanged('a/two')], { a: 'unchanged', b: 'waiting' }],
    ['work that changed nothing', [begin('b/one'), done('b/one', false)], { a: 'waiting', b: 'unchanged' }],
    ['a failure', [begin('a/one'), failed('a/one')], { a: 'failed', b: 'waiting' }],
    [
      'a failure by the name of its end',
      [begin('b/one'), failed('b/one', 'rolled-back')],
      { a: 'waiting', b: 'rolled-back' },
    ],
    [
      'an undo at work',
      [begin('a/one'), done('a/one'), begin('a/two'), failed('a/two'), ...undone('a/two')],
      { a: 'undoing', b: 'waiting' },
    ],
    [
      'an undo that is over',
      [begin('a/one'), done('a/one'), begin('a/two'), failed('a/two'), ...undone('a/two'), ...undone('a/one')],
      { a: 'undone', b: 'waiting' },
    ],
    [
      'an undo that failed',
      [
        begin('b/one'),
        failed('b/one'),
        { type: 'undoing', step: 'b/one' },
        { ...failed('b/one'), type: 'undo-failed' } as JournalEntry,
      ],
      { a: 'waiting', b: 'failed' },
    ],
    [
      'an end with hosts in the middle and untouched',
      [begin('a/one'), done('a/one'), end('failed')],
      { a: 'unfinished', b: 'not-begun' },
    ],
    [
      'an end that says that all is healthy as before',
      [begin('b/one'), failed('b/one'), ...undone('b/one'), end('rolled-back')],
      { a: 'not-begun', b: 'rolled-back' },
    ],
    [
      'going on after that',
      [begin('a/one'), done('a/one'), end('failed'), { type: 'resumed', by: 'test', pid: 1 }],
      { a: 'working', b: 'waiting' },
    ],
  ]
  test.each(cases)('tells %s', (_, entries, expected) => {
    expect(states([run(plan), ...entries])).toEqual(expected)
  })

  test('undoes no further than the last step that commits', () => {
    const committing = sequence('all', [step('one', { commits: true }), step('two'), step('three')])
    const ran = [begin('one'), done('one'), begin('two'), done('two'), begin('three'), failed('three')]
    expect(states([run(committing), ...ran, ...undone('three'), ...undone('two')])).toEqual({ web1: 'undone' })
  })

  test('takes a host whose part has ended well as done only when its own steps are', () => {
    const story = deploymentOf(['web1'])
    const entries = [story.start, ...story.to('web1')]
    // Without the end of the step that started the part, and of giving the host back.
    expect(states(entries.slice(0, -3))).toEqual({ web1: 'working' })
    expect(states(entries)).toEqual({ web1: 'done' })
  })

  test('keeps the reason that the host itself gave, and the times of the journal', () => {
    const story = deploymentOf(['web1'])
    const view = viewOf([story.start, ...story.undoing('web1'), ...story.rolledBack('web1')])
    expect(view.hosts.get('web1')).toMatchObject({
      state: 'rolled-back',
      reason: expect.stringContaining('answers 503') as string,
      since: Date.parse('2026-11-23T10:00:01Z'),
    })
  })

  test('is not disturbed by records of kinds and steps that it does not know', () => {
    const before = viewOf([run(plan), begin('a/one')])
    const [foreign] = recordsOf([{ type: 'from-the-future', step: 'a/one' } as unknown as JournalEntry])
    const inside = { type: 'relayed', step: 'a/one', record: foreign } as unknown as JournalEntry
    const strange = [
      foreign,
      ...recordsOf([inside, begin('z/one'), { type: 'from-the-future' } as unknown as JournalEntry]),
    ]
    for (const record of strange as JournalRecord[]) expect(advance(before, record)).toEqual(before)
  })

  test('says beside the step of a host how far its work is', () => {
    const { hosts } = viewOf([run(plan), begin('a/one'), { type: 'progress', step: 'a/one', done: 1200, of: 5000 }])
    expect(hosts.get('a')).toMatchObject({ state: 'working', phase: 'Do a/one (1200 of 5000)' })
  })

  test('knows a pause between batches as no host, while it lasts', () => {
    const paused = independently('all', [on('a', ['one']), step('pause', { host: operatorHost }), on('b', ['one'])], 2)
    const entries = [run(paused), begin('a/one'), done('a/one'), begin('pause')]
    expect(viewOf(entries)).toMatchObject({ betweenNow: { title: 'Do pause' }, nameWidth: 1 })
    expect(states(entries)).toEqual({ a: 'done', b: 'waiting' })
    expect(viewOf([...entries, done('pause')]).betweenNow).toBeUndefined()
  })
})
