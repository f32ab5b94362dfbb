// What a host must have so that netops can work on it and our executables run: looked for before a deployment begins.
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager } from '../../drivers/services/port.ts'

/** The oldest glibc that our executables start with: Node 24's (BUILDING.md, Platform list), as `readelf -V` confirms. */
export const oldestGlibc = '2.28'

/** What a deployment or a rollback calls on any host: the effects' commands, and what facts are read with. */
const always = [
  ...[
    'cat',
    'chmod',
    'chown',
    'cmp',
    'cp',
    'dd',
    'df',
    'getent',
    'id',
    'install',
    'ln',
    'ls',
    'mkdir',
    'mv',
    'readlink',
    'rm',
    'rmdir',
  ],
  ...['sh', 'sha256sum', 'stat', 'sync', 'uname'],
] as const
/** What is called beside those where systemd runs the service. */
const withSystemd = ['env', 'systemctl', 'systemd-run'] as const
/** Called only where the service's account is yet to be made. */
export const accountCommand = 'useradd'

/** The commands without which an activation stops half way. */
export const activationCommands = (manager: ServiceManager['kind']): readonly string[] =>
  manager === 'systemd' ? [...always, ...withSystemd, accountCommand] : always

/** All that netops calls on a systemd host: tuning, clean-up and the hints of a failure too. */
export const allCommands: readonly string[] = [
  ...activationCommands('systemd'),
  ...['date', 'find', 'grep', 'journalctl', 'sysctl', 'tail', 'test'],
]

export interface HostNeeds {
  /** `2.36`; undefined where the host does not say. */
  readonly glibc: string | undefined
  readonly missingCommands: readonly string[]
  /** Whether systemd is the host's process 1. */
  readonly systemd: boolean
}

// sd_booted(3): that folder is there exactly where systemd runs the host.
const look =
  'getconf GNU_LIBC_VERSION 2> /dev/null; [ -d /run/systemd/system ] && echo systemd; for name; do command -v "$name" > /dev/null || echo "missing $name"; done; exit 0'

/** Reads it with one command. */
export async function readNeeds(reader: HostReader, manager: ServiceManager['kind']): Promise<HostNeeds> {
  const { stdout } = await reader.query(['sh', '-c', look, 'sh', ...activationCommands(manager)])
  return parseNeeds(stdout)
}

export const parseNeeds = (text: string): HostNeeds => ({
  glibc: glibcIn(text),
  missingCommands: [...text.matchAll(/^missing (.+)$/gm)].flatMap(([, name]) => name ?? []),
  systemd: /^systemd$/m.test(text),
})

/** `glibc 2.36`, as `getconf GNU_LIBC_VERSION` prints it; a host with another C library has no such line. */
export const glibcIn = (text: string): string | undefined => /^glibc (\d+(?:\.\d+)+)$/m.exec(text)?.[1]

/** Whether a version of numbers and dots comes before another: 2.9 before 2.28. */
export function isOlder(version: string, than: string): boolean {
  const parts = (text: string): number[] => text.split('.').map((part) => Number.parseInt(part, 10))
  const [mine, theirs] = [parts(version), parts(than)]
  const differing = theirs.findIndex((part, index) => (mine[index] ?? 0) !== part)
  return differing >= 0 && (mine[differing] ?? 0) < (theirs[differing] ?? 0)
}
