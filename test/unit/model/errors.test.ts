import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errorCodes, exitCodes, joinOutcomes, locate, NetopsError, type Outcome } from '../../../src/model/errors.ts'

const host = (outcome: Outcome, changed = false) => ({ outcome, changed })

describe('the outcome over several hosts', () => {
  test('is done when there are none, or all are done', () => {
    expect(joinOutcomes([])).toBe('done')
    expect(joinOutcomes([host('done', true), host('done')])).toBe('done')
  })

  test('is the first that applies, in the documented order', async () => {
    const text = await readFile(join(import.meta.dirname, '..', '..', '..', 'docs', 'exit-codes.md'), 'utf8')
    const order = /^\*\*(.+)\*\*$/m.exec(text)?.[1]?.split(' > ').map(Number) ?? []
    // The order of docs/exit-codes.md; 9 stands beside 8.
    expect(order.filter((code) => code !== 9)).toEqual([2, 7, 6, 130, 3, 8, 5, 4, 1])
    expect(order.toSorted()).toEqual(errorCodes.map((code) => exitCodes[code].exit).toSorted())
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Outcome>('done', ...errorCodes), { minLength: 1 }), (outcomes) => {
        const present: number[] = outcomes.map((outcome) => exitCodes[outcome].exit)
        const first = order.find((code) => present.includes(code)) ?? 0
        expect(exitCodes[joinOutcomes(outcomes.map((outcome) => host(outcome)))].exit).toBe(first)
      }),
    )
  })

  test.each<[Outcome, Outcome]>([
    ['failed', 'partly'],
    ['unreachable', 'partly'],
    ['unhealthy', 'partly'],
    ['rolled-back', 'partly'],
    ['damaged', 'partly'],
    ['interrupted', 'interrupted'],
    ['locked', 'locked'],
    ['refused', 'refused'],
    ['usage', 'usage'],
  ])('with one host %s and another changed and kept is %s', (failed, joint) => {
    expect(joinOutcomes([host('done', true), host(failed)])).toBe(joint)
  })
})

describe('an error', () => {
  test('is told with the place where it happened unless it names one', () => {
    const located = locate(new NetopsError('damaged', { message: 'm', hint: 'h', host: 'web1' }), {
      host: 'web2',
      step: 's',
    })
    expect(located).toMatchObject({
      code: 'damaged',
      message: 'm',
      hint: 'h',
      host: 'web1',
      step: 's',
      resumable: false,
    })
    expect(locate('text', { host: 'web2' })).toMatchObject({
      code: 'failed',
      message: 'text',
      host: 'web2',
      cause: 'text',
    })
  })

  test('of a lost host or an operator who left can be resumed from, others cannot', () => {
    const resumable = errorCodes.filter((code) => new NetopsError(code, { message: '' }).resumable)
    expect(resumable).toEqual(['unreachable', 'interrupted'])
  })
})
