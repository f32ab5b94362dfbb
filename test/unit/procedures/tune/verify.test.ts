// What is found out about a host that is no longer as it was tuned.
import { describe, expect, test } from 'vitest'
import { hostPaths } from '../../../../src/model/paths.ts'
import type { FileState } from '../../../../src/model/tuning.ts'
import { mostOf, type TuningFacts } from '../../../../src/procedures/tune/facts.ts'
import { stillTuned } from '../../../../src/procedures/tune/plan.ts'
import { findDrift } from '../../../../src/procedures/tune/verify.ts'
import { applied, loaded, recordIn, running, tuneOrder } from '../../../support/tuning.ts'

const paths = hostPaths('/')
const tuned = applied()
const tunedUnit = loaded('1000000', '32768')

describe('what drifted', () => {
  const record = recordIn(tuned)
  const drift = (changes: Partial<TuningFacts>): string[] =>
    findDrift(tuneOrder(), record, { ...tuned, ...changes }).map(({ what, found }) => `${what}: ${found}`)
  const file = (state: FileState): Partial<TuningFacts> => ({ files: { ...tuned.files, [paths.limitsDropIn]: state } })

  test.each<[string, Partial<TuningFacts>, string[]]>([
    ['nothing', {}, []],
    [
      'a value',
      { kernel: { ...tuned.kernel, 'vm.swappiness': { value: '60', writable: true } } },
      ['vm.swappiness: 60'],
    ],
    ['a file that is gone', file({ kind: 'absent' }), [`${paths.limitsDropIn}: nothing`]],
    [
      'a file by content, mode or owner',
      file({ kind: 'file', content: 'x', mode: '0600', owner: '5:5' }),
      [`${paths.limitsDropIn}: other content, mode 0600, owner 5:5`],
    ],
    [
      'a file that is a link now',
      file({ kind: 'link', target: '/dev/null' }),
      [`${paths.limitsDropIn}: a link to /dev/null`],
    ],
    ["the unit's limits", { unit: loaded('5', '32768') }, ['LimitNOFILE of the unit: 5']],
    [
      'the running process',
      { unit: tunedUnit, service: running({ nofile: '1024', nproc: '32768' }, { 'server.worker_threads': '4' }) },
      [
        'nofile of the running service: 1024',
        'NETWORK_PERFORMANCE_CONNECTION_POOL_SIZE of the running service: nothing',
      ],
    ],
    [
      'a file that wins at the next start',
      { sysctlFiles: [{ path: '/etc/sysctl.d/99-x.conf', text: 'vm.swappiness = 60' }] },
      ['vm.swappiness: /etc/sysctl.d/99-x.conf:1 says 60 and wins'],
    ],
    [
      'a limit that wins for sessions',
      { limitsFiles: [{ path: '/etc/security/limits.d/99-x.conf', text: 'network_service - nproc 5' }] },
      ['nproc of sessions: /etc/security/limits.d/99-x.conf:1 says 5 and wins'],
    ],
  ])('is named: %s', (_, changes, expected) => {
    expect(drift(changes)).toEqual(expected)
  })
})

describe('the most that process 1 can give', () => {
  const limits =
    'Max processes             96203                96204                processes\nMax open files            1024                 20000                files\n'
  test('is its own hard limits where it lacks CAP_SYS_RESOURCE', () => {
    expect(mostOf(`CapEff:\t000001fffeffffff\n${limits}`)).toEqual({ nofile: '20000', nproc: '96204' })
  })

  test('has no bound where it has that, or where nobody knows', () => {
    expect(mostOf(`CapEff:\t000001ffffffffff\n${limits}`)).toEqual({})
    expect(mostOf(limits)).toEqual({})
    expect(
      mostOf('CapEff:\t000001fffeffffff\nMax open files            unlimited            unlimited            files\n'),
    ).toEqual({})
  })

  test('is what a running service has, without that being a drift', () => {
    const service = running(
      { nofile: '20000', nproc: '32768' },
      { 'server.worker_threads': '4', 'performance.connection_pool_size': '100' },
    )
    const facts = { ...tuned, unit: tunedUnit, service, most: { nofile: '20000' } }
    expect(findDrift(tuneOrder(), recordIn(tuned), facts)).toEqual([])
  })
})

describe('what a service still has after its tuning was taken back', () => {
  const record = recordIn(tuned)
  test.each<[string, TuningFacts['service'], string[]]>([
    [
      'all of it',
      running({ nofile: '1000000', nproc: '32768' }, { 'server.worker_threads': '4' }),
      ['nofile', 'nproc', 'server.worker_threads'],
    ],
    ['nothing, once it was restarted', running({ nofile: '1024', nproc: '96203' }), []],
    ['nothing, where it does not run', tuned.service, []],
  ])('is %s', (_, service, expected) => {
    expect(stillTuned(record, { ...tuned, unit: loaded('524288', '96203'), service })).toEqual(expected)
  })
})
