// What is known about the labs on this machine, in one folder each: all that `netops lab down` needs, however `up` ended.
import { join } from 'node:path'
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import { listIfAny, writeFileAtomic } from '../system/files.ts'
import { isAlive, processIdentity } from '../system/processes.ts'
import type { ProcessIdentity } from '../system/processes.ts'
import { readState } from '../system/state-file.ts'

/** On disk, not in /run: the hosts' changed files are in here too, and may be larger than memory. */
export const labsFolder = '/var/lib/netops-lab'

export const labFolder = (lab: string): string => join(labsFolder, lab)

/** One host of one lab, by name. */
export interface LabHost {
  readonly lab: string
  readonly name: string
}

export const hostFolder = (host: LabHost): string => join(labFolder(host.lab), 'hosts', host.name)

// A name becomes a folder, a control group and a host name.
const namePattern = /^[a-z][a-z0-9-]{0,30}$/
const nameRule = 'expected a name of small letters, digits and dashes, such as web1'
export const labName = z.string().regex(namePattern, nameRule)
export const hostNames = z
  .array(z.string().regex(namePattern, nameRule))
  .min(1, 'expected at least one host')
  .max(100, 'expected at most 100 hosts')
  .refine((names) => new Set(names).size === names.length, 'expected each host once')

const labRecord = z.strictObject({
  schema: z.literal('netops/lab/v1'),
  name: labName,
  created: z.iso.datetime(),
  /** The folder with the fleet file, the key and the known hosts. */
  out: z.string(),
  /** The folder of the base image. */
  base: z.string(),
  /** The machine's own end of the lab's network, and its first three numbers: `nolab0`, `10.40.77`. */
  network: z.strictObject({ link: z.string(), prefix: z.string() }),
  hosts: z.array(
    z.strictObject({
      name: z.string(),
      address: z.ipv4(),
      /** What systemd-nspawn calls it: short, since its network interfaces are named after it. */
      machine: z.string(),
    }),
  ),
  /** Whether every host answered once. */
  ready: z.boolean(),
})
export type LabRecord = z.infer<typeof labRecord>
export type HostRecord = LabRecord['hosts'][number]

export const writeRecord = (record: LabRecord): Promise<void> =>
  writeFileAtomic(join(labFolder(record.name), 'lab.json'), `${JSON.stringify(record, null, 2)}\n`)

/**
 * The record of a lab, or undefined where there is none (no such lab, or its start was cut off at once).
 * @throws NetopsError `damaged` where it cannot be read; `netops lab down` needs none
 */
export const readRecord = (lab: string): Promise<LabRecord | undefined> =>
  readState(labRecord, {
    path: join(labFolder(lab), 'lab.json'),
    hint: `remove the lab: netops lab down --name ${lab}`,
  })

/** The names of all labs on this machine, whole or not. */
export const labNames = (): Promise<readonly string[]> => listIfAny(labsFolder)

/** @throws NetopsError `usage` when the lab or the host in it does not exist */
export async function findHost(host: LabHost): Promise<{ record: LabRecord; host: HostRecord }> {
  const record = await readRecord(host.lab)
  if (record === undefined) {
    const labs = await labNames()
    throw new NetopsError('usage', {
      message: `there is no lab '${host.lab}'`,
      hint: labs.length === 0 ? 'netops lab up boots one' : `labs on this machine: ${labs.join(', ')}`,
    })
  }
  const found = record.hosts.find(({ name }) => name === host.name)
  if (found !== undefined) return { record, host: found }
  throw new NetopsError('usage', {
    message: `lab '${host.lab}' has no host '${host.name}'`,
    hint: `its hosts: ${record.hosts.map(({ name }) => name).join(', ')}`,
  })
}

/** The process that keeps a host running: 'running' or 'dead' by number, start time and boot; undefined before its start. */
export async function readKeeper(host: LabHost): Promise<{ keeper: ProcessIdentity; alive: boolean } | undefined> {
  const path = join(hostFolder(host), 'keeper.json')
  const keeper = await readState(processIdentity, { path, hint: `remove the lab: netops lab down --name ${host.lab}` })
  return keeper === undefined ? undefined : { keeper, alive: await isAlive(keeper) }
}
