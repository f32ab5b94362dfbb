import { describe, expect, test } from 'vitest'
import { stepsOf } from '../../../../src/model/plan.ts'
import type { RestoreFacts } from '../../../../src/procedures/restore/facts.ts'
import { planRestore } from '../../../../src/procedures/restore/plan.ts'
import type { RestoreRequest } from '../../../../src/procedures/restore/request.ts'

const sha256 = 'a'.repeat(64)
const id = 'config_20261127_020000'
const request: RestoreRequest = {
  ...{
    procedure: 'restore',
    run: 'run-1.web1',
    host: 'web1',
    root: '/',
    manager: 'systemd',
    netops: '/n',
    looker: '/n',
  },
  ...{ backup: { id, manifestSha256: sha256 }, only: [], minHealthyMs: 1, healthyDeadlineMs: 2 },
}
const none = { count: 0, bytes: 0, paths: [] }
const some = { count: 1, bytes: 1, paths: ['/etc/network_system/config.yaml'] }
const endpoints = {
  readyUrl: 'http://127.0.0.1:8080/health/ready',
  healthUrl: 'http://127.0.0.1:8080/health',
  ports: [8080],
}
const activation = {
  ...({
    schema: 'netops/activation/v1',
    id: 'run-0',
    reason: 'deploy',
    configSha256: 'b'.repeat(64),
    endpoints,
  } as const),
  release: {
    id: '1.0.0-x',
    version: '1.0.0',
    sha256,
    size: 1,
    traits: { data: { reads: { from: 1, to: 2 }, writes: 2 } },
  },
  checksConfig: true,
}
const running = { state: 'running', mainPid: 1, startId: '1', restarts: 0, since: undefined } as const
const checkpoint = {
  name: 'var/lib/network_system/checkpoints/checkpoint-20261127T015900000Z.db',
  ...{ takenAt: '2026-11-27T01:59:00.000Z', bytes: 10 },
}
const facts: RestoreFacts = {
  ...{ id, proof: 'verified', dataSchema: 2 },
  config: { sha256, endpoints, driver: 'sqlite', names: ['/etc/network/server.key', '/etc/elsewhere'] },
  look: {
    ...{ archive: { folder: '/b', name: id, manifestSha256: sha256 }, madeAt: '2026-11-27T02:00:00Z', missing: [] },
    roots: ['etc/network', 'etc/network_system', 'var/lib/network_system'],
    tops: ['etc/network', 'etc/network_system', 'var/lib/network_system'],
    ...{
      places: ['etc', 'var/lib'],
      leave: [],
      replaced: some,
      added: none,
      removed: none,
      unsure: 0,
      leftAlone: none,
    },
    ...{ troubles: [], lost: { files: none, checkpoints: 0, databaseWrittenAt: null }, checkpoint },
    ...{ isState: true, isConfig: true, files: ['/etc/network/server.key'], bytes: 1 },
  },
  installed: {
    ...{ release: '1.0.0-x', activation, service: running, hasSockets: true, isReady: true, configSha256: sha256 },
    ...{ endpoints, driver: 'sqlite', sequence: 2, last: activation },
  },
}
const installed = (differences: Partial<NonNullable<RestoreFacts['installed']>>): RestoreFacts => ({
  ...facts,
  installed: { ...(facts.installed ?? never()), ...differences },
})
const never = (): never => {
  throw new Error('it is installed')
}
const doing = (found: RestoreFacts): readonly string[] =>
  stepsOf(planRestore(request, found)).flatMap((step) => (step.unchanged === true ? [] : [step.id]))

describe('the plan of a restore', () => {
  test.each<[string, RestoreFacts, readonly string[]]>([
    ['all of it', facts, ['stage', 'check', 'stop', 'swap', 'database', 'start', 'health', 'record', 'clear']],
    [
      'the configuration that was activated',
      installed({ last: { ...activation, configSha256: sha256 } }),
      ['stage', 'check', 'stop', 'swap', 'database', 'start', 'health', 'clear'],
    ],
    [
      'records in PostgreSQL',
      { ...facts, config: { ...(facts.config ?? never()), driver: 'postgres' } },
      ['stage', 'check', 'stop', 'swap', 'start', 'health', 'record', 'clear'],
    ],
    [
      'files that are as they were, and no state',
      { ...facts, look: { ...facts.look, replaced: none, checkpoint: null } },
      [],
    ],
    [
      'a bare host',
      { ...facts, installed: undefined, look: { ...facts.look, missing: ['/var/lib'] } },
      ['folder-var-lib', 'stage', 'swap', 'clear'],
    ],
    [
      'a service that was stopped',
      installed({ service: { ...running, state: 'stopped' }, hasSockets: false }),
      ['stage', 'check', 'swap', 'database', 'start', 'health', 'record', 'clear'],
    ],
  ])('for %s', (_, found, steps) => {
    expect(doing(found)).toEqual(steps)
  })

  test('checks the configuration as it lies beside, with the files that come with it', () => {
    const [check] = stepsOf(planRestore(request, facts)).filter(({ id: step }) => step === 'check')
    expect(check?.act).toMatchObject([
      {
        argv: [
          '/opt/network_system/current/network_server',
          ...['--config', '/etc/.netops-restore-run-1.web1/staged/etc/network_system/config.yaml', '--check-config'],
          ...['--instead', '/etc/network/server.key=/etc/.netops-restore-run-1.web1/staged/etc/network/server.key'],
        ],
      },
    ])
  })

  test('an undo starts what ran before, and waits only for what was ready before', () => {
    const stopOf = (found: RestoreFacts) => stepsOf(planRestore(request, found)).find(({ id: step }) => step === 'stop')
    expect(stopOf(facts)?.undoUntil?.probe).toMatchObject({ kind: 'ready', release: '1.0.0-x' })
    const unwell = stopOf(installed({ isReady: false }))
    expect([unwell?.undo.length, unwell?.undoUntil]).toEqual([3, undefined])
    expect(stopOf(installed({ service: { ...running, state: 'failed' } }))?.undo).toEqual([])
  })

  test.each<[string, RestoreFacts]>([
    ['a newer state than the release reads', { ...facts, dataSchema: 3 }],
    ['a release of which nobody knows what it reads', installed({ activation: undefined })],
  ])('refuses %s before anything is touched', (_, found) => {
    expect(() => planRestore(request, found)).toThrow(expect.objectContaining({ code: 'refused' }) as Error)
  })
})
