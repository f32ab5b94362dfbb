import { expect, test } from 'vitest'
import { parseOptions } from '../../../src/cli/options.ts'
import { policyOf, rolloutSchema } from '../../../src/cli/rollout.ts'
import * as z from 'zod'

const policy = (options: Readonly<Record<string, string>>) => policyOf(parseOptions(z.object(rolloutSchema), options))

test('batches, pauses and budgets are read from their options', () => {
  expect(policy({ batch: '1, 25%', pause: '2m', maxUnavailable: '3', maxFailures: '0' })).toEqual({
    batches: [1, '25%'],
    pauseMs: 120_000,
    maxUnavailable: 3,
    maxFailures: 0,
  })
  expect(policy({})).toEqual({})
})

test.each([
  [{ batch: '0' }, /--batch: expected sizes such as 1,25%/],
  [{ batch: '101%' }, /--batch: expected sizes such as 1,25%/],
  [{ batch: '' }, /--batch: expected sizes such as 1,25%/],
  [{ maxUnavailable: '0' }, /--max-unavailable: expected a whole number from 1/],
  [{ maxFailures: '-1' }, /--max-failures: expected a whole number from 0/],
  [{ pause: '2m' }, /--pause: expected only together with --batch/],
  [{ batch: '1', pause: 'soon' }, /--pause: /],
])('%o is refused', (options, message) => {
  expect(() => policy(options)).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringMatching(message) as string }),
  )
})
