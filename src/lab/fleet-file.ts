// The folder a lab is reached through: fleet file, throwaway key and known hosts, in the form every fleet procedure reads.
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { NetopsError, systemCode } from '../model/errors.ts'
import { listIfAny, readTextIfAny, writeFileAtomic } from '../system/files.ts'
import { run } from './machine.ts'
import type { LabRecord } from './state.ts'

export interface FleetFiles {
  readonly inventory: string
  readonly identity: string
  readonly knownHosts: string
}

export const fleetFiles = (out: string): FleetFiles => ({
  inventory: join(out, 'netops.yml'),
  identity: join(out, 'id_ed25519'),
  knownHosts: join(out, 'known_hosts'),
})

/** @throws NetopsError `refused` when the folder already holds something we would replace */
export async function requireUnused(out: string): Promise<void> {
  const taken = (await listIfAny(out)).filter((name) => /^(netops\.yml|id_ed25519(\.pub)?|known_hosts)$/.test(name))
  if (taken.length === 0) return
  throw new NetopsError('refused', {
    message: `${out} already holds ${taken.join(', ')}, which a lab would replace`,
    hint: 'name another folder with --out, or move those files away',
  })
}

/** Makes a fresh ed25519 key pair in two files; returns the public key: `ssh-ed25519 AAAA...`. */
export async function makeKey(path: string, comment: string): Promise<string> {
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path])
  const text = await readTextIfAny(`${path}.pub`)
  return (text ?? '').trim()
}

/** The fleet file of a lab (docs/configuration.md); the same lab always gives the same text. */
function renderFleetFile(record: LabRecord): string {
  const { identity, knownHosts } = fleetFiles(record.out)
  return [
    `# Written by netops lab up: the hosts of lab ${record.name}. netops lab down --name ${record.name} removes it.`,
    `ssh: { user: root, identity: ${JSON.stringify(identity)}, known_hosts: ${JSON.stringify(knownHosts)} }`,
    'hosts:',
    ...record.hosts.map(({ name, address }) => `  ${name}: { address: ${address}, roles: [backend] }`),
    '',
  ].join('\n')
}

/** Makes the folder and the key to log in with; returns the public key. */
export async function makeIdentity(record: LabRecord): Promise<string> {
  await mkdir(record.out, { recursive: true })
  return makeKey(fleetFiles(record.out).identity, `netops lab ${record.name}`)
}

/** @param hostKeys each host's public key by host name */
export async function writeFleetFiles(record: LabRecord, hostKeys: ReadonlyMap<string, string>): Promise<void> {
  const { inventory, knownHosts } = fleetFiles(record.out)
  const lines = record.hosts.map(({ name, address }) => `${address} ${hostKeys.get(name) ?? ''}\n`)
  await writeFileAtomic(knownHosts, lines.join(''))
  await writeFileAtomic(inventory, renderFleetFile(record))
}

/** Removes what a lab wrote; a fleet file that was edited since stays, and its path is returned. */
export async function removeFleetFiles(record: LabRecord): Promise<string | undefined> {
  const { inventory, identity, knownHosts } = fleetFiles(record.out)
  const text = await readTextIfAny(inventory)
  const edited = text !== undefined && text !== renderFleetFile(record)
  const ours = [identity, `${identity}.pub`, knownHosts, ...(edited ? [] : [inventory])]
  await Promise.all(ours.map((path) => rm(path, { force: true })))
  await removeIfEmpty(record.out)
  return edited ? inventory : undefined
}

/** Removes a folder unless something is in it or mounted on it. */
export async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'ENOENT', 'EBUSY'].includes(systemCode(error) ?? '')) throw error
  }
}
