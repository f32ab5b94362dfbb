// What a host says of a backup before it is restored: run on the host itself, where the archive lies. Writes nothing but one
// file of the archive, into a folder of its own that is gone afterwards.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { extractArchive } from '../../archive/extract.ts'
import { readManifest } from '../../archive/manifest.ts'
import { listBackups } from '../../backups/catalogue.ts'
import { chooseBackup, inCatalogue, inFolder, proofOf, topsOf, type Candidate } from '../../backups/restore-choice.ts'
import { lookAtRestore } from '../../backups/restore-look.ts'
import { readServerConfig } from '../../config/server-config.ts'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import { mostOfConfig, readFileUpTo } from '../../system/bounded.ts'
import { sha256OfText } from '../../system/files.ts'
import { endpointsIn } from '../deploy/configs.ts'
import type { HostLook } from './request.ts'

export interface Asked {
  readonly root: string
  /** An id, `latest` or a time. */
  readonly which: string
  /** A folder with archives, in the place of the catalogue. */
  readonly from: string | undefined
  readonly only: readonly string[]
}

/**
 * Chooses among a host's backups of files.
 * @throws NetopsError `failed` where there is none, `damaged` where it is known to be damaged
 */
export async function chooseHere({ root, which, from }: Omit<Asked, 'only'>): Promise<Candidate> {
  const { catalogue } = hostPaths(root)
  if (from !== undefined) return chooseBackup(which, await inFolder(from), from)
  const { entries, damaged } = await listBackups(catalogue)
  const [unread] = damaged
  if (entries.length === 0 && unread !== undefined) throw unread
  return chooseBackup(which, inCatalogue(entries), 'the catalogue of this host')
}

/** @throws NetopsError as {@link chooseHere} and `lookAtRestore`; `usage` where the archive's configuration is not valid */
export async function lookHere(asked: Asked): Promise<HostLook> {
  const { id, folder, entry } = await chooseHere(asked)
  const look = await lookAtRestore({ base: asked.root, folder, name: id, only: asked.only })
  if (entry !== undefined && entry.manifestSha256 !== look.archive.manifestSha256) {
    throw new NetopsError('damaged', {
      message: `the archive ${id} in ${folder} is another one than the catalogue says`,
      hint: `netops backup verify ${id}`,
    })
  }
  const config = look.isConfig ? await readArchivedConfig(folder, id) : null
  return { id, proof: proofOf(entry), dataSchema: entry?.dataSchema ?? null, config, look }
}

async function readArchivedConfig(folder: string, id: string): Promise<HostLook['config']> {
  const scratch = await mkdtemp(join(tmpdir(), 'netops-restore-look-'))
  try {
    const name = 'etc/network_system/config.yaml'
    const into = join(scratch, 'unpacked')
    await extractArchive({ place: { folder, name: id }, into, only: [name] })
    const text = (await readFileUpTo(join(into, name), mostOfConfig)).toString('utf8')
    const { value } = readServerConfig(text, `${id}:/${name}`)
    return {
      sha256: sha256OfText(text),
      endpoints: endpointsIn(value),
      driver: value.database.driver,
      names: [...namedFiles(value)],
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const namedFiles = ({ security, auth, database }: ServerConfig): readonly string[] =>
  [security.cert_file, security.key_file, auth.jwt_secret_file, database.password_file, database.ssl_ca_file].flatMap(
    (path) => path ?? [],
  )

export interface UnpackedHere {
  readonly backup: string
  readonly to: string
  readonly entries: number
}

/**
 * Unpacks a backup into a folder that is empty or not there yet.
 * @param to absolute
 * @throws NetopsError as {@link chooseHere} and `extractArchive`
 */
export async function unpackHere(asked: Asked, to: string, signal: AbortSignal): Promise<UnpackedHere> {
  const { id, folder } = await chooseHere(asked)
  const place = { folder, name: id }
  const { roots } = await readManifest(place)
  const only = topsOf(asked.only, roots).map((top) => Buffer.from(top, 'latin1').toString('utf8'))
  const { entries } = await extractArchive(
    { place, into: to, ...(asked.only.length === 0 ? {} : { only }) },
    { signal },
  )
  return { backup: id, to, entries }
}
