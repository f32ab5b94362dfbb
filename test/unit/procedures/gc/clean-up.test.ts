import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { HostReader } from '../../../../src/drivers/hosts/port.ts'
import type { CleanUpRequest } from '../../../../src/procedures/gc/request.ts'
import {
  planCleanUp,
  readCleanUpFacts,
  type CleanUpFacts,
  type OldRun,
} from '../../../../src/procedures/gc/clean-up.ts'
import { bodyOf } from '../../../../src/engine/steps.ts'

const day = 86_400_000
const now = 1000 * day

const order: CleanUpRequest = {
  procedure: 'gc',
  run: 'now.web1',
  host: 'web1',
  root: '/',
  manager: 'systemd',
  netops: '/opt/network_system/netops/new/netops',
  olderThanMs: 30 * day,
  keepRuns: 1,
}
const facts = (changes: Partial<CleanUpFacts> = {}): CleanUpFacts => ({
  now,
  runs: [],
  incoming: [],
  builds: ['new'],
  emptyBuilds: [],
  linked: 'new',
  litter: [],
  ...changes,
})
const ran = (run: string, daysAgo: number, changes: Partial<OldRun> = {}): OldRun => ({
  run,
  at: now - daysAgo * day,
  over: true,
  netops: 'new',
  ...changes,
})
const removed = (found: CleanUpFacts, wanted = order): string[] =>
  bodyOf(planCleanUp(wanted, found)).flatMap(({ act }) =>
    act.flatMap((effect) => (effect.kind === 'work' ? (effect.input as { paths: string[] }).paths : [effect.kind])),
  )
const runs = '/var/lib/netops/runs'
const [gone, half] = ['20261101T000000Z-deploy-0001.web1', '20261101T000000Z-tune-revert-0002.web1']

describe('cleaning up', () => {
  test('finds nothing to do where nothing is old', () => {
    const plan = planCleanUp(order, facts({ runs: [ran('a', 1), ran('now.web1', 0, { over: false })] }))
    expect(bodyOf(plan).every(({ unchanged }) => unchanged)).toBe(true)
  })

  test.each<[string, CleanUpFacts, string[]]>([
    ['runs that ended long ago', facts({ runs: [ran('new', 2), ran('old', 31)] }), [`${runs}/old`]],
    [
      'runs in the order in which the host counted them',
      facts({ runs: [ran('newest', 40, { sequence: 3 }), ran('old', 31, { sequence: 2 })] }),
      [`${runs}/old`],
    ],
    [
      'runs that ended by a clock that was ahead, once those after them are old',
      facts({
        runs: [ran('new', 1, { sequence: 4 }), ran('next', 31, { sequence: 3 }), ran('ahead', -400, { sequence: 2 })],
      }),
      [`${runs}/next`, `${runs}/ahead`],
    ],
    [
      'no run before one whose clock was behind',
      facts({
        runs: [ran('new', 1, { sequence: 4 }), ran('behind', 20000, { sequence: 3 }), ran('young', 2, { sequence: 2 })],
      }),
      [`${runs}/behind`],
    ],
    [
      'half-written files of a clock that was far ahead',
      facts({
        litter: [
          { path: '/opt/network_system/releases/.x.netops-new', at: now + 2 * day },
          { path: '/opt/network_system/releases/.y.netops-new', at: now + 1000 },
        ],
      }),
      ['/opt/network_system/releases/.x.netops-new'],
    ],
    ['no run that is younger than was asked', facts({ runs: [ran('new', 2), ran('old', 29)] }), []],
    ['not the newest runs, however old', facts({ runs: [ran('newest', 40), ran('old', 50)] }), [`${runs}/old`]],
    ['no run that has not ended', facts({ runs: [ran('new', 2), ran('half', 90, { over: false })] }), []],
    [
      'no run whose journal it does not understand',
      facts({ runs: [ran('new', 2), ran('odd', 0, { over: false, at: undefined })] }),
      [],
    ],
    [
      'netops builds that nothing needs, of those that carried out runs',
      facts({
        builds: ['new', 'older', 'oldest', 'theirs', 'empty'],
        emptyBuilds: ['empty'],
        linked: 'older',
        runs: [ran('ended', 2, { netops: 'oldest' })],
      }),
      ['/opt/network_system/netops/oldest', '/opt/network_system/netops/empty'],
    ],
    [
      'no netops build that an open run would need',
      facts({ builds: ['new', 'older'], runs: [ran('half', 90, { over: false, netops: 'older' })] }),
      [],
    ],
    [
      'what was left half written more than a day ago',
      facts({
        litter: [
          { path: '/a/.x.netops-new', at: now - 2 * day },
          { path: '/b/.y.netops-new', at: now },
        ],
      }),
      ['/a/.x.netops-new'],
    ],
    [
      'what was pushed for runs that are over, not for open ones',
      facts({
        runs: [ran(half, 3, { over: false })],
        incoming: [
          { run: gone, at: now - 2 * day },
          { run: half, at: now - 3 * day },
          { run: 'theirs', at: now - 90 * day },
        ],
      }),
      [`/opt/network_system/incoming/${gone}`],
    ],
  ])('removes %s', (_, found, expected) => {
    expect(removed(found)).toEqual(expected)
  })

  test('says what it leaves because no record names it, also where nothing else is to be done', () => {
    const found = facts({ builds: ['new', 'theirs'], incoming: [{ run: 'a-link', at: now - 2 * day }] })
    expect(removed(found)).toEqual([])
    const steps = bodyOf(planCleanUp(order, found))
    expect(steps.map(({ title, unchanged }) => [title, unchanged])).toEqual([
      ['Remove 0 old runs', true],
      [expect.stringMatching(/no record of netops names it: theirs\)$/), undefined],
      [expect.stringMatching(/no record of netops names it: a-link\)$/), undefined],
    ])
  })

  test('never removes the build that carries it out, or its own run', () => {
    const found = facts({ builds: ['new'], linked: undefined, runs: [ran('now.web1', 90)] })
    expect(removed(found, { ...order, keepRuns: 0, olderThanMs: 0 })).toEqual([])
  })
})

test('what a push leaves when it breaks off is known as half written', async () => {
  const left = ['', '.part', '-r1', '-r1.part'].map((end) => `.netops.netops-new${end}`)
  const nothing = () => Promise.resolve(undefined)
  const reader: HostReader = {
    name: 'web1',
    readText: nothing,
    readLink: nothing,
    sha256: nothing,
    list: () => Promise.resolve([]),
    exists: () => Promise.resolve(false),
    query([command, , folder]) {
      const names = command === 'find' && folder?.endsWith('/netops') === true ? [...left, 'netops', '.netops'] : []
      const stdout = names.map((name) => `1.5 ${folder ?? ''}/abc/${name}\0`).join('')
      return Promise.resolve({ code: 0, stdout, stderr: '' })
    },
  }
  const { litter } = await readCleanUpFacts(reader, order)
  expect(litter.map(({ path }) => basename(path))).toEqual(expect.arrayContaining(left))
  expect(litter.every(({ path }) => left.includes(basename(path)))).toBe(true)
})

test('a host counts ages from when the operator looked, so that it does what was shown', async () => {
  const silent = () => Promise.resolve({ code: 0, stdout: '', stderr: '' })
  const nothing = () => Promise.resolve(undefined)
  const reader: HostReader = {
    name: 'web1',
    readText: nothing,
    readLink: nothing,
    sha256: nothing,
    list: () => Promise.resolve([]),
    exists: () => Promise.resolve(false),
    query: silent,
  }
  expect((await readCleanUpFacts(reader, { ...order, lookedAt: now })).now).toBe(now)
})
