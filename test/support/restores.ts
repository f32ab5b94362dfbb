// A site with a backup in its catalogue, and records to tell states apart by.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { makeArchive } from '../../src/archive/make.ts'
import { manifestHash } from '../../src/archive/manifest.ts'
import { addBackup } from '../../src/backups/catalogue.ts'
import { liveFiles } from '../../src/backups/live-files.ts'
import type { BackupEntry } from '../../src/model/backup.ts'
import { backupEntryOf } from './backups.ts'
import { makeSite, smallRelease, type Release, type Site } from './site.ts'

export const dataDirOf = ({ root }: Site): string => join(root, 'var/lib/network_system')

/** A site where release 1.0.0 is in service and takes records from everybody. */
export async function siteWithRecords(): Promise<{ site: Site; release: Release }> {
  const site = await makeSite()
  const release = await smallRelease(site, '1.0.0')
  const config = await site.config()
  await writeFile(config, `${await readFile(config, 'utf8')}security: { auth: none }\n`)
  expect(await site.deploy(release, ['--config', config])).toMatchObject({ code: 0 })
  return { site, release }
}

let madeMs = Date.parse('2026-11-27T02:00:00Z')

/** Makes a backup of a site's configuration and state, as `netops backup` would; returns its id. */
export async function backUp(site: Site, differences: Partial<BackupEntry> = {}): Promise<string> {
  madeMs += 1000
  const entry = backupEntryOf(madeMs, { folder: site.paths.backups, ...differences })
  const place = { folder: site.paths.backups, name: entry.id }
  const { manifest } = await makeArchive({
    ...{ place, base: site.root, roots: ['etc/network_system', 'var/lib/network_system'] },
    ...{ exclude: liveFiles, compression: 'gzip' as const },
  })
  expect(manifest.troubles).toEqual([])
  await addBackup(site.paths.catalogue, { ...entry, manifestSha256: await manifestHash(place) })
  return entry.id
}

/** Writes a record, or reads it: what it holds, undefined where there is none. */
export async function putRecord({ ports }: Site, key: string, value: string): Promise<void> {
  const answer = await fetch(recordUrl(ports.server, key), {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ value }),
  })
  expect(answer.status).toBeLessThan(300)
}

export async function recordOf({ ports }: Site, key: string): Promise<string | undefined> {
  const answer = await fetch(recordUrl(ports.server, key))
  if (answer.status === 404) return undefined
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { readonly value: string }).value
}

const recordUrl = (port: number, key: string): string => `http://127.0.0.1:${port}/v1/records/things/${key}`
