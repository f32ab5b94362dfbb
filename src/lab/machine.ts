// What a lab asks of the machine it runs on: root, a few packages, and commands run with their usual path.
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { NetopsError } from '../model/errors.ts'
import { exec, execText } from '../system/exec.ts'
import type { ExecOptions, ExecResult } from '../system/exec.ts'

/** Debian packages a lab needs beside the essential ones, each with the commands we take from it. */
const needed: Readonly<Record<string, readonly string[]>> = {
  'systemd-container': ['systemd-nspawn'],
  debootstrap: ['debootstrap'],
  iproute2: ['ip'],
  nftables: ['nft'],
  'openssh-client': ['ssh', 'ssh-keygen'],
}

/** The packages to install before `netops lab up`, for a set-up script. */
export const labPackages: readonly string[] = Object.keys(needed)

// `su` without a dash leaves root without the sbin folders.
const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
export const searchPath = folders.join(':')

const onThisMachine = (options: ExecOptions): ExecOptions => ({
  ...options,
  env: { PATH: searchPath, LC_ALL: 'C.UTF-8', ...options.env },
})

/** Runs a command of this machine, whatever its exit code. */
export const attempt = (argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> =>
  exec(argv, onThisMachine(options))

/**
 * As {@link attempt}, for a command that must succeed; returns its standard output.
 * @throws NetopsError `failed` with what the command said
 */
export const run = (argv: readonly string[], options: ExecOptions = {}): Promise<string> =>
  execText(argv, onThisMachine(options))

/** @throws NetopsError `refused` unless the user is root */
export function requireRoot(userId: number | undefined = process.getuid?.()): void {
  if (userId === 0) return
  throw new NetopsError('refused', {
    message: 'a lab boots real hosts in containers, which only root may do',
    hint: 'run the same command with sudo, or as root in a virtual machine of its own',
  })
}

/**
 * @param has whether a command is installed; only tests pass their own
 * @throws NetopsError `refused` naming the packages that are missing and how to install them
 */
export async function requirePackages(has: (command: string) => Promise<boolean> = installed): Promise<void> {
  const missing: string[] = []
  for (const [name, commands] of Object.entries(needed)) {
    const found = await Promise.all(commands.map((command) => has(command)))
    if (found.includes(false)) missing.push(name)
  }
  if (missing.length === 0) return
  throw new NetopsError('refused', {
    message: `a lab needs ${missing.length === 1 ? 'a package' : 'packages'} that this machine lacks: ${missing.join(', ')}`,
    hint: `apt-get install -y --no-install-recommends ${missing.join(' ')}`,
  })
}

async function installed(command: string): Promise<boolean> {
  const found = await Promise.allSettled(folders.map((folder) => access(`${folder}/${command}`, constants.X_OK)))
  return found.some((result) => result.status === 'fulfilled')
}
