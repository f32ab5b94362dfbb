import { describe, expect, test } from 'vitest'
import type { ActivationRequest } from '../../../../src/procedures/deploy/request.ts'
import type { ProgramNeeds } from '../../../../src/model/program-needs.ts'
import { stepsOf, type Step } from '../../../../src/model/plan.ts'
import { planActivation } from '../../../../src/procedures/deploy/plan.ts'
import { listeningPorts, refuseImpossible, type ActivationFacts } from '../../../../src/procedures/deploy/facts.ts'
import { emptyHost, hashOf, input, recordOf, releaseOf, runningHost } from '../../../support/activation.ts'

const templates = {
  unit: 'unit {{user}}'.concat('{{server}}{{config}}{{dataDir}}{{logDir}}{{sockets}}'),
  tmpfiles: 'tmpfiles {{user}}',
  socket: '{{listen}} {{free}}',
}
const unit =
  'unit network_service/opt/network_system/current/network_server/etc/network_system/config.yaml/var/lib/network_system/var/log/network'
const running = (changes: Partial<ActivationFacts> = {}) => runningHost({ unit, ...changes })
const plan = (given: ActivationRequest, facts: ActivationFacts) => stepsOf(planActivation(given, facts, templates))
const stepIn = (steps: readonly Step[], id: string): Step => {
  const found = steps.find((step) => step.id === id)
  if (found === undefined) throw new Error(`there is no step ${id}`)
  return found
}
const changing = (steps: readonly Step[]): string[] => steps.filter((step) => !step.unchanged).map(({ id }) => id)
const same = input({
  release: { ...releaseOf('1.0.0', 'a'), checksConfig: true },
  config: { from: '/etc/network_system/config.yaml', sha256: hashOf('c') },
})
const onFile = { releaseSha256: hashOf('a') }
const all = [
  'check',
  'prepare',
  'backup',
  'binaries',
  'stop',
  'switch',
  'config',
  'unit',
  'start',
  'health',
  'record',
  'tidy',
]

const key = { from: '/incoming/file-0', to: '/etc/network/server.key', mode: '0600', owner: 'network_service:' }
const present = { ...runningHost().present, [key.to]: { kind: 'link', target: 'server-2026.key' } as const }

describe('an activation that places files', () => {
  const given = input({ ...same, files: [key] })

  test('restarts for them alone, checks them where they were brought, and saves what they replace before the stop', () => {
    const steps = plan(given, running({ ...onFile, present }))
    expect(changing(steps)).toEqual(['check', 'backup', 'stop', 'files', 'start', 'health', 'record', 'tidy'])
    expect(stepIn(steps, 'check').act).toEqual([
      expect.objectContaining({
        argv: expect.arrayContaining(['--instead', '/etc/network/server.key=/incoming/file-0']) as unknown,
      }),
    ])
    const saved = '/var/lib/netops/runs/run2/saved/file-0'
    expect(stepIn(steps, 'backup').act).toContainEqual({ kind: 'duplicate', from: key.to, path: saved })
    expect(stepIn(steps, 'files')).toMatchObject({
      act: [{ kind: 'copy', from: key.from, path: key.to, mode: '0600', owner: 'network_service:' }],
      undo: [{ kind: 'duplicate', from: saved, path: key.to, unlessSame: true }],
    })
  })

  test('makes the folder of a new one, and takes both away again when it is undone', () => {
    const facts = running({ ...onFile, missingFolders: ['/etc/network'] })
    expect(stepIn(plan(given, facts), 'files')).toMatchObject({
      act: [{ kind: 'directory', path: '/etc/network' }, { kind: 'copy' }],
      undo: [
        { kind: 'remove', path: key.to },
        { kind: 'remove-empty', path: '/etc/network' },
      ],
    })
    expect(changing(plan(given, facts))).not.toContain('backup')
  })

  test('says nothing of what is in them', () => {
    const steps = plan(given, running({ ...onFile, present }))
    const copies = [...stepIn(steps, 'files').act, ...stepIn(steps, 'files').undo, ...stepIn(steps, 'backup').act]
    expect(copies.length).toBeGreaterThan(2)
    for (const effect of copies) expect(effect).not.toHaveProperty('sha256')
  })
})

describe('the mark of an environment', () => {
  const given = input({ ...same, environment: 'staging' })

  test('is put where there is none, and taken away by an undo', () => {
    const step = stepIn(plan(given, running(onFile)), 'prepare')
    expect(step.act).toContainEqual(
      expect.objectContaining({ kind: 'write', path: '/etc/netops/environment', content: 'staging\n' }),
    )
    expect(step.undo).toContainEqual({ kind: 'remove', path: '/etc/netops/environment' })
    expect(changing(plan(given, running({ ...onFile, environment: 'staging' })))).toEqual(['health'])
  })

  test('must be the same', () => {
    expect(() => refuseImpossible(given, running({ ...onFile, environment: 'production' }))).toThrow(
      expect.objectContaining({ code: 'refused', message: expect.stringContaining('marked as production') as unknown }),
    )
  })
})

describe('an activation', () => {
  const stopped = { state: 'stopped', mainPid: undefined, startId: undefined, restarts: 0, since: undefined } as const
  test.each<[string, ActivationRequest, ActivationFacts, string[]]>([
    ['a first deploy', input(), emptyHost(), all.filter((id) => id !== 'stop' && id !== 'backup')],
    [
      'a second version with another configuration',
      input(),
      running(),
      all.filter((id) => id !== 'prepare' && id !== 'unit'),
    ],
    ['the same again', same, running(onFile), ['health']],
    [
      'another configuration only',
      input({ release: same.release }),
      running(onFile),
      ['check', 'backup', 'stop', 'config', 'start', 'health', 'record', 'tidy'],
    ],
    ['the same where the service is stopped', same, running({ ...onFile, service: stopped }), ['start', 'health']],
    [
      'the same where it failed',
      same,
      running({ ...onFile, service: { ...stopped, state: 'failed' } }),
      ['start', 'health'],
    ],
    [
      'another unit only',
      same,
      running({ ...onFile, unit: 'old' }),
      ['check', 'backup', 'stop', 'unit', 'start', 'health', 'record', 'tidy'],
    ],
  ])('of %s changes what differs', (_, given, facts, changed) => {
    const steps = plan(given, facts)
    expect(steps.map(({ id }) => id)).toEqual(all)
    expect(changing(steps)).toEqual(changed)
    for (const step of steps.filter(({ unchanged }) => unchanged)) expect([step.act, step.undo]).toEqual([[], []])
  })

  test('has no unit step without systemd', () => {
    const steps = plan(input({ manager: 'process', root: '/tmp/site' }), emptyHost())
    expect(steps.map(({ id }) => id)).toEqual(all.filter((id) => id !== 'unit'))
    expect(JSON.stringify(steps)).not.toContain('"owner"')
  })

  test('starts again in an undo what ran before, and waits for it to be healthy', () => {
    const { undo, undoUntil } = stepIn(plan(input(), running()), 'stop')
    expect(undo.map((effect) => effect.kind === 'service' && effect.action)).toEqual(['forget-failures', 'start'])
    expect(undoUntil?.probe).toMatchObject({ kind: 'ready', release: releaseOf('1.0.0', 'a').id })
  })

  test.each(['stopped', 'failed'] as const)('does not start in an undo what was %s before', (state) => {
    const { undo, undoUntil } = stepIn(plan(input(), running({ service: { ...stopped, state } })), 'stop')
    expect([undo, undoUntil]).toEqual([[], undefined])
  })

  test('switches by a relative link, and back to what was there', () => {
    const path = '/opt/network_system/current'
    const { act, undo } = stepIn(plan(input(), running()), 'switch')
    expect(act[0]).toEqual({ kind: 'link', path, target: `releases/${input().release.id}` })
    expect(undo.at(-1)).toEqual({ kind: 'link', path, target: `releases/${releaseOf('1.0.0', 'a').id}` })
    const first = stepIn(plan(input(), emptyHost()), 'switch').undo
    expect(first.map(({ kind }) => kind)).toEqual(['remove', 'remove'])
  })

  test('puts the saved configuration back in an undo, by its hash', () => {
    const { undo } = stepIn(plan(input(), running()), 'config')
    expect(undo).toMatchObject([
      { kind: 'duplicate', from: '/var/lib/netops/runs/run2/saved/config.yaml', sha256: hashOf('c') },
    ])
  })

  test('takes half a record away again, so that it does not count as what was in service', () => {
    const record = stepIn(plan(input(), running()), 'record')
    expect(record.commits).toBe(true)
    expect(record.undo).toEqual([
      { kind: 'link', path: '/usr/local/bin/netops', target: '/opt/network_system/netops/0/netops' },
      { kind: 'remove-tree', path: '/var/lib/netops/history/run2' },
    ])
  })

  test.each<[string, ActivationRequest, string | undefined]>([
    ['what was in service', input(), 'run1'],
    ['what stood before the one that it brings back', input({ reason: 'rollback', restores: 'run0' }), 'older'],
  ])('records as previous %s', (_, given, previous) => {
    const activations = [recordOf('run0', '0.9.0', 'e', 'older'), recordOf('run1', '1.0.0', 'a', 'run0')]
    const { act } = stepIn(plan(given, running({ activations })), 'record')
    const written = act.find((effect) => effect.kind === 'write')
    expect(JSON.parse(written?.content ?? '')).toMatchObject({ id: 'run2', previous })
  })

  test('keeps five releases and forgets the older ones with their history', () => {
    const activations = Array.from({ length: 7 }, (_, index) => recordOf(`old${index}`, `0.${index}.0`, String(index)))
    const releases = activations.map(({ release }) => release.id)
    const { act } = stepIn(plan(input(), running({ activations, releases })), 'tidy')
    expect(act.flatMap((effect) => (effect.kind === 'remove-tree' ? [effect.path] : []))).toEqual([
      '/opt/network_system/incoming/run2',
      ...releases.slice(0, 3).map((id) => `/opt/network_system/releases/${id}`),
      ...['old0', 'old1', 'old2'].map((id) => `/var/lib/netops/history/${id}`),
    ])
  })

  test('leaves what no record names, and says so', () => {
    const releases = [releaseOf('1.0.0', 'a').id, '9.9.9-0123456789ab', 'a-link']
    const { act, title } = stepIn(plan(input({ keepReleases: 1 }), running({ releases })), 'tidy')
    expect(act.flatMap((effect) => (effect.kind === 'remove-tree' ? [effect.path] : []))).toEqual([
      '/opt/network_system/incoming/run2',
      `/opt/network_system/releases/${releaseOf('1.0.0', 'a').id}`,
      '/var/lib/netops/history/run1',
    ])
    expect(title).toMatch(/no record of netops names it: 9\.9\.9-0123456789ab, a-link\)$/)
  })
})

describe('an activation that cannot succeed', () => {
  test('is one of these; any other is let pass', () => {
    expect(() => refuseImpossible(input(), emptyHost())).not.toThrow()
    expect(() => refuseImpossible(input(), running())).not.toThrow()
  })

  const { needs } = emptyHost()
  const needing = (program: ProgramNeeds) => input({ release: { ...input().release, needs: program } })
  test.each<[string, ActivationRequest, Partial<ActivationFacts>]>([
    [
      'useradd where the account is there',
      input(),
      { account: true, needs: { ...needs, missingCommands: ['useradd'] } },
    ],
    ['systemd below a root', input({ manager: 'process' }), { needs: { ...needs, systemd: false } }],
    ['a machine of its own kind, for a program of 32 bits', needing({ machine: 'i386', glibc: '2.36' }), {}],
    ['glibc where nobody says what it has', needing({ glibc: '2.38' }), { needs: { ...needs, glibc: undefined } }],
  ])('is not one that lacks only %s', (_, given, facts) => {
    expect(() => refuseImpossible(given, emptyHost(facts))).not.toThrow()
  })

  const kept = { ...input().release }
  delete kept.from
  test.each<[string, ActivationRequest, Partial<ActivationFacts>, string]>([
    ['for another platform', input(), { platform: 'linux-arm64' }, 'built for linux-x64, the host is linux-arm64'],
    ['of a release that is gone', input({ release: kept }), {}, 'is not on the host any more'],
    [
      'of a release that is damaged',
      input({ release: kept }),
      { releaseSha256: hashOf('f') },
      'on the host is damaged',
    ],
    ['of a program for another machine', needing({ machine: 'aarch64' }), {}, 'for aarch64, the host is x86_64'],
    ['of a program that asks for more', needing({ glibc: '2.38' }), {}, 'asks for glibc 2.38, the host has 2.36'],
    [
      'of a program that lacks something',
      needing({}),
      { lacking: ['the library libq.so.6'] },
      'lacks the library libq.so.6',
    ],
    ['without systemd', input(), { needs: { ...needs, systemd: false } }, 'systemd does not run this host'],
    [
      'without a command',
      input(),
      { needs: { ...needs, missingCommands: ['dd', 'useradd'] } },
      'lacks commands that a deployment calls: dd, useradd',
    ],
    [
      'with an old glibc',
      input(),
      { needs: { ...needs, glibc: '2.9' } },
      'glibc 2.9, and netops and network_server need 2.28',
    ],
    ['on a port of something else', input(), { busyPorts: [22, 8080] }, 'port 8080 is in use by something else'],
  ])('%s is refused', (_, given, facts, message) => {
    expect(() => refuseImpossible(given, emptyHost(facts))).toThrow(
      expect.objectContaining({ code: 'refused', host: 'web1', message: expect.stringContaining(message) as unknown }),
    )
  })
})

test('the listening ports of /proc/net/tcp are read, each once and in order', () => {
  const text = [
    '  sl  local_address rem_address   st tx_queue rx_queue',
    '   0: 00000000:1F90 00000000:0000 0A 00000000:00000000',
    '   1: 0100007F:0016 00000000:0000 0A 00000000:00000000',
    '   2: 0100007F:0050 0100007F:D431 01 00000000:00000000',
    '  10: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000',
  ].join('\n')
  expect(listeningPorts(text)).toEqual([22, 8080])
})
