import { describe, expect, test } from 'vitest'
import { stepsOf, type Step } from '../../../../src/model/plan.ts'
import type { ActivationFacts } from '../../../../src/procedures/deploy/facts.ts'
import { refuseImpossible } from '../../../../src/procedures/deploy/facts.ts'
import { planActivation } from '../../../../src/procedures/deploy/plan.ts'
import type { ActivationRequest, Listening } from '../../../../src/procedures/deploy/request.ts'
import { renderSockets } from '../../../../src/procedures/sockets.ts'
import { readTemplate } from '../../../../src/system/assets.ts'
import { input, releaseOf, runningHost } from '../../../support/activation.ts'

const template = readTemplate('network_service.socket')
const templates = {
  unit: readTemplate('network_service.service'),
  tmpfiles: readTemplate('network_service.tmpfiles'),
  socket: template,
}
const listen: Listening = { host: '0.0.0.0', ports: [8080], threads: 'auto' }
const host = { cores: 2, tuned: '' }
const linesOf = (text: string | undefined): readonly string[] =>
  (text ?? '').split('\n').filter((line) => line.startsWith('ListenStream='))

describe('the socket unit', () => {
  test.each<[string, Parameters<typeof renderSockets>[1], typeof host, readonly string[]]>([
    ['each address once for each thread', { ...listen, threads: 2 }, host, ['0.0.0.0:8080', '0.0.0.0:8080']],
    [
      'two threads a core where it is left to the host',
      { ...listen, ports: [443] },
      { ...host, cores: 3 },
      Array<string>(6).fill('0.0.0.0:443'),
    ],
    ['at least four of them', listen, { ...host, cores: 1 }, Array<string>(4).fill('0.0.0.0:8080')],
    [
      'as many threads as tuning has set',
      listen,
      { ...host, tuned: '# why\nNETWORK_SERVER_WORKER_THREADS=1\n' },
      ['0.0.0.0:8080'],
    ],
    [
      'the plain port and that of TLS',
      { host: '::', ports: [8080, 8443], threads: 1 },
      host,
      ['[::]:8080', '[::]:8443'],
    ],
    [
      'the loopback address where the configuration says localhost',
      { host: 'localhost', ports: [80], threads: 1 },
      host,
      ['127.0.0.1:80'],
    ],
  ])('has %s', (_, given, of, expected) => {
    const text = renderSockets(template, given, of)
    expect(linesOf(text)).toEqual(expected.map((address) => `ListenStream=${address}`))
    expect(text).toContain('ReusePort=yes')
  })

  test.each(['web1.example.com', 'fe80::1%eth0'])('is none where the service itself must look at %s', (name) => {
    expect(renderSockets(template, { ...listen, host: name }, host)).toBeUndefined()
  })

  test('binds an address that comes later than the unit at boot', () => {
    expect(renderSockets(template, { ...listen, host: '10.0.0.7' }, host)).toContain('FreeBind=yes')
    expect(renderSockets(template, listen, host)).toContain('FreeBind=no')
  })
})

const endpoints = { ...input().endpoints, listen }
const taking = (changes: Partial<ActivationRequest> = {}): ActivationRequest =>
  input({ endpoints, release: { ...input().release, traits: { sockets: true } }, ...changes })
const plan = (given: ActivationRequest, facts: ActivationFacts): readonly Step[] =>
  stepsOf(planActivation(given, facts, templates))
const text = renderSockets(template, listen, host)
const actsOf = (steps: readonly Step[], id: string, which: 'act' | 'undo' = 'act'): readonly string[] =>
  (steps.find((step) => step.id === id)?.[which] ?? []).map((effect) =>
    effect.kind === 'service'
      ? `${effect.action} ${effect.unit.replace('network_service', '').slice(1)}`.trim()
      : effect.kind,
  )
const held = (changes: Partial<ActivationFacts> = {}): ActivationFacts => runningHost({ socket: text, ...changes })

describe('an activation behind sockets that stay', () => {
  const steps = plan(taking(), held())

  test('stops nothing: it restarts once when all is in place', () => {
    expect(steps.map(({ id }) => id)).toEqual(
      ['check', 'prepare', 'backup', 'binaries', 'way-back', 'switch', 'config', 'sockets', 'unit', 'restart'].concat([
        'health',
        'record',
        'tidy',
      ]),
    )
    expect(steps.find(({ id }) => id === 'sockets')?.unchanged).toBe(true)
    expect(actsOf(steps, 'way-back')).toEqual([])
    expect(actsOf(steps, 'restart')).toEqual(['forget-failures', 'forget-failures socket', 'restart'])
  })

  test('restarts in an undo after all was put back, and waits for what ran before', () => {
    expect(actsOf(steps, 'restart', 'undo')).toEqual([])
    expect(actsOf(steps, 'way-back', 'undo')).toEqual(['forget-failures', 'forget-failures socket', 'restart'])
    expect(steps.find(({ id }) => id === 'way-back')?.undoUntil?.probe).toMatchObject({
      release: releaseOf('1.0.0', 'a').id,
    })
  })

  test('has the unit wait for them', () => {
    const unit = steps.find(({ id }) => id === 'unit')?.act.find((effect) => effect.kind === 'write')
    expect(unit?.content).toContain('Requires=network_service.socket\nAfter=network_service.socket')
  })

  test('is like that below a root, where only the supervisor reads the sockets', () => {
    const below = plan(taking({ manager: 'process', root: '/tmp/site' }), held())
    expect(actsOf(below, 'restart')).toContain('restart')
    expect(below.map(({ id }) => id)).not.toContain('stop')
  })

  test('whose ports systemd holds for a service that has ended is not kept from them', () => {
    const { service, ...rest } = held()
    const failed = { ...rest, service: { ...service, state: 'failed' } as const }
    expect(() => refuseImpossible(taking(), failed)).not.toThrow()
    expect(() => refuseImpossible(taking({ manager: 'process' }), failed)).toThrow('8080 is in use')
  })
})

describe('an activation that changes the sockets', () => {
  const title = (steps: readonly Step[]): string | undefined => steps.find(({ id }) => id === 'stop')?.title

  test('over an installation without them says that nobody can connect meanwhile', () => {
    const steps = plan(taking(), runningHost())
    expect(title(steps)).toContain('its sockets change, nobody can connect until it starts')
    expect(actsOf(steps, 'stop')).toEqual(['stop'])
    expect(actsOf(steps, 'sockets')).toEqual(['write', 'reload-units', 'enable socket'])
    expect(actsOf(steps, 'sockets', 'undo')).toEqual(['disable socket', 'remove', 'reload-units'])
    expect(actsOf(steps, 'start', 'undo')).toEqual(['stop socket', 'stop', 'forget-failures', 'forget-failures socket'])
  })

  test('ends the sockets with the service, which they would start again', () => {
    const steps = plan(taking({ endpoints: { ...endpoints, listen: { ...listen, ports: [9000] } } }), held())
    expect(title(steps)).toContain('its sockets change')
    expect(actsOf(steps, 'stop')).toEqual(['stop socket', 'stop'])
    expect(actsOf(steps, 'backup')).toContain('duplicate')
    expect(actsOf(steps, 'start')).toEqual(['forget-failures', 'forget-failures socket', 'start'])
  })

  test('to a release that takes none removes them', () => {
    const steps = plan(input({ endpoints }), held())
    expect(actsOf(steps, 'sockets')).toEqual(['disable socket', 'remove', 'reload-units'])
    expect(actsOf(steps, 'sockets', 'undo')).toEqual(['remove', 'reload-units', 'enable socket'])
    const unit = steps.find(({ id }) => id === 'unit')?.act.find((effect) => effect.kind === 'write')
    expect(unit?.content).not.toContain('network_service.socket')
  })

  test('of a service that does not run ends what listens for it', () => {
    const { service } = held()
    const steps = plan(taking(), held({ service: { ...service, state: 'stopped' } }))
    expect(actsOf(steps, 'stop')).toEqual(['stop socket', 'stop'])
    expect(title(steps)).toBe('Stop the service gracefully')
    expect(actsOf(steps, 'start')).toContain('start')
  })

  test('makes the folder of the unit below a root, and takes it away again', () => {
    const missing = ['/tmp/site/etc/systemd', '/tmp/site/etc/systemd/system']
    const facts = runningHost({ missingFolders: missing })
    const steps = plan(taking({ manager: 'process', root: '/tmp/site' }), facts)
    expect(actsOf(steps, 'sockets')).toEqual(['directory', 'directory', 'write'])
    expect(actsOf(steps, 'sockets', 'undo')).toEqual(['remove', 'remove-empty', 'remove-empty'])
  })
})
