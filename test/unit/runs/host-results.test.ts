import { expect, test } from 'vitest'
import { planHash } from '../../../src/engine/journal.ts'
import type { JournalEntry } from '../../../src/model/journal.ts'
import { independently } from '../../../src/model/plan.ts'
import { hostResults } from '../../../src/runs/host-results.ts'
import { recordsOf } from '../../support/fleet-story.ts'
import { step } from '../../support/model-world.ts'

const plan = independently(
  'all',
  ['web1', 'web2', 'web3'].map((host) => step(`${host}/one`, { host })),
  3,
)
const start: JournalEntry = {
  type: 'run',
  run: 'r',
  procedure: 'test',
  by: 'test',
  input: null,
  facts: null,
  plan,
  planSha256: planHash(plan),
}
const done = (host: string): JournalEntry => ({ type: 'done', step: `${host}/one`, changed: true })

test('in a run that goes back, a host that nothing is left of is done, and one that was not reached is named', () => {
  const records = recordsOf([
    ...[start, done('web1'), done('web2')],
    { type: 'undo', by: 'test', pid: 1 },
    { type: 'undone', step: 'web1/one' },
  ])
  const lost = { code: 'unreachable', host: 'web2', message: 'no answer' } as const
  const result = { outcome: 'unreachable', changed: true, failures: [lost], open: true } as const
  expect(hostResults({ result, records }, ['web1', 'web2', 'web3'])).toEqual([
    { host: 'web1', outcome: 'done', exit: 0, changed: false },
    { host: 'web2', outcome: 'unreachable', exit: 4, changed: false, message: 'no answer' },
    { host: 'web3', outcome: 'done', exit: 0, changed: false },
  ])
})

test('a host that is still to be taken back, though nobody said why, is not done', () => {
  const records = recordsOf([start, done('web1'), { type: 'undo', by: 'test', pid: 1 }])
  const result = { outcome: 'interrupted', changed: true, failures: [], open: true } as const
  expect(hostResults({ result, records }, ['web1'])).toMatchObject([{ outcome: 'failed' }])
})
