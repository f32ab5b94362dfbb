// One lab host: its own files, its boot, whether it is ready, and commands on it.
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { NetopsError } from '../model/errors.ts'
import { readTemplate } from '../system/assets.ts'
import type { ExecOptions, ExecResult } from '../system/exec.ts'
import { readTextIfAny } from '../system/files.ts'
import { fleetFiles, makeKey } from './fleet-file.ts'
import { attempt, run, searchPath } from './machine.ts'
import { findHost, hostFolder, labFolder, readKeeper } from './state.ts'
import type { HostRecord, LabHost, LabRecord } from './state.ts'

// A boot takes 2 to 3 s here; a machine under load gets plenty more before we call it failed.
const bootDeadlineMs = 90_000

/** A lab's part of the tree of control groups. */
export const labGroup = (lab: string): string => `netops-lab/${lab}`

/**
 * Lays out a host's folder: what differs from the base image, and where its changes go.
 * @param loginKey the public key that root logs in with
 * @returns the host's public key
 */
export async function prepareHost(record: LabRecord, host: HostRecord, loginKey: string): Promise<string> {
  const folder = hostFolder({ lab: record.name, name: host.name })
  const upper = join(folder, 'upper')
  for (const name of ['root', 'work', 'upper/etc/ssh', 'upper/etc/systemd/network', 'upper/root/.ssh']) {
    await mkdir(join(folder, name), { recursive: true })
  }
  // A folder of the upper layer brings its own permissions: they must not depend on the operator's umask.
  for (const name of ['', 'etc', 'etc/ssh', 'etc/systemd', 'etc/systemd/network']) await chmod(join(upper, name), 0o755)
  for (const name of ['root', 'root/.ssh']) await chmod(join(upper, name), 0o700)

  const names = record.hosts.map(({ name, address }) => `${address} ${name}\n`).join('')
  await place(join(upper, 'etc/hostname'), `${host.name}\n`)
  await place(join(upper, 'etc/hosts'), `127.0.0.1 localhost\n${names}`)
  await place(join(upper, 'root/.ssh/authorized_keys'), `${loginKey}\n`)
  // Sorts before systemd's own 80-container-host0.network, which would ask for DHCP.
  const network = `[Match]\nName=host0\n\n[Network]\nAddress=${host.address}/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n`
  await place(join(upper, 'etc/systemd/network/10-lab.network'), network)
  return makeKey(join(upper, 'etc/ssh/ssh_host_ed25519_key'), `root@${host.name}`)
}

async function place(path: string, text: string): Promise<void> {
  await writeFile(path, text)
  await chmod(path, dirname(path).endsWith('.ssh') ? 0o600 : 0o644)
}

/** Starts a host that then runs on its own: in its own session, without our terminal. */
export async function bootHost(record: LabRecord, host: HostRecord): Promise<void> {
  const ref = { lab: record.name, name: host.name }
  await rm(join(hostFolder(ref), 'keeper.json'), { force: true })
  const inputs = [labFolder(ref.lab), ref.name, host.machine, `${labGroup(ref.lab)}/${ref.name}`, record.base]
  const scripts = [readTemplate('lab/boot-host.sh'), 'boot-host', ...inputs, readTemplate('lab/inside-host.sh')]
  await run(['setsid', '--fork', 'sh', '-c', ...scripts], { cwd: '/' })
}

/**
 * Waits until root can log in over ssh, with the host's known key, and systemd has started everything.
 * @throws NetopsError `failed` with what the console or systemd said when it has not
 */
export async function waitUntilReady(record: LabRecord, host: HostRecord, signal?: AbortSignal): Promise<void> {
  const ref = { lab: record.name, name: host.name }
  const deadline = performance.now() + bootDeadlineMs
  for (let reason = 'it never answered'; ; await sleep(100)) {
    const state = await readKeeper(ref)
    if (state?.alive === false || performance.now() > deadline) {
      throw new NetopsError('failed', {
        host: host.name,
        message: `${host.name} did not boot: ${reason}`,
        hint: `the end of its console:\n${await consoleTail(ref)}`,
      })
    }
    const answer = await attempt([...sshTo(record, host), 'timeout 60 systemctl is-system-running --wait'], { signal })
    if (answer.stdout.trim() === 'running') return
    reason = answer.code === 124 ? 'systemd is still starting units' : answer.stderr.trim() || reason
    if (answer.stdout.trim() === 'degraded') {
      const units = await run([...sshTo(record, host), 'systemctl list-units --failed --plain --no-legend'])
      throw new NetopsError('failed', { host: host.name, message: `units failed on ${host.name}:\n${units.trim()}` })
    }
  }
}

/** The start of an ssh command line that uses the lab's key, trusts only its known hosts, and never asks. */
function sshTo(record: LabRecord, host: HostRecord): string[] {
  const { identity, knownHosts } = fleetFiles(record.out)
  const settings = {
    BatchMode: 'yes',
    IdentitiesOnly: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: `"${knownHosts}"`,
    GlobalKnownHostsFile: '/dev/null',
    ConnectTimeout: '2',
    ServerAliveInterval: '5',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  return ['ssh', '-F', 'none', '-i', identity, ...options, `root@${host.address}`]
}

async function consoleTail(host: LabHost): Promise<string> {
  const text = (await readTextIfAny(join(hostFolder(host), 'console.log'))) ?? ''
  return stripVTControlCharacters(text).trimEnd().split('\n').slice(-12).join('\n')
}

/**
 * Runs a command on a host as root, as it is given, past network and sshd; its exit code is in the result.
 * @throws NetopsError `usage` when there is no such host, `unreachable` when it is off
 */
export async function execOnHost(
  ref: LabHost,
  argv: readonly string[],
  options: Pick<ExecOptions, 'stdin' | 'onLine' | 'signal' | 'timeoutMs'> = {},
): Promise<ExecResult> {
  await findHost(ref)
  const inside = ['env', '--ignore-environment', '--chdir=/root', `PATH=${searchPath}`, 'HOME=/root', 'LANG=C.UTF-8']
  return attempt(['nsenter', `--target=${await initProcess(ref)}`, '--all', '--', ...inside, ...argv], options)
}

/** The machine's number for a host's process 1: the only child of systemd-nspawn, which is the keeper's. */
export async function initProcess(ref: LabHost): Promise<number> {
  const keeper = (await requireRunning(ref)).toString()
  const child = async (pid: string): Promise<string> =>
    (await readTextIfAny(`/proc/${pid}/task/${pid}/children`))?.trim().split(' ')[0] ?? ''
  const init = await child(await child(keeper))
  if (init !== '') return Number(init)
  throw new NetopsError('unreachable', { host: ref.name, message: `${ref.name} is just starting or ending` })
}

/** Where a host's root file system is on this machine while it runs: its own files only, without /proc, /sys and /run. */
export const hostRoot = async (ref: LabHost): Promise<string> =>
  `/proc/${await requireRunning(ref)}/root${hostFolder(ref)}/root`

async function requireRunning(ref: LabHost): Promise<number> {
  const state = await readKeeper(ref)
  if (state?.alive === true) return state.keeper.pid
  throw new NetopsError('unreachable', {
    host: ref.name,
    message: `${ref.name} of lab '${ref.lab}' is not running`,
    hint: `netops lab down --name ${ref.lab}, then netops lab up, for a fresh one`,
  })
}
