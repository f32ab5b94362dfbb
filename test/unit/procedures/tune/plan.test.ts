// What a host is ordered to do when it is tuned, from what it is like; and that taking it back restores a model of it exactly.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hostPaths } from '../../../../src/model/paths.ts'
import type { Step } from '../../../../src/model/plan.ts'
import { guideKernel, namesOf } from '../../../../src/model/tuning-profiles.ts'
import { parseTuningRecord, type FileState } from '../../../../src/model/tuning.ts'
import { type TuningRequest } from '../../../../src/procedures/tune/request.ts'
import { tunedFiles, type KernelValue, type TuningFacts } from '../../../../src/procedures/tune/facts.ts'
import { refuseUntunable } from '../../../../src/procedures/tune/plan.ts'
import { findDrift, findRemains } from '../../../../src/procedures/tune/verify.ts'
import {
  actsOf,
  after,
  applied,
  folderOrder,
  loaded,
  plan,
  recordIn,
  running,
  tuneOrder,
  untunedHost,
} from '../../../support/tuning.ts'

const paths = hostPaths('/')
const stepIn = (steps: readonly Step[], id: string): Step => {
  const found = steps.find((step) => step.id === id)
  if (found === undefined) throw new Error(`there is no step ${id}`)
  return found
}
const changing = (steps: readonly Step[]): string[] => steps.filter((step) => !step.unchanged).map(({ id }) => id)

const all = ['record', 'sysctl-file', 'sysctl', 'limits-file', 'unit-limits', 'environment']
const serves = { readyUrl: 'http://127.0.0.1:8080/health/ready', release: '1.0.0-a' }
const tuned = applied()
const tunedUnit = loaded('1000000', '32768')
const environment = { 'server.worker_threads': '4', 'performance.connection_pool_size': '100' }

describe('tuning', () => {
  test.each<[string, TuningRequest, TuningFacts, string[]]>([
    ['a host for the first time', tuneOrder(), untunedHost(), all],
    ['a host once more', tuneOrder({ run: 'run2' }), tuned, []],
    ['a host whose values drifted', tuneOrder(), { ...tuned, kernel: untunedHost().kernel }, ['sysctl']],
    [
      'a host whose file is gone',
      tuneOrder(),
      { ...tuned, files: { ...tuned.files, [paths.limitsDropIn]: { kind: 'absent' } } },
      ['limits-file'],
    ],
    ['by another profile', tuneOrder({ profile: 'sized' }), tuned, all],
    [
      'without the kernel',
      tuneOrder({ skip: Object.keys(guideKernel) }),
      untunedHost(),
      all.filter((id) => !id.startsWith('sysctl')),
    ],
    [
      'without all but the kernel',
      tuneOrder({ skip: namesOf('guide').filter((name) => !(name in guideKernel)) }),
      untunedHost(),
      ['record', 'sysctl-file', 'sysctl'],
    ],
    ['where the unit was not read again', tuneOrder(), { ...tuned, unit: loaded('524288', '32768') }, ['unit-limits']],
    ['where the unit has the limits', tuneOrder(), { ...tuned, unit: tunedUnit }, []],
    [
      'a running service without a restart',
      tuneOrder(),
      { ...tuned, unit: tunedUnit, service: running({ nofile: '1024', nproc: '5' }), serves },
      [],
    ],
    [
      'a running service with a restart',
      tuneOrder({ restart: true }),
      { ...tuned, unit: tunedUnit, service: running({ nofile: '1024', nproc: '5' }, environment), serves },
      ['way-back', 'restart'],
    ],
    [
      'a running service that has it all, with a restart',
      tuneOrder({ restart: true }),
      { ...tuned, unit: tunedUnit, service: running({ nofile: '1000000', nproc: '32768' }, environment), serves },
      [],
    ],
    ['a stopped service with a restart', tuneOrder({ restart: true }), tuned, []],
  ])('%s changes what differs', (_, order, facts, expected) => {
    const steps = plan(order, facts)
    expect(changing(steps)).toEqual(expected)
    for (const step of steps.filter(({ unchanged }) => unchanged)) expect([step.act, step.undo]).toEqual([[], []])
  })

  test('writes down what was there before it touches anything', () => {
    const steps = plan(tuneOrder(), untunedHost())
    expect(steps[0]?.id).toBe('record')
    expect(recordIn(tuned)).toMatchObject({
      run: 'run1',
      profile: 'guide',
      kernel: guideKernel,
      originals: { kernel: { 'vm.swappiness': '60' }, files: { [paths.sysctlDropIn]: { kind: 'absent' } } },
    })
  })

  test('reads the kernel parameters back, and undoes them in reverse', () => {
    const { act, undo, until } = stepIn(plan(tuneOrder(), untunedHost()), 'sysctl')
    expect(act).toEqual([{ kind: 'sysctl', values: guideKernel }])
    expect(until?.probe).toEqual({ kind: 'sysctl', values: guideKernel })
    expect(undo).toMatchObject([{ kind: 'sysctl', values: { 'vm.swappiness': '60' } }])
    const keys = undo.flatMap((effect) => (effect.kind === 'sysctl' ? Object.keys(effect.values) : []))
    expect(keys).toEqual(Object.keys(guideKernel).toReversed())
  })

  test('leaves alone what the kernel lacks or refuses, and says so in the file and the record', () => {
    const kernel = { ...untunedHost().kernel, 'vm.swappiness': { value: '60', writable: false } }
    delete (kernel as Record<string, unknown>)['fs.nr_open']
    const facts = applied(untunedHost({ kernel }))
    expect(Object.keys(recordIn(facts).notSet)).toEqual(['fs.nr_open', 'vm.swappiness'])
    expect(recordIn(facts).kernel).not.toHaveProperty('vm.swappiness')
    expect(recordIn(facts).originals.kernel).not.toHaveProperty('vm.swappiness')
    expect(facts.kernel['vm.swappiness']?.value).toBe('60')
    const file = facts.files[paths.sysctlDropIn]
    const text = file?.kind === 'file' ? file.content : ''
    expect(text).toContain('# not set, it is read-only here, as in a container: vm.swappiness = 10')
    expect(text).not.toMatch(/^(vm\.swappiness|fs\.nr_open)/m)
  })

  test('does not set what it could not put back, because its value cannot be read', () => {
    const kernel = { ...untunedHost().kernel, 'net.ipv4.route.flush': { value: '', writable: true } }
    const facts = applied(untunedHost({ kernel }), { set: { 'net.ipv4.route.flush': '1' } })
    expect(recordIn(facts).notSet).toEqual({
      'net.ipv4.route.flush': 'its value cannot be read, so nobody could put it back',
    })
    expect(facts.kernel['net.ipv4.route.flush']?.value).toBe('')
  })

  test('keeps the first originals when it is done again, and adds those of new keys', () => {
    const kernel = { ...tuned.kernel, 'net.core.rmem_max': { value: '212992', writable: true } }
    const again = applied(
      { ...tuned, kernel },
      { run: 'run2', set: { 'net.core.rmem_max': '1000000', 'vm.swappiness': '5' } },
    )
    expect(recordIn(again).originals.kernel).toMatchObject({ 'vm.swappiness': '60', 'net.core.rmem_max': '212992' })
    expect(again.kernel['vm.swappiness']?.value).toBe('5')
  })

  test('gives a key that is no longer wanted its original value back, and forgets it', () => {
    const again = applied(tuned, { run: 'run2', skip: ['vm.swappiness'] })
    expect(again.kernel['vm.swappiness']?.value).toBe('60')
    expect(recordIn(again).originals.kernel).not.toHaveProperty('vm.swappiness')
  })

  test('asks only for the limits that no later drop-in sets otherwise', () => {
    const path = `${paths.unitDropIn.slice(0, paths.unitDropIn.lastIndexOf('/'))}/99-x.conf`
    const unit = { ...loaded('5', '7'), files: [{ path, text: '[Service]\nLimitNOFILE=5\n' }] }
    const { until, act } = stepIn(plan(tuneOrder(), untunedHost({ unit })), 'unit-limits')
    expect(until?.probe).toEqual({ kind: 'unit-limits', unit: 'network_service', limits: { LimitNPROC: '32768' } })
    expect(act.at(-1)).toEqual({ kind: 'service', unit: 'network_service', action: 'reload-units' })
    expect(
      changing(plan(tuneOrder(), { ...tuned, unit: { ...unit, limits: { nofile: '5', nproc: '32768' } } })),
    ).toEqual([])
  })

  test('restarts so that an undo starts the service after its files are back', () => {
    const facts = untunedHost({ unit: loaded('5', '7'), service: running({}), serves })
    const steps = plan(tuneOrder({ restart: true }), facts)
    expect(steps.map(({ id }) => id)).toEqual([...all.slice(0, 3), 'way-back', ...all.slice(3), 'restart'])
    const [wayBack, restart] = [stepIn(steps, 'way-back'), stepIn(steps, 'restart')]
    expect(wayBack).toMatchObject({ act: [], undoUntil: { probe: { kind: 'ready', release: '1.0.0-a' } } })
    expect(wayBack.undo.at(-1)).toMatchObject({ action: 'start' })
    expect(restart.act.map((effect) => effect.kind === 'service' && effect.action)).toEqual([
      'stop',
      'forget-failures',
      'start',
    ])
    expect(restart.undo).toMatchObject([{ action: 'stop' }])
  })

  test('below a root writes files only, owned by whoever runs it', () => {
    const root = '/tmp/site'
    const steps = plan(tuneOrder({ root, manager: 'process' }), untunedHost({}, root))
    expect(steps.map(({ id }) => id)).toEqual(all.filter((id) => id !== 'sysctl'))
    expect(new Set(actsOf(steps).map(({ kind }) => kind))).toEqual(new Set(['write']))
    expect(JSON.stringify(actsOf(steps).map((effect) => ({ ...effect, content: '' })))).not.toContain('owner')
  })
})

describe('taking it back', () => {
  const revert = tuneOrder({ action: 'revert', run: 'run9' })

  test('of what was never tuned does nothing', () => {
    expect(changing(plan(revert, untunedHost()))).toEqual([])
  })

  test('forgets the originals last', () => {
    expect(changing(plan(revert, tuned))).toEqual([
      'sysctl-file',
      'sysctl',
      'limits-file',
      'unit-limits',
      'environment',
      'record',
    ])
    expect(after(tuned, actsOf(plan(revert, tuned)))).toEqual(untunedHost())
  })

  test('is undone as a whole by its undo', () => {
    const steps = plan(revert, tuned)
    const reverted = after(tuned, actsOf(steps))
    const undone = after(
      reverted,
      steps.toReversed().flatMap(({ undo }) => undo),
    )
    expect(undone).toEqual(tuned)
  })

  const state: fc.Arbitrary<FileState> = fc.oneof(
    fc.constant<FileState>({ kind: 'absent' }),
    fc.record({
      kind: fc.constant('file' as const),
      content: fc.string(),
      mode: fc.constantFrom('0644', '0600', '0640'),
      owner: fc.constantFrom('0:0', '1000:7'),
    }),
    fc.record({ kind: fc.constant('link' as const), target: fc.constantFrom('/dev/null', '../x') }),
  )
  const wish = fc.record({
    profile: fc.constantFrom('guide' as const, 'sized' as const),
    skip: fc.subarray([...namesOf('guide')]),
    set: fc.constantFrom<Record<string, string>>(
      {},
      { 'vm.swappiness': '1' },
      { 'net.core.rmem_max': '7', nofile: '9' },
    ),
  })
  const host = fc
    .record({
      files: fc.tuple(state, state, state, state),
      missing: fc.subarray(folderOrder),
      readOnly: fc.subarray(Object.keys(guideKernel)),
      memory: fc.integer({ min: 2 ** 27, max: 2 ** 40 }),
    })
    .map(({ files, missing, readOnly, memory }) => {
      const base = untunedHost()
      const placed = Object.fromEntries(
        tunedFiles(paths).map((path, index) => [path, files[index] ?? { kind: 'absent' as const }]),
      )
      // A folder that holds something is there.
      const gone = missing.filter(
        (folder) =>
          !Object.entries(placed).some(([path, { kind }]) => kind !== 'absent' && path.startsWith(`${folder}/`)),
      )
      const kernel: Record<string, KernelValue> = {
        ...base.kernel,
        'net.core.rmem_max': { value: '212992', writable: true },
      }
      for (const key of readOnly) kernel[key] = { value: kernel[key]?.value ?? '', writable: false }
      const parents =
        gone.includes('/etc/security') && !gone.includes('/etc/security/limits.d')
          ? gone.filter((path) => path !== '/etc/security')
          : gone
      return untunedHost({ memoryBytes: memory, kernel, missingFolders: parents, files: { ...base.files, ...placed } })
    })

  test('restores values, files and folders exactly, whatever was there and however often it was tuned', () => {
    fc.assert(
      fc.property(host, fc.array(wish, { minLength: 1, maxLength: 4 }), (facts, wishes) => {
        let now = facts
        for (const [index, asked] of wishes.entries()) now = applied(now, { run: `run${index}`, ...asked })
        const last = recordIn(now)
        const reverted = after(now, actsOf(plan(revert, now)))
        expect(reverted).toEqual(facts)
        expect(findRemains(revert, last, reverted)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  test('of a part that failed restores exactly too, wherever it stopped', () => {
    fc.assert(
      fc.property(host, wish, fc.nat(8), (facts, asked, stop) => {
        const steps = plan(tuneOrder(asked), facts).slice(0, stop)
        const undone = after(
          after(facts, actsOf(steps)),
          steps.toReversed().flatMap(({ undo }) => undo),
        )
        expect(undone).toEqual(facts)
      }),
      { numRuns: 300 },
    )
  })

  test('and applying twice: the second time finds nothing to do', () => {
    fc.assert(
      fc.property(host, wish, (facts, asked) => {
        const once = applied(facts, asked)
        expect(changing(plan(tuneOrder({ ...asked, run: 'run2' }), once))).toEqual([])
        expect(findDrift(tuneOrder(), recordIn(once), once)).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})

describe('a host that cannot be tuned', () => {
  test.each<[string, Partial<TuningRequest>, Partial<TuningFacts>, string]>([
    [
      'because a folder lies where a file belongs',
      {},
      { files: { [paths.sysctlDropIn]: { kind: 'other', what: 'directory' } } },
      'could not be put back',
    ],
    [
      'with a restart, because nobody knows when its service is healthy',
      { restart: true },
      { service: running({}) },
      'not deployed by netops',
    ],
  ])('%s is refused', (_, order, facts, message) => {
    expect(() => refuseUntunable(tuneOrder(order), untunedHost(facts))).toThrow(
      expect.objectContaining({ code: 'refused', host: 'web1', message: expect.stringContaining(message) as unknown }),
    )
  })

  test('is one whose service would not start with the pool of the profile, unless that is left as it is', () => {
    const facts = untunedHost({ config: { 'server.max_connections': '50' } })
    expect(() => refuseUntunable(tuneOrder(), facts)).toThrow(
      expect.objectContaining({
        code: 'refused',
        message: expect.stringContaining('expected at most server.max_connections, 50, not 100') as unknown,
        hint: expect.stringContaining('--skip performance.connection_pool_size') as unknown,
      }),
    )
    expect(() => refuseUntunable(tuneOrder({ skip: ['performance.connection_pool_size'] }), facts)).not.toThrow()
    expect(() => refuseUntunable(tuneOrder({ set: { 'server.max_connections': '200' } }), facts)).not.toThrow()
  })

  test('is not one where a service runs and no restart is asked for', () => {
    expect(() => refuseUntunable(tuneOrder(), untunedHost({ service: running({}) }))).not.toThrow()
  })

  test.each(['{', '{}', '{"schema":"netops/tuning/v2"}', JSON.stringify({ ...recordIn(tuned), later: 1 })])(
    'has a record that reads %s',
    (text) => {
      expect(() => parseTuningRecord(text, paths.tuning, 'web1')).toThrow(
        expect.objectContaining({ code: 'refused', exit: 7 }),
      )
    },
  )
})

describe('a restart where sockets are held for the service', () => {
  const listen = { host: '127.0.0.1', ports: [8080], threads: 'auto' as const }
  const line = 'ListenStream=127.0.0.1:8080\n'
  // Two cores: four threads. The fuller profile is given by name, so that it is the same on every machine.
  const held = (lines: number) =>
    untunedHost({
      ...{ cores: 2, unit: loaded('5', '7'), service: running({}), serves: { ...serves, listen } },
      socket: `${line.repeat(lines).trimEnd()} no\n`,
    })
  const words = (steps: readonly Step[], id: string, which: 'act' | 'undo' = 'act') =>
    stepIn(steps, id)[which].map((effect) =>
      effect.kind === 'service' ? `${effect.action} ${effect.unit}` : effect.kind,
    )

  test('goes through them as they are, and back', () => {
    const steps = plan(tuneOrder({ restart: true, set: { 'server.worker_threads': '4' } }), held(4))
    expect(stepIn(steps, 'sockets').unchanged).toBe(true)
    expect(words(steps, 'restart')).toEqual([
      'forget-failures network_service',
      'forget-failures network_service.socket',
      'restart network_service',
    ])
    expect([words(steps, 'restart', 'undo'), words(steps, 'way-back', 'undo').at(-1)]).toEqual([
      [],
      'restart network_service',
    ])
  })

  test('ends them where there are to be more threads, and says so', () => {
    const steps = plan(tuneOrder({ restart: true, set: { 'server.worker_threads': '6' } }), held(4))
    expect(stepIn(steps, 'sockets').act[0]).toMatchObject({
      path: paths.socket,
      content: `${line.repeat(6).trimEnd()} no\n`,
    })
    expect(stepIn(steps, 'sockets').undo[0]).toMatchObject({
      path: paths.socket,
      content: `${line.repeat(4).trimEnd()} no\n`,
    })
    expect(stepIn(steps, 'restart').title).toContain('nobody can connect until it starts')
    expect(words(steps, 'restart').slice(0, 2)).toEqual(['stop network_service.socket', 'stop network_service'])
    expect(words(steps, 'way-back', 'undo').at(-1)).toBe('start network_service')
  })

  test('leaves them alone without a restart', () => {
    const steps = plan(tuneOrder({ set: { 'server.worker_threads': '6' } }), held(4))
    expect(steps.map(({ id }) => id)).not.toContain('sockets')
  })
})
