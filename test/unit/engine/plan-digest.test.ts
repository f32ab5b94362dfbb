import { describe, expect, test } from 'vitest'
import { digestOf, refuseOtherPlan } from '../../../src/engine/plan-digest.ts'
import { sequence, type Plan } from '../../../src/model/plan.ts'
import { step } from '../../support/model-world.ts'

const shown = sequence('p', [step('one'), step('two'), { ...step('look'), act: [], undo: [] }])
const judge = (plan: Plan, run = 'r1') => refuseOtherPlan(plan, digestOf(shown, 'r1'), { run, host: 'web1' })
const refusal = (plan: Plan): unknown => {
  try {
    judge(plan)
    return undefined
  } catch (error) {
    return error
  }
}

describe('a plan that was made on the host', () => {
  test('passes where it is the one that was shown, whatever the run is called', () => {
    judge(shown)
    const named = (run: string): Plan =>
      sequence('p', [step('one', { undo: [{ kind: 'remove', path: `/runs/${run}/x` }] })])
    refuseOtherPlan(named('r2'), digestOf(named('r1'), 'r1'), { run: 'r2', host: 'web1' })
  })

  test('passes where some of it is so already', () => {
    judge(sequence('p', [{ ...step('one'), act: [], undo: [], unchanged: true }, step('two')]))
  })

  test('passes where only what looks and waits differs', () => {
    const until = { probe: { kind: 'stopped', unit: 'x' } as const, holdForMs: 0, deadlineMs: 1 }
    judge(sequence('p', [step('one'), step('two'), { ...step('look'), act: [], undo: [], until }]))
  })

  test.each([
    ['does something else', sequence('p', [step('one', { act: [{ kind: 'remove', path: '/etc' }] }), step('two')])],
    ['would take something else back', sequence('p', [step('one'), step('two', { undo: [] })])],
    ['does more', sequence('p', [step('one'), step('two'), step('three')])],
  ])('is refused where it %s, with the step that differs', (_, plan) => {
    expect(refusal(plan)).toMatchObject({ code: 'refused', host: 'web1', exit: 7 })
    expect(String(refusal(plan))).toMatch(/"Do (one|two|three)" would do something else/)
  })
})
