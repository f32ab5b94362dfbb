// Copies a backup to a place: archive, index, manifest, and last the page by which it is there. What was killed is gone on with.
import type { Evidence, OpenPlace, Stored } from '../../drivers/storage/port.ts'
import { isGood, type BackupCopy, type BackupEntry } from '../../model/backup.ts'
import { NetopsError } from '../../model/errors.ts'
import { listBackups, updateBackup } from '../catalogue.ts'
import { refusePrivateKeys } from './keys.ts'
import { copyName, copyParts, pageFile, type CopyPart } from './names.ts'
import { pageText, type CopyObject } from './page.ts'
import { recipientsDigest } from './recipients.ts'
import { Spool } from './spool.ts'

export interface CopyRequest {
  /** The catalogue's folder. */
  readonly catalogue: string
  readonly entry: BackupEntry
  /** As the configuration names it; the catalogue remembers it by that. */
  readonly address: string
  /** The folder of this host there. */
  readonly host: string
  readonly recipients: readonly string[]
}

export interface CopyTools {
  readonly place: OpenPlace
  readonly signal: AbortSignal
  /** Hears how many bytes of the copy are there. */
  readonly onBytes: (done: number) => void
  readonly now: () => Date
}

/** What a copy took. */
export interface CopyMade {
  /** Bytes that were sent. */
  readonly sent: number
  readonly evidence: string
  /** The backup whose archive there is that of this one too; null where it was sent. */
  readonly sameAs: string | null
}

/** Whether a backup has a copy in a place. */
export const hasCopy = ({ copies }: Pick<BackupEntry, 'copies'>, address: string): boolean =>
  copies.some(({ to }) => to === address)

/**
 * Copies a good backup and notes the copy in the catalogue. A repeated call sends only what is missing.
 * @throws NetopsError `refused` for a backup that is not good, and for private keys that nothing would encrypt: before anything
 * is sent; `damaged` where the backup is not what it was; as the place otherwise, and then the backup itself is as it was
 */
export async function copyBackup(request: CopyRequest, tools: CopyTools): Promise<CopyMade> {
  const { catalogue, entry, address, host, recipients } = request
  if (!isGood(entry)) {
    throw new NetopsError('refused', {
      message: `${entry.id} is not copied: it was not read back whole`,
      hint: `netops backup verify ${entry.id}`,
    })
  }
  const there = await ownCopy(request, tools)
  if (there !== undefined) return { sent: 0, evidence: there.evidence, sameAs: null }
  if (recipients.length === 0) await refusePrivateKeys({ folder: entry.folder, name: entry.id }, tools.signal)
  const spool = await Spool.open(entry, recipients)
  const encrypted = recipients.length > 0
  const shared = await sharedArchive(request, tools)
  const objects: (CopyObject & Pick<Stored, 'receipt' | 'evidence'>)[] = []
  let [sent, before] = [0, 0]
  const send = async (name: string, file: Awaited<ReturnType<Spool['file']>>): Promise<Stored> => {
    const stored = await tools.place.putFile(name, file, {
      signal: tools.signal,
      notes: spool.notes(address, name),
      onProgress: ({ done }) => tools.onBytes(before + done),
    })
    sent += stored.sent
    before += file.size
    return stored
  }
  try {
    for (const part of copyParts) {
      if (part === 'archive' && shared !== undefined) {
        objects.push(shared.object)
        continue
      }
      const file = await spool.file(part, tools.signal)
      const name = copyName({ host, id: entry.id }, spool.partFile(part), { sha256: file.sha256, encrypted })
      const { receipt, evidence } = await send(name, file)
      objects.push({ part, name, bytes: file.size, sha256: file.sha256, receipt, evidence })
    }
    const named = objects.map(({ part, name, bytes, sha256 }) => ({ part, name, bytes, sha256 }))
    const page = await spool.text(pageFile(entry.id), pageText(entry, host, { encrypted, objects: named }))
    const name = copyName({ host, id: entry.id }, pageFile(entry.id), { sha256: page.sha256, encrypted: false })
    const { receipt, evidence } = await send(name, page)
    const all = [...objects, { part: undefined, name, bytes: page.size, sha256: page.sha256, receipt, evidence }]
    await updateBackup(catalogue, entry.id, (old) => noted(old, request, all, tools.now()))
  } catch (error) {
    // What was made to be sent is not what it was: the next one makes it anew.
    if (error instanceof NetopsError && error.code === 'damaged') await spool.remove()
    throw error
  }
  return { sent, evidence: objects[0]?.evidence ?? '', sameAs: shared?.of ?? null }
}

interface Sent extends Omit<CopyObject, 'part'>, Pick<Stored, 'receipt' | 'evidence'> {
  readonly part: CopyPart | undefined
}

function noted(old: BackupEntry, request: CopyRequest, objects: readonly Sent[], now: Date): BackupEntry {
  const { address, recipients } = request
  const digest = recipientsDigest(recipients)
  const copy: BackupCopy = {
    to: address,
    objects: objects.map(({ name, bytes, sha256, receipt }) => ({
      ...{ name, bytes, sha256 },
      ...(receipt === undefined ? {} : { receipt }),
    })),
    at: now.toISOString(),
    evidence: objects[0]?.evidence ?? '',
    encrypted: digest !== undefined,
    ...(digest === undefined ? {} : { recipients: digest }),
  }
  return { ...old, copies: [...old.copies.filter(({ to }) => to !== address), copy] }
}

/** The copy that is there already for the same recipients, if all of it is whole. */
async function ownCopy(
  { entry, address, recipients }: CopyRequest,
  { place, signal }: CopyTools,
): Promise<BackupCopy | undefined> {
  const copy = entry.copies.find(({ to, recipients: by }) => to === address && by === recipientsDigest(recipients))
  if (copy === undefined) return undefined
  for (const object of copy.objects) if ((await provenOf(object, place, signal)) === undefined) return undefined
  return copy
}

type Noted = BackupCopy['objects'][number]

/** How it is known that an object is whole where it is; undefined where it is not. */
async function provenOf(
  { name, bytes, sha256, receipt }: Noted,
  place: OpenPlace,
  signal: AbortSignal,
): Promise<Evidence | undefined> {
  try {
    return await place.verify(name, { size: bytes, sha256, receipt }, { signal })
  } catch (error) {
    if (!(error instanceof NetopsError)) throw error
    // A key that may only put cannot look: the name, which holds the hash, is all that there is to go by.
    if (error.code === 'failed') return 'name-alone'
    if (error.code === 'damaged') return undefined
    throw error
  }
}

/** The same archive under another name, where a copy of it for the same recipients is there and whole: it is not sent twice. */
async function sharedArchive(
  { catalogue, entry, address, host, recipients }: CopyRequest,
  { place, signal }: CopyTools,
): Promise<{ readonly of: string; readonly object: CopyObject & Pick<Stored, 'receipt' | 'evidence'> } | undefined> {
  const one = entry.sameAs ?? entry.id
  const { entries } = await listBackups(catalogue)
  for (const { id, sameAs, copies } of entries) {
    if ((sameAs ?? id) !== one) continue
    const copy = copies.find(({ to, recipients: by }) => to === address && by === recipientsDigest(recipients))
    const object = copy?.objects.find(({ name }) => /\.tar\.(?:gz|zst)(?:\.age)?$/.test(name))
    if (object === undefined || !object.name.startsWith(`${host}/`)) continue
    const evidence = await provenOf(object, place, signal)
    if (evidence === undefined) continue
    const { name, bytes, sha256, receipt } = object
    return { of: id, object: { part: 'archive', name, bytes, sha256, receipt, evidence } }
  }
  return undefined
}
