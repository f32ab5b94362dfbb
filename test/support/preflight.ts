// What templates/preflight/*.sh print on a host that is fit, and facts of such a host.
import { parseLook, type Look, type PreflightFacts } from '../../src/procedures/preflight/facts.ts'

/** A healthy Debian on which nothing was deployed, section by section. */
const fitHost: Readonly<Record<string, string>> = {
  user: '0\nroot',
  system: 'Linux\nx86_64\n6.1.0-18-amd64',
  glibc: 'glibc 2.36',
  libraries: 'libstdc++.so.6\nlibgcc_s.so.1\nlibstdc++.so.6',
  missing: '',
  cpus: '4',
  memory: 'MemTotal:        4000000 kB\nMemFree:  1 kB\nMemAvailable:    3000000 kB\nHugepagesize:       2048 kB',
  quota: 'max 100000',
  bound: 'max\n1000',
  disks: [
    'releases 80000000000 100000000000 900000 1000000 /',
    'data 80000000000 100000000000 900000 1000000 /',
    'logs 50000000000 60000000000 0 0 /var/log',
  ].join('\n'),
  release: '',
  record: '',
  listeners: 'LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=812,fd=3))',
  synchronised: 'NTPSynchronized=yes',
  systemd: 'booted\nsystemd 252 (252.22-1~deb12u1)\nrunning',
  failed: '',
  kernel: 'cgroup2fs\n4096',
  selinux: '',
  apparmor: 'Y',
}

/** A look as the host prints it, with some sections changed. */
export const lookText = (changes: Readonly<Record<string, string>> = {}): string =>
  Object.entries({ ...fitHost, ...changes })
    .map(([name, text]) => `\n@@${name}\n${text}\n`)
    .join('')

export const lookOf = (changes: Readonly<Record<string, string>> = {}): Look => parseLook(lookText(changes))

export const fitFacts = (changes: Partial<PreflightFacts> = {}): PreflightFacts => ({
  ...lookOf(),
  clock: { offsetMs: 12, roundTripMs: 20 },
  network: { own: { name: 'web1', found: true }, names: [], peers: [] },
  lacking: [],
  service: { state: 'absent', mainPid: undefined, startId: undefined, restarts: 0, since: undefined },
  environment: undefined,
  ...changes,
})
