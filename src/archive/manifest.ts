// The manifest of an archive: what it is, and the hashes by which it is known to be whole. It ends with its own.
import { join } from 'node:path'
import * as z from 'zod'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { quoteCommand } from '../model/quote.ts'
import { readFileUpTo } from '../system/bounded.ts'
import { sha256OfFile, sha256OfText } from '../system/files.ts'
import { archiveSchema, newerSchema } from './index-file.ts'
import { suffixes, type Compression } from './compression.ts'

const count = z.int().nonnegative()
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const fileName = z.string().regex(/^[\w.-]+$/)

/** Names are as people read them: what is not UTF-8 is written as `\xff`. */
const manifestSchema = z.strictObject({
  netops: z.literal('archive-manifest'),
  schema: z.literal(archiveSchema),
  name: fileName,
  /** When the walk began, and when all was written. */
  begun: z.iso.datetime(),
  ended: z.iso.datetime(),
  /** When all files were last read: what was not changed since is as it was read then. */
  rebuilt: z.iso.datetime(),
  /** The folder to which names are relative. */
  base: z.string(),
  roots: z.array(z.string()),
  exclude: z.array(z.string()),
  compression: z.enum(['gzip', 'zstd']),
  archive: z.strictObject({ file: fileName, bytes: count, sha256 }),
  index: z.strictObject({ file: fileName, bytes: count, sha256 }),
  totals: z.strictObject({
    entries: count,
    files: count,
    folders: count,
    links: count,
    hardlinks: count,
    /** Of all files when they are unpacked, without holes. */
    bytes: count,
    /** Of the tar before compression. */
    raw: count,
    slabs: count,
  }),
  /** What is not in it on purpose. */
  leftOut: z.array(
    z.strictObject({ name: z.string(), why: z.enum(['excluded', 'socket', 'fifo', 'device', 'mount', 'own']) }),
  ),
  /** What is not in it as it should be. */
  troubles: z.array(
    z.strictObject({
      name: z.string(),
      what: z.enum(['unreadable', 'vanished', 'changed', 'missing']),
      reason: z.string(),
    }),
  ),
  /** How many more of either there were than are listed. */
  unlisted: z.strictObject({ leftOut: count, troubles: count }),
  /** Of a PostgreSQL cluster: what a restore of it has to know. */
  cluster: z
    .strictObject({
      /** server_version_num. */
      version: count,
      systemId: z.string(),
      timeline: z.int().min(1),
      segmentBytes: count,
      /** Positions of the log that it needs, from and to; and whether these are in it. */
      from: z.string(),
      to: z.string(),
      hasLog: z.boolean(),
      /** By the server's clock: no earlier state can come of it. */
      consistentAt: z.iso.datetime(),
    })
    .exactOptional(),
  /** The command that unpacks it where there is no netops. */
  restore: z.string(),
})
export type Manifest = z.infer<typeof manifestSchema>
const writtenSchema = manifestSchema.extend({ sha256 })

/** Where an archive lies: three files in a folder, by its name. */
export interface ArchivePlace {
  readonly folder: string
  readonly name: string
}

export const archiveFile = (name: string, compression: Compression): string => `${name}${suffixes[compression]}`
export const indexFile = (name: string): string => `${name}.index.gz`
export const manifestFile = (name: string): string => `${name}.manifest.json`

/** The command that unpacks an archive with GNU tar alone: owners by name where they are known, else by number. */
export function restoreCommand(file: string, base: string, compression: Compression): string {
  const zstd = compression === 'zstd' ? '--zstd' : '--gzip'
  return quoteCommand([
    ...['tar', '--extract', zstd, '--file', file, '--directory', base],
    ...['--same-owner', '--preserve-permissions', '--acls', '--xattrs', '--xattrs-include=*'],
  ])
}

/** The manifest as it is written: the last line but one is the hash of all before it. */
export function manifestText(manifest: Manifest): string {
  const text = JSON.stringify(manifest, undefined, 2).replace(/\n\}$/, ',\n')
  return `${text}${ending(text)}`
}

const ending = (text: string): string => `  "sha256": "${sha256OfText(text)}"\n}\n`
const endingLength = ending('').length

const mostOfAManifest = 64 << 20

/**
 * Reads an archive's manifest.
 * @throws NetopsError `damaged` where there is none or it is not as it was written, `refused` where a newer netops wrote it
 */
export async function readManifest({ folder, name }: ArchivePlace): Promise<Manifest> {
  const path = join(folder, manifestFile(name))
  let text: string
  try {
    text = (await readFileUpTo(path, mostOfAManifest)).toString('latin1')
  } catch (error) {
    const why = systemCode(error) === 'ENOENT' ? 'it is missing' : messageOf(error)
    throw new NetopsError('damaged', { message: `cannot read the manifest ${path}: ${why}`, cause: error })
  }
  return parseManifest(text, path, name)
}

/** The SHA-256 of a manifest's file, as 64 hexadecimal digits: whoever knows it knows the whole archive. */
export const manifestHash = ({ folder, name }: ArchivePlace): Promise<string> =>
  sha256OfFile(join(folder, manifestFile(name)))

/**
 * A manifest's text, however it was read.
 * @param latin1 its bytes, one character each
 * @throws NetopsError as {@link readManifest}
 */
export function parseManifest(latin1: string, path: string, name: string): Manifest {
  const damaged = (why: string): NetopsError =>
    new NetopsError('damaged', { message: `the manifest ${path} is damaged: ${why}` })
  // Byte for byte: text that is not UTF-8 would become other text that is.
  const text = Buffer.from(latin1, 'latin1').toString('utf8')
  const body = text.slice(0, -endingLength)
  if (Buffer.from(text, 'utf8').toString('latin1') !== latin1 || text !== `${body}${ending(body)}`) {
    throw damaged('it is not as it was written')
  }
  const found = z.looseObject({ schema: z.number(), sha256 }).safeParse(parseJson(text))
  if (!found.success) throw damaged(z.prettifyError(found.error))
  if (found.data.schema !== archiveSchema) throw newerSchema(path, found.data.schema)
  const manifest = writtenSchema.safeParse(found.data)
  if (!manifest.success) throw damaged(z.prettifyError(manifest.error))
  const { archive, index, compression } = manifest.data
  const right = archive.file === archiveFile(name, compression) && index.file === indexFile(name)
  if (manifest.data.name !== name || !right) throw damaged('it belongs to another archive')
  return manifestSchema.strip().parse(manifest.data)
}
