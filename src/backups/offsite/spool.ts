// What is on its way elsewhere: encrypted files and how far each is, beside the archives. Encrypting again gives other bytes, so
// whoever goes on after a kill goes on with these.
import { lstat, readdir, rm, rmdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { encryptFile } from '../../archive/encryption/file.ts'
import { archiveFile, indexFile, manifestFile } from '../../archive/manifest.ts'
import { backupId, parseBackupId, type BackupEntry } from '../../model/backup.ts'
import { NetopsError, systemCode } from '../../model/errors.ts'
import { leastFreeDisk } from '../../model/free-disk.ts'
import { parseJson } from '../../model/json.ts'
import { sha256Hex } from '../../model/sha256.ts'
import { formatBytes } from '../../model/units.ts'
import { listIfAny, makeFolder, readTextIfAny, removeTree, sha256OfText, writeFileAtomic } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import { readLocalFile, type LocalFile } from '../../system/local-file.ts'
import type { CopyPart } from './names.ts'
import { recipientsDigest } from './recipients.ts'

const stateFile = 'spool.json'
const mostOfState = 16 * 1024

const stateSchema = z.strictObject({
  schema: z.literal('netops/spool/v1'),
  id: backupId,
  recipients: sha256Hex,
  files: z
    .array(
      z.strictObject({ file: z.string().regex(/^[\w.-]{1,255}$/), bytes: z.int().nonnegative(), sha256: sha256Hex }),
    )
    .max(3),
})
type State = z.output<typeof stateSchema>

/** Where among archives that is. */
export const spoolsIn = (archives: string): string => join(archives, '.offsite')

const spoolFolder = (archives: string, id: string): string => join(spoolsIn(archives), id)

/** The ids of backups that are on their way. */
export const begunCopies = async (archives: string): Promise<readonly string[]> =>
  (await listIfAny(spoolsIn(archives))).filter((name) => parseBackupId(name) !== undefined)

/** Removes what belongs to a backup that is not on its way any more, or is gone. */
export async function removeSpool(archives: string, id: string): Promise<void> {
  await removeTree(spoolFolder(archives, id))
  await rmdir(spoolsIn(archives)).catch((error: unknown) => {
    if (!['ENOTEMPTY', 'ENOENT'].includes(systemCode(error) ?? '')) throw error
  })
}

const isThere = async (folder: string, { files }: State): Promise<boolean> => {
  const found = await Promise.all(files.map(({ file, bytes }) => hasSize(join(folder, file), bytes)))
  return found.every(Boolean)
}

const hasSize = (path: string, bytes: number): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isFile() && found.size === bytes,
    () => false,
  )

/** One backup's files on their way. */
export class Spool {
  readonly #entry: BackupEntry
  readonly #recipients: readonly string[]
  readonly #folder: string
  #state: State | undefined

  private constructor(entry: BackupEntry, recipients: readonly string[], state: State | undefined) {
    this.#entry = entry
    this.#recipients = recipients
    this.#folder = spoolFolder(entry.folder, entry.id)
    this.#state = state
  }

  /**
   * Begins, or goes on with what was begun for the same recipients.
   * @throws NetopsError `refused` where others may write to the folder
   */
  static async open(entry: BackupEntry, recipients: readonly string[]): Promise<Spool> {
    const folder = spoolFolder(entry.folder, entry.id)
    await refuseDistrustedHere([entry.folder])
    await makeFolder(spoolsIn(entry.folder), 0o700)
    await makeFolder(folder, 0o700)
    await refuseDistrustedHere([folder])
    const digest = recipientsDigest(recipients)
    const read = stateSchema.safeParse(parseJson((await readTextIfAny(join(folder, stateFile), mostOfState)) ?? ''))
    const isOurs = read.success && read.data.id === entry.id && read.data.recipients === digest
    const state = isOurs && (await isThere(folder, read.data)) ? read.data : undefined
    // Somebody else's recipients, or what was killed before it was whole.
    const kept = new Set([stateFile, ...(state?.files.map(({ file }) => file) ?? [])])
    for (const name of await readdir(folder)) {
      const isNotes = name.endsWith('.notes') && (state !== undefined || digest === undefined)
      if (!(state !== undefined && kept.has(name)) && !isNotes) await rm(join(folder, name), { force: true })
    }
    return new Spool(entry, recipients, state)
  }

  /**
   * The file that is sent for a part: the backup's own, or encrypted.
   * @throws NetopsError `failed` where there is no room; `interrupted`
   */
  async file(part: CopyPart, signal: AbortSignal): Promise<LocalFile> {
    const { folder, id } = this.#entry
    const name = this.partFile(part)
    const own = join(folder, name)
    const digest = recipientsDigest(this.#recipients)
    if (digest === undefined) return readLocalFile(own)
    const file = `${name}.age`
    const there = this.#state?.files.find((one) => one.file === file)
    if (there !== undefined) return { path: join(this.#folder, file), size: there.bytes, sha256: there.sha256 }
    if (part === 'archive') await this.#refuseWithoutRoom()
    const made = await encryptFile(own, join(this.#folder, file), this.#recipients, signal)
    const files = [...(this.#state?.files ?? []), { file, bytes: made.size, sha256: made.sha256 }]
    this.#state = { schema: 'netops/spool/v1', id, recipients: digest, files }
    await writeFileAtomic(join(this.#folder, stateFile), `${JSON.stringify(this.#state)}\n`, 0o600)
    return made
  }

  /** A small file of text that is sent as it is. */
  async text(name: string, text: string): Promise<LocalFile> {
    const path = join(this.#folder, name)
    await writeFileAtomic(path, text, 0o600)
    return { path, size: Buffer.byteLength(text), sha256: sha256OfText(text) }
  }

  /** The backup's own file of a part. */
  partFile(part: CopyPart): string {
    const { id, compression } = this.#entry
    return { archive: archiveFile(id, compression), index: indexFile(id), manifest: manifestFile(id) }[part]
  }

  /** Where it is noted how far a file is on its way to a place. */
  notes(place: string, name: string): string {
    return join(this.#folder, `${sha256OfText(`${place}\n${name}`).slice(0, 32)}.notes`)
  }

  /** All of it is there, or nothing of it can be used. */
  remove(): Promise<void> {
    return removeSpool(this.#entry.folder, this.#entry.id)
  }

  async #refuseWithoutRoom(): Promise<void> {
    const { bytes, folder } = this.#entry
    const { bavail, bsize } = await statfs(this.#folder)
    const free = bavail * bsize
    // 16 bytes for each 64 KiB, and the header.
    const needed = Math.ceil(bytes * 1.001) + 64 * 1024 + leastFreeDisk
    if (free >= needed) return
    throw new NetopsError('failed', {
      message: `${formatBytes(free)} are free below ${folder}, and ${formatBytes(needed)} are needed to encrypt the copy: nothing was sent`,
      hint: 'make room (netops backup expire --dry-run), then: netops backup copy --missing',
    })
  }
}
