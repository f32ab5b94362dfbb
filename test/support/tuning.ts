// Orders and facts of tuning for tests: a host of two cores on which nothing was tuned.
import { hostPaths } from '../../src/model/paths.ts'
import type { guideKernel } from '../../src/model/tuning-profiles.ts'
import type { Effect } from '../../src/model/effects.ts'
import { stepsOf, type Step } from '../../src/model/plan.ts'
import { parseTuningRecord, type FileState, type TuningRecord } from '../../src/model/tuning.ts'
import { type TuningRequest } from '../../src/procedures/tune/request.ts'
import { planTuning } from '../../src/procedures/tune/plan.ts'
import { tunedFiles, type KernelValue, type TuningFacts } from '../../src/procedures/tune/facts.ts'
import type { TuningTemplates } from '../../src/procedures/tune/goal.ts'

export const tuneOrder = (changes: Partial<TuningRequest> = {}): TuningRequest => ({
  procedure: 'tune',
  run: 'run1',
  host: 'web1',
  root: '/',
  manager: 'systemd',
  netops: '/opt/network_system/netops/1/netops',
  action: 'apply',
  profile: 'guide',
  skip: [],
  set: {},
  restart: false,
  minHealthyMs: 10_000,
  healthyDeadlineMs: 120_000,
  ...changes,
})

/** A kernel that has every key of the guide at its default, and lets all be set. */
const defaultKernel: Readonly<Record<string, KernelValue>> = Object.fromEntries(
  Object.entries({
    'net.core.somaxconn': '4096',
    'net.core.netdev_max_backlog': '1000',
    'net.ipv4.tcp_max_syn_backlog': '2048',
    'net.ipv4.tcp_fin_timeout': '60',
    'net.ipv4.tcp_keepalive_time': '7200',
    'net.ipv4.tcp_tw_reuse': '2',
    'net.ipv4.ip_local_port_range': '32768 60999',
    'fs.file-max': '400000',
    'fs.nr_open': '1048576',
    'vm.max_map_count': '65530',
    'vm.swappiness': '60',
  } satisfies Record<keyof typeof guideKernel, string>).map(([key, value]) => [key, { value, writable: true }]),
)

export const untunedHost = (changes: Partial<TuningFacts> = {}, root = '/'): TuningFacts => {
  const paths = hostPaths(root)
  return {
    cores: 2,
    memoryBytes: 4 * 2 ** 30,
    kernel: defaultKernel,
    files: Object.fromEntries([...tunedFiles(paths), paths.tuning].map((path) => [path, { kind: 'absent' as const }])),
    missingFolders: [],
    sysctlFiles: [],
    limitsFiles: [],
    unit: { loaded: false, limits: {}, files: [] },
    service: { state: 'absent', mainPid: undefined, limits: {}, environment: {} },
    most: {},
    config: {},
    uid: undefined,
    serves: undefined,
    socket: undefined,
    record: undefined,
    ...changes,
  }
}

export const plainTemplates: TuningTemplates = {
  sysctl: '# {{profile}}\n{{settings}}\n',
  limits: '# {{profile}}\n{{settings}}\n',
  unit: '# {{profile}}\n[Service]\n{{limits}}\nEnvironmentFile=-{{environment}}\n',
  environment: '# {{profile}}\n{{settings}}\n',
  socket: '{{listen}} {{free}}\n',
}

/** What a host is like after effects; the model of a file system, a kernel and a unit. */
export function after(facts: TuningFacts, effects: readonly Effect[]): TuningFacts {
  const files: Record<string, FileState> = { ...facts.files }
  const kernel = { ...facts.kernel }
  const missing = new Set(facts.missingFolders)
  for (const effect of effects) {
    switch (effect.kind) {
      case 'write': {
        const { content, mode, owner } = effect
        files[effect.path] = {
          kind: 'file',
          content,
          mode,
          owner: owner === undefined || owner === 'root' ? '0:0' : owner,
        }
        break
      }
      case 'link':
        files[effect.path] = { kind: 'link', target: effect.target }
        break
      case 'duplicate':
        files[effect.path] = files[effect.from] ?? { kind: 'absent' }
        break
      case 'remove-tree':
        for (const path of Object.keys(files))
          if (path === effect.path || path.startsWith(`${effect.path}/`)) Reflect.deleteProperty(files, path)
        break
      case 'remove':
        files[effect.path] = { kind: 'absent' }
        break
      case 'directory':
        missing.delete(effect.path)
        break
      case 'remove-empty': {
        const used = Object.entries(files).some(
          ([path, state]) => state.kind !== 'absent' && path.startsWith(`${effect.path}/`),
        )
        if (!used) missing.add(effect.path)
        break
      }
      case 'sysctl':
        for (const [key, value] of Object.entries(effect.values)) kernel[key] = { value, writable: true }
        break
      case 'service':
        break
      default:
        throw new TypeError(`the model has no ${effect.kind}`)
    }
  }
  const record = files[ownPaths.tuning]
  return {
    ...facts,
    files,
    kernel,
    missingFolders:
      facts.missingFolders.length === 0 && missing.size === 0 ? [] : folderOrder.filter((path) => missing.has(path)),
    record: record?.kind === 'file' ? parseTuningRecord(record.content, ownPaths.tuning, 'web1') : undefined,
  }
}

/** Folders that tuning may have to make. */
export const folderOrder = [
  '/etc/sysctl.d',
  '/etc/security',
  '/etc/security/limits.d',
  '/etc/systemd/system/network_service.service.d',
  '/etc/network_system',
]

const ownPaths = hostPaths('/')

export const plan = (order: TuningRequest, facts: TuningFacts): readonly Step[] =>
  stepsOf(planTuning(order, facts, plainTemplates))
export const actsOf = (steps: readonly Step[]): readonly Effect[] => steps.flatMap(({ act }) => act)

/** A host after it was tuned. */
export const applied = (facts = untunedHost(), changes: Partial<TuningRequest> = {}): TuningFacts =>
  after(facts, actsOf(plan(tuneOrder(changes), facts)))

export const recordIn = (facts: TuningFacts): TuningRecord => {
  if (facts.record === undefined) throw new Error('nothing was recorded')
  return facts.record
}

export const loaded = (nofile: string, nproc: string): TuningFacts['unit'] => ({
  loaded: true,
  limits: { nofile, nproc },
  files: [],
})

export const running = (
  limits: Record<string, string>,
  environment: Record<string, string> = {},
): TuningFacts['service'] => ({ state: 'running', mainPid: 7, limits, environment })
