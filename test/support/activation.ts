// Inputs and facts of activations for tests: a host on which nothing was deployed, and one on which 1.0.0 runs.
import type { ActivationRequest, ActivationRecord } from '../../src/procedures/deploy/request.ts'
import { hostPaths, releaseId } from '../../src/model/paths.ts'
import { ownFolders, type ActivationFacts } from '../../src/procedures/deploy/facts.ts'

export const hashOf = (letter: string): string => letter.repeat(64)
const endpoints = {
  readyUrl: 'http://127.0.0.1:8080/health/ready',
  healthUrl: 'http://127.0.0.1:8080/health',
  ports: [8080],
}

export const releaseOf = (version: string, letter: string) => ({
  id: releaseId(version, hashOf(letter)),
  version,
  sha256: hashOf(letter),
  size: 1000,
})

export const input = (changes: Partial<ActivationRequest> = {}): ActivationRequest => ({
  procedure: 'activate',
  run: 'run2',
  host: 'web1',
  root: '/',
  manager: 'systemd',
  netops: '/opt/network_system/netops/1/netops',
  release: { ...releaseOf('2.0.0', 'b'), from: '/incoming/network_server', checksConfig: true, platform: 'linux-x64' },
  config: { from: '/incoming/config.yaml', sha256: hashOf('d') },
  endpoints,
  reason: 'deploy',
  minHealthyMs: 10_000,
  healthyDeadlineMs: 120_000,
  keepReleases: 5,
  ...changes,
})

export const recordOf = (id: string, version: string, letter: string, previous?: string): ActivationRecord => ({
  schema: 'netops/activation/v1',
  id,
  reason: 'deploy',
  release: releaseOf(version, letter),
  configSha256: hashOf('c'),
  endpoints,
  checksConfig: true,
  ...(previous === undefined ? {} : { previous }),
})

export const emptyHost = (changes: Partial<ActivationFacts> = {}): ActivationFacts => ({
  platform: 'linux-x64',
  service: { state: 'absent', mainPid: undefined, startId: undefined, restarts: 0, since: undefined },
  current: undefined,
  activations: [],
  unread: [],
  configSha256: undefined,
  unit: undefined,
  tmpfiles: undefined,
  socket: undefined,
  cores: 2,
  tuned: '',
  dataSchema: undefined,
  database: undefined,
  account: false,
  missingFolders: ownFolders(hostPaths('/')),
  releases: [],
  releaseSha256: undefined,
  present: {},
  environment: undefined,
  busyPorts: [],
  needs: { glibc: '2.36', missingCommands: [], systemd: true },
  lacking: [],
  ...changes,
})

const paths = hostPaths('/')

/** A host where 1.0.0 was deployed by run1 and runs. */
export const runningHost = (changes: Partial<ActivationFacts> = {}): ActivationFacts =>
  emptyHost({
    service: { state: 'running', mainPid: 1, startId: 'a', restarts: 0, since: undefined },
    current: releaseOf('1.0.0', 'a').id,
    activations: [recordOf('run1', '1.0.0', 'a')],
    configSha256: hashOf('c'),
    present: {
      ...Object.fromEntries(
        [paths.config, paths.unit, paths.tmpfiles].map((path) => [path, { kind: 'file' as const }]),
      ),
      [paths.current]: { kind: 'link', target: `releases/${releaseOf('1.0.0', 'a').id}` },
      [paths.serverLink]: { kind: 'link', target: `${paths.current}/network_server` },
      [paths.netopsLink]: { kind: 'link', target: '/opt/network_system/netops/0/netops' },
    },
    unit: 'unit network_service',
    tmpfiles: 'tmpfiles network_service',
    account: true,
    missingFolders: [],
    releases: [releaseOf('1.0.0', 'a').id],
    busyPorts: [8080],
    ...changes,
  })
