// The tools that netops is compared with: how each runs a command, and copies a file, over the same hosts.
import { access, constants, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { exec, type ExecResult } from '../../src/system/exec.ts'
import type { HostSet } from './ssh-hosts.ts'

export interface Peer {
  readonly name: string
  readonly program: string
  /** The Debian package that has it. */
  readonly from: string
  readonly argv: (set: HostSet) => readonly string[]
  /** What its output has once for each host on which it succeeded, where it tells. */
  readonly success?: RegExp
  /** Takes part in every so many rounds. */
  readonly every?: number
}

const ssh = ({ sshConfig }: HostSet): string[] => ['ssh', '-F', sshConfig]
const all = ({ hosts }: HostSet): string => `${hosts.length}`

const ansible = (set: HostSet, module: string, words: string): string[] => [
  ...['ansible', 'all', '-i', set.ansibleInventory, '-f', all(set)],
  ...[`--ssh-common-args=-F ${set.sshConfig}`, '-m', module, '-a', words],
]

/** @param command one word: each tool has its own way to quote more */
export const commandPeers = (command: string): readonly Peer[] => [
  {
    name: 'xargs -P ssh',
    program: 'xargs',
    from: 'findutils',
    argv: (set) => ['xargs', '-a', set.list, '-P', all(set), '-I{}', ...ssh(set), '{}', command],
  },
  {
    name: 'pssh',
    program: 'parallel-ssh',
    from: 'pssh',
    argv: (set) => ['parallel-ssh', '-h', set.list, '-p', all(set), '-x', `-F ${set.sshConfig}`, command],
    success: /\[SUCCESS\]/g,
  },
  {
    name: 'pdsh -R ssh',
    program: 'pdsh',
    from: 'pdsh',
    argv: (set) => [
      ...['env', `PDSH_SSH_ARGS_APPEND=-F ${set.sshConfig}`],
      ...['pdsh', '-R', 'ssh', '-S', '-f', all(set), '-w', `^${set.list}`, command],
    ],
  },
  {
    name: 'clush',
    program: 'clush',
    from: 'clustershell',
    argv: (set) => [
      'clush',
      '-n',
      '-S',
      '-f',
      all(set),
      `--hostfile=${set.list}`,
      '-o',
      `-F ${set.sshConfig}`,
      command,
    ],
  },
  {
    name: 'ansible raw',
    program: 'ansible',
    from: 'ansible',
    argv: (set) => ansible(set, 'raw', command),
    success: /\| rc=0 /g,
    every: 2,
  },
  {
    name: 'ansible command',
    program: 'ansible',
    from: 'ansible',
    argv: (set) => ansible(set, 'command', command),
    success: /\| rc=0 /g,
    every: 2,
  },
]

/** @param to relative to where the host's SFTP server starts */
export const copyPeers = (file: string, to: string): readonly Peer[] => [
  {
    name: 'scp',
    program: 'scp',
    from: 'openssh-client',
    argv: (set) => [
      ...['xargs', '-a', set.list, '-P', all(set), '-I{}'],
      ...['scp', '-q', '-F', set.sshConfig, file, `{}:${to}`],
    ],
  },
  {
    name: 'pscp',
    program: 'parallel-scp',
    from: 'pssh',
    argv: (set) => ['parallel-scp', '-h', set.list, '-p', all(set), '-x', `-F ${set.sshConfig}`, file, to],
    success: /\[SUCCESS\]/g,
    every: 2,
  },
  {
    name: 'ansible copy',
    program: 'ansible',
    from: 'ansible',
    argv: (set) => {
      const folder = set.hosts[0]?.files.replace(`/${set.hosts[0].name}/`, '/{{ inventory_hostname }}/') ?? ''
      return ansible(set, 'copy', `src=${file} dest=${folder}/${to}`)
    },
    success: /\| CHANGED => /g,
    every: 2,
  },
]

/** The environment of every tool: nothing of the operator's own reaches it. */
export const toolEnvironment = (folder: string): Readonly<Record<string, string | undefined>> => ({
  SSH_AUTH_SOCK: undefined,
  NETOPS_STATE_DIR: join(folder, 'state'),
  ANSIBLE_CONFIG: ansibleSettings(folder),
  ANSIBLE_HOME: join(folder, 'ansible-home'),
  ANSIBLE_LOCAL_TEMP: join(folder, 'ansible-home', 'local'),
  ANSIBLE_REMOTE_TMP: join(folder, 'ansible-home', 'remote'),
  ANSIBLE_SSH_CONTROL_PATH_DIR: mastersOf(folder),
  // Looking for it would take another command on each host.
  ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
  ANSIBLE_NOCOLOR: '1',
})

/** An empty file: ansible as it is. */
export const ansibleSettings = (folder: string): string => join(folder, 'ansible.cfg')

const mastersOf = (folder: string): string => join(folder, 'masters')

/** Ends the connections that ansible keeps for a minute, so that each of its runs begins as all the others do. */
export async function endMasters(folder: string): Promise<void> {
  const sockets = await readdir(mastersOf(folder)).catch(() => []) // ansible has not run yet
  await Promise.all(sockets.map((name) => exec(['ssh', '-S', join(mastersOf(folder), name), '-O', 'exit', 'it'])))
}

/** @throws where it failed on a host, as far as its exit code and output tell */
export function requireSuccess(
  name: string,
  { code, stdout, stderr }: ExecResult,
  set: HostSet,
  success?: RegExp,
): void {
  const told = success === undefined ? set.hosts.length : [...stdout.matchAll(success)].length
  if (code === 0 && told === set.hosts.length) return
  const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-10).join('\n')
  throw new Error(`${name} exited with ${code}, with success on ${told} of ${set.hosts.length} hosts: ${said}`)
}

/** Those whose program is on the PATH. */
export async function present(peers: readonly Peer[], path = process.env.PATH ?? ''): Promise<readonly Peer[]> {
  const isThere = async (program: string): Promise<boolean> => {
    const places = path.split(delimiter).map((folder) => access(join(folder, program), constants.X_OK))
    return (await Promise.allSettled(places)).some(({ status }) => status === 'fulfilled')
  }
  const there = await Promise.all(peers.map(({ program }) => isThere(program)))
  return peers.filter((_, index) => there[index])
}
