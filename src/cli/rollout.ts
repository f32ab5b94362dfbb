// The options about how a run goes through its hosts.
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import type { BatchSize } from '../model/plan.ts'
import { duration } from '../model/units.ts'
import type { RolloutPolicy } from '../procedures/fleet-plan.ts'
import type { OptionSpec } from './command.ts'

export const rolloutOptions: readonly OptionSpec[] = [
  {
    flags: '--batch <sizes>',
    description: 'in batches of so many hosts or of a share of them, the last one again and again: 1,25%',
  },
  { flags: '--pause <duration>', description: 'wait this long between two batches' },
  { flags: '--max-unavailable <n>', description: 'on so many hosts at once (default: 10)' },
  {
    flags: '--max-failures <n>',
    description:
      'begin no other host when more than this many failed or are out of reach; as many may be so from the beginning (default: none from the beginning, then each host for itself)',
  },
]

const batchSize = /^(?:[1-9]\d{0,4}|(?:[1-9]\d?|100)%)$/

const count = (least: number) => z.coerce.number<string>().int().min(least, `expected a whole number from ${least}`)

export const rolloutSchema = {
  batch: z
    .string()
    .transform((text) => text.split(',').map((size) => size.trim()))
    .refine((sizes) => sizes.every((size) => batchSize.test(size)), 'expected sizes such as 1,25%')
    .transform((sizes) => sizes.map((size): BatchSize => (size.endsWith('%') ? (size as `${number}%`) : Number(size))))
    .optional(),
  pause: duration.optional(),
  maxUnavailable: count(1).optional(),
  maxFailures: count(0).optional(),
}

type RolloutFlags = z.infer<z.ZodObject<typeof rolloutSchema>>

/** @throws NetopsError `usage` for a pause that would never come */
export function policyOf({ batch, pause, maxUnavailable, maxFailures }: RolloutFlags): RolloutPolicy {
  if (pause !== undefined && batch === undefined) {
    throw new NetopsError('usage', {
      message: '--pause: expected only together with --batch',
      hint: 'say how many hosts a batch has: --batch 1,25%',
    })
  }
  return { batches: batch, pauseMs: pause, maxUnavailable, maxFailures }
}
