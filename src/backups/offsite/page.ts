// The page of a copy: which objects a backup consists of elsewhere. It is stored last, so with it the copy is there; it holds
// nothing that is secret, and can be read without an identity.
import * as z from 'zod'
import { backupId, type BackupEntry } from '../../model/backup.ts'
import { NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { copyHost } from '../../model/offsite.ts'
import { sha256Hex } from '../../model/sha256.ts'
import { copyParts, parsePageName } from './names.ts'

const count = z.int().nonnegative()
const objectName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._+@-]{0,199}\/[a-z]+_\d{8}_\d{6}\.[0-9a-f]{12}\.[a-z.]{1,30}$/)

const pageSchema = z.strictObject({
  schema: z.literal('netops/copy/v1'),
  id: backupId,
  host: copyHost,
  madeAt: z.iso.datetime(),
  file: z.string().regex(/^[\w.-]{1,255}$/),
  compression: z.enum(['gzip', 'zstd']),
  /** Bytes of the archive, not encrypted. */
  bytes: count,
  rawBytes: count,
  /** Of the manifest, not encrypted. */
  manifestSha256: sha256Hex,
  encrypted: z.boolean(),
  objects: z
    .array(z.strictObject({ part: z.enum(copyParts), name: objectName, bytes: count, sha256: sha256Hex }))
    .length(copyParts.length),
})
export type CopyPage = z.output<typeof pageSchema>
export type CopyObject = CopyPage['objects'][number]

/** A page is some hundred bytes. */
export const mostOfAPage = 64 * 1024

/** The page for a backup whose objects are stored. */
export function pageText(
  entry: Pick<BackupEntry, 'id' | 'madeAt' | 'file' | 'compression' | 'bytes' | 'rawBytes' | 'manifestSha256'>,
  host: string,
  { encrypted, objects }: Pick<CopyPage, 'encrypted' | 'objects'>,
): string {
  const { id, madeAt, file, compression, bytes, rawBytes, manifestSha256 } = entry
  const page: CopyPage = {
    ...{ schema: 'netops/copy/v1', id, host, madeAt, file, compression, bytes, rawBytes, manifestSha256 },
    ...{ encrypted, objects: [...objects] },
  }
  return `${JSON.stringify(page, undefined, 2)}\n`
}

/**
 * Reads a page that came from elsewhere.
 * @param name the object’s name: the page must be about the same, and name objects of the same host alone
 * @throws NetopsError `damaged` where it is none; `refused` where a newer netops wrote it
 */
export function parsePage(text: string, name: string): CopyPage {
  const damaged = (why: string): NetopsError =>
    new NetopsError('damaged', { message: `${name} is no page of a copy: ${why}`, hint: 'take another copy' })
  const value = parseJson(text)
  const version = z.looseObject({ schema: z.string() }).safeParse(value)
  if (version.success && /^netops\/copy\/v(?!1$)\d+$/.test(version.data.schema)) {
    throw new NetopsError('refused', {
      message: `${name} was written by a newer netops (${version.data.schema.slice(0, 40)})`,
      hint: 'use that one',
    })
  }
  const found = pageSchema.safeParse(value)
  if (!found.success) throw damaged(z.prettifyError(found.error).slice(0, 500))
  const page = found.data
  const named = parsePageName(name)
  if (named?.id !== page.id || named.host !== page.host) throw damaged('it is about another backup')
  const stray = page.objects.some((object) => !object.name.startsWith(`${page.host}/`))
  const isWhole = copyParts.every((part) => page.objects.some((object) => object.part === part))
  if (stray || !isWhole) throw damaged('its objects are not those of one copy')
  return page
}
