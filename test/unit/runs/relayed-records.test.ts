import { expect, test } from 'vitest'
import type { JournalRecord } from '../../../src/model/journal.ts'
import { advance, unknownRun } from '../../../src/cli/present/progress/state.ts'
import { longestRecord, RelayedRecords } from '../../../src/runs/relayed-records.ts'
import { sequence, type Plan } from '../../../src/model/plan.ts'
import { deploymentOf, recordsOf } from '../../support/fleet-story.ts'
import { step } from '../../support/model-world.ts'

const run = '20261123T104501Z-deploy-3f9a.web1'
const at = '2026-11-23T10:45:01.000Z'
const planOf = (host: string): Plan => sequence('activate', [step('stop', { host })])

interface Said {
  readonly type: string
  readonly seq?: number
  readonly [field: string]: unknown
}
const line = ({ seq = 1, ...said }: Said): string => JSON.stringify({ netops: 1, seq, at, ...said })
const begun = (of: string, host: string): string =>
  line({
    type: 'run',
    run: of,
    procedure: 'activate',
    by: 'x',
    input: {},
    facts: {},
    plan: planOf(host),
    planSha256: 'x',
  })
const reader = (from = 1) => new RelayedRecords({ host: 'web1', run, from })

test('the records of the run that was asked for are read in their order; what a login shell says before is passed over', () => {
  const records = reader()
  const said = ['Welcome!', begun(run, 'web1'), line({ seq: 2, type: 'begin', step: 'stop' })]
  expect(said.map((one) => records.read(one)?.type)).toEqual([undefined, 'run', 'begin'])
})

test.each([
  ['another run', [begun('20261123T104501Z-deploy-3f9a.web2', 'web1')], 'record 1 is of another run'],
  ['another host', [begun(run, 'web2')], 'record 1 has steps on other hosts'],
  [
    'a step that is not its own',
    [begun(run, 'web1'), line({ seq: 2, type: 'begin', step: 'web2/activate' })],
    'a step that its plan does not have',
  ],
  ['a record once more', [begun(run, 'web1'), begun(run, 'web1')], 'record 2 is numbered 1'],
  [
    'the run anew',
    [begun(run, 'web1'), begun(run, 'web1').replace('"seq":1', '"seq":2')],
    'record 2 begins the run anew',
  ],
  ['a hook', [line({ type: 'hook', phase: 'pre', argv: ['x'], outcome: 'done' })], 'about a hook'],
  ['what is no record', ['{"netops":1,"type":"\u001b[2J"}'], 'record 1 is none that this netops understands'],
  [
    'a failure of a megabyte',
    [begun(run, 'web1'), line({ seq: 2, type: 'parked', error: { code: 'failed', message: 'x'.repeat(2 ** 20) } })],
    'of at most 65536',
  ],
])('a host that tells of %s is not believed', (_, said, reason) => {
  const records = reader()
  expect(() => said.map((one) => records.read(one))).toThrow(
    expect.objectContaining({ code: 'damaged', host: 'web1', message: expect.stringContaining(reason) as string }),
  )
})

test('a host that goes on for ever is cut off', () => {
  const records = reader()
  const banner = 'x'.repeat(longestRecord)
  expect(() => Array.from({ length: 100 }, () => records.read(banner))).toThrow(/not to be trusted/)
})

test('a forged record in a journal makes no row of a host that is not in the run, and ends no step of another', () => {
  const story = deploymentOf(['web1', 'web2'])
  const own = recordsOf([story.start])
  const relayed = (record: object): JournalRecord =>
    ({ netops: 1, seq: 2, at, type: 'relayed', step: 'web1/activate', record }) as JournalRecord
  const forged = [
    relayed(JSON.parse(begun(run, 'web9')) as object),
    relayed(JSON.parse(begun(run, 'web2')) as object),
    relayed(
      JSON.parse(line({ seq: 2, type: 'failed', step: 'stop', error: { code: 'failed', message: 'x' } })) as object,
    ),
  ]
  const before = own.reduce(advance, unknownRun)
  const after = forged.reduce(advance, before)
  const seen = (view: typeof after) => view.hosts.values().map(({ name, state, reason }) => ({ name, state, reason }))
  expect(seen(after)).toEqual(seen(before))
})
