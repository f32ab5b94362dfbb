// A lab as a whole: brought up so that every host answers, listed, and taken down without a trace.
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { failureOf, type Failure } from '../model/failure.ts'
import { readTemplate } from '../system/assets.ts'
import { listIfAny, removeTree } from '../system/files.ts'
import { signalProcess } from '../system/processes.ts'
import { ensureBase } from './base.ts'
import {
  fleetFiles,
  makeIdentity,
  removeFleetFiles,
  removeIfEmpty,
  requireUnused,
  writeFleetFiles,
} from './fleet-file.ts'
import type { FleetFiles } from './fleet-file.ts'
import { bootHost, labGroup, prepareHost, waitUntilReady } from './host.ts'
import { requirePackages, requireRoot, run } from './machine.ts'
import { createNetwork, removeNetwork } from './network.ts'
import { labFolder, labNames, labsFolder, readKeeper, readRecord, writeRecord } from './state.ts'
import type { LabHost, LabRecord } from './state.ts'

export interface LabWish {
  readonly name: string
  /** The names of the hosts, in the order of their addresses. */
  readonly hosts: readonly string[]
  /** The folder to write the fleet file, the key and the known hosts to; made if need be. */
  readonly out: string
  /** Told before anything that takes more than a second. */
  readonly progress?: (line: string) => void
  readonly signal?: AbortSignal
}

/** A running lab. Its hosts go to {@link execOnHost} and the faults as they are. */
export interface Lab extends FleetFiles {
  readonly name: string
  readonly hosts: readonly (LabHost & { readonly address: string })[]
}

/**
 * Boots a lab and returns when root can log in on every host and systemd there has started everything.
 * Whatever fails, nothing of the lab stays.
 * @throws NetopsError `refused` when this machine cannot run labs, or the lab or the files already exist
 */
export async function startLab(wish: LabWish): Promise<Lab> {
  const progress = wish.progress ?? (() => undefined)
  const out = resolve(wish.out)
  requireRoot()
  await requirePackages()
  await requireNoLab(wish.name)
  await requireUnused(out)
  const base = await ensureBase(progress, wish.signal)
  await claimFolder(wish.name)
  try {
    const network = await createNetwork(wish.name)
    const hosts = wish.hosts.map((name, index) => ({
      name,
      address: `${network.prefix}.${11 + index}`,
      machine: `h${11 + index}`,
    }))
    const created = new Date().toISOString()
    const record: LabRecord = {
      schema: 'netops/lab/v1',
      name: wish.name,
      created,
      out,
      base,
      network,
      hosts,
      ready: false,
    }
    await writeRecord(record)
    progress(`booting ${hosts.map(({ name }) => name).join(', ')} on ${network.prefix}.0/24`)
    await bootAll(record, wish.signal)
    await writeRecord({ ...record, ready: true })
    return {
      ...fleetFiles(out),
      name: wish.name,
      hosts: hosts.map(({ name, address }) => ({ lab: wish.name, name, address })),
    }
  } catch (error) {
    await removeAfter(error, wish.name)
    if (wish.signal?.aborted !== true) throw error
    throw new NetopsError('interrupted', {
      message: `stopped while lab '${wish.name}' was booting; nothing of it stays`,
    })
  }
}

async function removeAfter(error: unknown, name: string): Promise<void> {
  try {
    await stopLab(name)
  } catch (second) {
    throw new NetopsError('failed', {
      message: `${messageOf(error)}\nand what there is of lab '${name}' could not be removed: ${messageOf(second)}`,
      hint: `netops lab down --name ${name}`,
      cause: error,
    })
  }
}

async function bootAll(record: LabRecord, signal: AbortSignal | undefined): Promise<void> {
  const loginKey = await makeIdentity(record)
  const hostKeys = new Map<string, string>()
  for (const host of record.hosts) hostKeys.set(host.name, await prepareHost(record, host, loginKey))
  await writeFleetFiles(record, hostKeys)
  for (const host of record.hosts) await bootHost(record, host)
  await Promise.all(record.hosts.map((host) => waitUntilReady(record, host, signal)))
}

/** @throws NetopsError `refused` saying what there is of a lab of this name, and what to do */
async function requireNoLab(name: string): Promise<void> {
  const lab = (await listLabs()).find((other) => other.name === name)
  if (lab === undefined) return
  const dead = lab.hosts.filter(({ state }) => state === 'dead').map((host) => host.name)
  const what = lab.state === 'running' ? 'is already up' : `is half there (${dead.join(', ') || 'no host'} not running)`
  throw new NetopsError('refused', {
    message: `lab '${name}' ${what}`,
    hint: `netops lab down --name ${name} removes it; --name boots another one beside it`,
  })
}

/** Takes the name: of two that start at once, one makes the folder. */
async function claimFolder(name: string): Promise<void> {
  for (;;) {
    await mkdir(labsFolder, { recursive: true, mode: 0o700 })
    try {
      await mkdir(labFolder(name))
      return
    } catch (error) {
      if (systemCode(error) === 'EEXIST') await requireNoLab(name)
      // The last other lab was taken down between the two calls, and its end took the empty folder of all labs away.
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
}

export interface StoppedLab {
  /** Whether there was anything of the lab. */
  readonly found: boolean
  /** A fleet file that was edited since, and therefore left where it is. */
  readonly kept: string | undefined
}

/** Removes a lab, or what there is of it: processes, control groups, network, mounts, files. */
export async function stopLab(name: string): Promise<StoppedLab> {
  requireRoot()
  const folder = labFolder(name)
  if (!(await labNames()).includes(name)) return { found: false, kept: undefined }
  // First the mark, then the keepers: a host that is starting at this moment sees the one or is seen (boot-host.sh).
  await writeFile(join(folder, 'stopping'), '')
  for (const host of await listIfAny(join(folder, 'hosts'))) {
    // One whose file is damaged is found by its control group below.
    const state = await readKeeper({ lab: name, name: host }).catch(ignoreDamage)
    if (state !== undefined) await signalProcess(state.keeper, 'SIGKILL')
  }
  const mountPoint = join(folder, 'groups')
  await mkdir(mountPoint, { recursive: true })
  const script = ['sh', '-c', readTemplate('lab/remove-groups.sh'), 'remove-groups', mountPoint, labGroup(name)]
  await run(['unshare', '--mount', '--propagation', 'private', ...script])
  await removeNetwork(name)
  // Without its record nobody knows where its fleet file lies.
  const record = await readRecord(name).catch(ignoreDamage)
  const kept = record === undefined ? undefined : await removeFleetFiles(record)
  // Whoever was root on a host may have left links in it.
  await removeTree(folder)
  await removeIfEmpty(labsFolder)
  return { found: true, kept }
}

const ignoreDamage = (error: unknown): undefined => {
  if (error instanceof NetopsError) return undefined
  throw error
}

export interface LabStatus {
  readonly name: string
  /** Running when all of it is; a lab whose start was cut off is dead. */
  readonly state: 'running' | 'dead'
  /** The folder with its fleet file, if it got that far. */
  readonly out: string | undefined
  readonly hosts: readonly { readonly name: string; readonly address: string; readonly state: 'running' | 'dead' }[]
  /** What of its files cannot be read. */
  readonly damaged?: Failure
}

/** Every lab on this machine. */
export async function listLabs(): Promise<readonly LabStatus[]> {
  requireRoot()
  return Promise.all((await labNames()).map(statusOf))
}

/** One that is damaged keeps nobody from the others. */
async function statusOf(name: string): Promise<LabStatus> {
  try {
    return await readStatus(name)
  } catch (error) {
    if (!(error instanceof NetopsError)) throw error
    return { name, state: 'dead', out: undefined, hosts: [], damaged: failureOf(error) }
  }
}

async function readStatus(name: string): Promise<LabStatus> {
  const record = await readRecord(name)
  const hosts = await Promise.all(
    (record?.hosts ?? []).map(async (host) => {
      const alive = (await readKeeper({ lab: name, name: host.name }))?.alive === true
      return { name: host.name, address: host.address, state: alive ? 'running' : 'dead' } as const
    }),
  )
  const whole = record?.ready === true && hosts.every(({ state }) => state === 'running')
  return { name, state: whole ? 'running' : 'dead', out: record?.out, hosts }
}
