import { expect, test } from 'vitest'
import { judgeDrill } from '../../../../src/procedures/drill/work.ts'

const drilled = {
  ...{ seconds: 12.5, madeAt: '2026-11-27T02:00:00Z', stateAt: '2026-11-27T01:30:00Z', compared: 7 },
  ...{ records: { checkpoint: 3, restored: 3 }, notes: [] },
}
const objectives = { rtoMs: 14_400_000, configMs: 86_400_000, stateMs: 3_600_000 }
const at = Date.parse('2026-11-27T02:00:00Z')

test.each([
  ['all is met', drilled, objectives, at, [true, true, true]],
  ['it took too long', drilled, { ...objectives, rtoMs: 12_000 }, at, [false, true, true]],
  ['the state is too old', drilled, objectives, at + 1_800_001, [true, true, false]],
  ['both are too old', drilled, objectives, at + 86_400_001, [true, false, false]],
  ['there is no state', { ...drilled, stateAt: null, records: null }, objectives, at, [true, true, undefined]],
] as const)('says of each objective whether it was met: %s', (...story) => {
  const [, found, wanted, now, met] = story
  const judged = judgeDrill('config_20261127_020000', found, wanted, now)
  expect([judged.rto.met, judged.rpo.configuration.met, judged.rpo.state?.met]).toEqual(met)
  expect(judged.met).toBe(met.every((one) => one !== false))
})
