// One object to S3: at once where it is small, else in parts, of which a later put sends only those that are missing.
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import type { Evidence, Notes } from './port.ts'
import { PassingFault, wasLeft } from './retry.ts'
import type { S3Bucket } from './s3-client.ts'
import { isForbidden, isNamed, isUnknownThere } from './s3-errors.ts'
import { md5Of, partsAtOnce, partSizeFor, plainTag, tagOfParts } from './s3-parts.ts'
import type { Sending } from './sending.ts'
import { Reading } from './source.ts'

/** An object that is to be stored. */
export interface ToStore {
  readonly name: string
  readonly key: string
  readonly sending: Sending
  readonly notes: Notes | undefined
  /** Whether the service is told to store it only where the name is free. */
  readonly onlyIfFree: boolean
}

export interface Arrived {
  readonly evidence: Evidence
  readonly receipt: string
}

/** What was sent earlier is not there any more: the put is to begin anew. */
export class BeginAnew extends NetopsError {}

/** What the object was said to hold, kept beside it by the service. */
export const hashKey = 'netops-sha256'

const notesSchema = z.strictObject({
  netops: z.literal(1),
  key: z.string(),
  sha256: z.string(),
  partSize: z.number().int().positive(),
  upload: z.string().min(1),
  /** Number, MD5 and entity tag of each part that has arrived. */
  parts: z.array(z.tuple([z.number().int().positive(), z.string(), z.string()])),
})
type NotedUpload = z.infer<typeof notesSchema>

interface Kept {
  readonly size: number | undefined
  readonly tag: string
}

/** The answer to a part or an object: whether its entity tag is no MD5, because the service encrypts with keys of its own kind. */
interface Tagged {
  readonly ETag?: string | undefined
  readonly ServerSideEncryption?: string | undefined
  readonly SSECustomerAlgorithm?: string | undefined
}

// Amazon S3 User Guide, "Checking object integrity": of objects encrypted with SSE-C or SSE-KMS the tag is no MD5.
const isOpaque = ({ ServerSideEncryption: by = '', SSECustomerAlgorithm: own }: Tagged): boolean =>
  by.startsWith('aws:kms') || own !== undefined

/** The entity tag of what was sent. @throws PassingFault where the service has something else */
function tagOf(answer: Tagged, md5: Buffer, what: string): { readonly tag: string; readonly evidence: Evidence } {
  const tag = plainTag(answer.ETag)
  if (isOpaque(answer)) return { tag, evidence: 'accepted-by-service' }
  if (tag === md5.toString('hex')) return { tag, evidence: 'checksum-of-service' }
  const message = `${what}: what arrived is not what was sent: the service has ${tag || 'no tag'}, not ${md5.toString('hex')}`
  throw new PassingFault('damaged', { message, hint: 'something on the way there, or there, changes it' })
}

/** Stores an object. @throws BeginAnew where parts of an earlier put are gone */
export const upload = (bucket: S3Bucket, object: ToStore): Promise<Arrived> =>
  object.sending.source.size <= partSizeFor(object.sending.source.size)
    ? atOnce(bucket, object)
    : new InParts(bucket, object).run()

/** Whether the service says that the name is taken: 412, or 409 while another put of it is under way. */
export const isTaken = (error: unknown): boolean => isNamed(error, 'PreconditionFailed', 'ConditionalRequestConflict')
const mayBeTold = (error: unknown): boolean => isTaken(error) || isUnknownThere(error)

async function atOnce(bucket: S3Bucket, { name, key, sending, onlyIfFree }: ToStore): Promise<Arrived> {
  const { source, signal } = sending
  const bytes: Buffer[] = []
  // One piece; what the source is by its hash is known before anything is sent.
  for await (const piece of new Reading(source).pieces(Math.max(1, source.size))) bytes.push(piece)
  const [body = Buffer.alloc(0)] = bytes
  const md5 = md5Of(body)
  const what = `storing ${name}`
  const answer = await bucket.ask(what, { signal, expects: mayBeTold }, async (client, sdk, options) => {
    const command = new sdk.PutObjectCommand({
      Bucket: bucket.at.bucket,
      Key: key,
      Body: body,
      ContentLength: body.length,
      ContentMD5: md5.toString('base64'),
      Metadata: { [hashKey]: source.sha256 },
      ...(onlyIfFree ? { IfNoneMatch: '*' } : {}),
    })
    sending.arrived(0, body.length)
    return tagOf(await client.send(command, options), md5, what)
  })
  sending.arrived(body.length, 0)
  return { evidence: answer.evidence, receipt: answer.tag }
}

class InParts {
  readonly #bucket: S3Bucket
  readonly #object: ToStore
  readonly #partSize: number
  readonly #at: { readonly Bucket: string; readonly Key: string }
  readonly #what: string
  /** By their numbers, in order. */
  readonly #md5s: Buffer[] = []
  readonly #tags = new Map<number, string>()
  #id = ''
  #areOpaque = false
  #unsaved = 0

  constructor(bucket: S3Bucket, object: ToStore) {
    this.#bucket = bucket
    this.#object = object
    this.#partSize = partSizeFor(object.sending.source.size)
    this.#at = { Bucket: bucket.at.bucket, Key: object.key }
    this.#what = `storing ${object.name}`
  }

  async run(): Promise<Arrived> {
    const noted = await this.#noted()
    const there = noted === undefined ? undefined : await this.#partsThere(noted)
    if (there === undefined) await this.#begin()
    else this.#id = noted?.upload ?? ''
    try {
      await this.#sendMissing(noted, there)
    } catch (error) {
      if (isNamed(error, 'NoSuchUpload')) throw await this.#gone()
      // What the source holds now is another object: nothing of this one is of use.
      if (error instanceof NetopsError && error.code === 'damaged' && !(error instanceof PassingFault))
        await this.abort()
      else await this.#save().catch(() => undefined)
      throw error
    }
    await this.#save()
    const arrived = await this.#complete()
    await this.#object.notes?.clear()
    return arrived
  }

  /** Gives up what was sent; the service removes it. */
  async abort(): Promise<void> {
    await abortUpload(this.#bucket, this.#object.key, this.#id).catch(() => undefined)
    await this.#object.notes?.clear()
  }

  /** The notes of an earlier put of the same content under the same name. */
  async #noted(): Promise<NotedUpload | undefined> {
    const text = await this.#object.notes?.load()
    const noted = text === undefined ? undefined : parseNotes(text)
    const { key, sending } = this.#object
    const fits = noted?.key === key && noted.sha256 === sending.source.sha256 && noted.partSize === this.#partSize
    if (noted !== undefined && !fits) await abortUpload(this.#bucket, noted.key, noted.upload).catch(() => undefined)
    return fits ? noted : undefined
  }

  /** The parts that are there; undefined where the service knows nothing of that upload any more. */
  async #partsThere({ upload: id, parts }: NotedUpload): Promise<ReadonlyMap<number, Kept> | undefined> {
    const found = new Map<number, Kept>()
    const { signal } = this.#object.sending
    const expects = (error: unknown): boolean =>
      isNamed(error, 'NoSuchUpload') || isForbidden(error) || isUnknownThere(error)
    try {
      for (let marker: string | undefined; ;) {
        const page = await this.#bucket.ask(this.#what, { signal, expects }, (client, sdk, options) =>
          client.send(new sdk.ListPartsCommand({ ...this.#at, UploadId: id, PartNumberMarker: marker }), options),
        )
        for (const { PartNumber: number, ETag, Size: size } of page.Parts ?? []) {
          if (number !== undefined) found.set(number, { size, tag: plainTag(ETag) })
        }
        if (page.IsTruncated !== true || page.NextPartNumberMarker === undefined) return found
        marker = page.NextPartNumberMarker
      }
    } catch (error) {
      if (isNamed(error, 'NoSuchUpload')) return undefined
      if (!expects(error)) throw error
      // The service does not tell, or not us: then what was noted counts, and it says at the end if a part is missing.
      return new Map(parts.map(([number, , tag]) => [number, { size: undefined, tag }]))
    }
  }

  async #begin(): Promise<void> {
    const { sending } = this.#object
    const metadata = { [hashKey]: sending.source.sha256 }
    const { UploadId } = await this.#bucket.ask(this.#what, sending, (client, sdk, options) =>
      client.send(new sdk.CreateMultipartUploadCommand({ ...this.#at, Metadata: metadata }), options),
    )
    if (UploadId === undefined)
      throw new NetopsError('failed', { message: `${this.#what}: the service began no upload` })
    this.#id = UploadId
    await this.#save()
  }

  async #sendMissing(noted: NotedUpload | undefined, there: ReadonlyMap<number, Kept> | undefined): Promise<void> {
    const { sending } = this.#object
    const ownTags = new Map(noted?.parts.map(([number, md5, tag]) => [number, { md5, tag }]))
    // The first that fails ends the others: what they have sent is asked for again by the next put.
    const leaving = new AbortController()
    const signal = sending.signal === undefined ? leaving.signal : AbortSignal.any([sending.signal, leaving.signal])
    const underWay = new Set<Promise<void>>()
    try {
      let number = 0
      for await (const piece of new Reading(sending.source).pieces(this.#partSize)) {
        number += 1
        if (sending.signal?.aborted === true) throw wasLeft(this.#what)
        const md5 = md5Of(piece)
        const hex = md5.toString('hex')
        this.#md5s.push(md5)
        const kept = there?.get(number)
        const own = ownTags.get(number)
        const isThere =
          kept !== undefined &&
          (kept.size === undefined || kept.size === piece.length) &&
          (kept.tag === hex || (own?.md5 === hex && own.tag === kept.tag))
        if (isThere) {
          this.#tags.set(number, kept.tag)
          sending.arrived(sending.reached + piece.length, 0)
          continue
        }
        const sent = this.#sendPart({ number, piece, md5 }, signal)
        const ended = sent.finally(() => underWay.delete(ended))
        ended.catch(() => undefined)
        underWay.add(ended)
        if (underWay.size >= partsAtOnce(this.#partSize)) await Promise.race(underWay)
      }
      await Promise.all(underWay)
    } catch (error) {
      leaving.abort()
      await Promise.allSettled(underWay)
      throw error
    }
  }

  async #sendPart(
    { number, piece, md5 }: { readonly number: number; readonly piece: Buffer; readonly md5: Buffer },
    signal: AbortSignal,
  ): Promise<void> {
    const { sending } = this.#object
    const what = `${this.#what}, part ${number}`
    const expects = (error: unknown): boolean => isNamed(error, 'NoSuchUpload')
    const { tag, evidence } = await this.#bucket.ask(what, { signal, expects }, async (client, sdk, options) => {
      const command = new sdk.UploadPartCommand({
        ...this.#at,
        UploadId: this.#id,
        PartNumber: number,
        Body: piece,
        ContentLength: piece.length,
        ContentMD5: md5.toString('base64'),
      })
      sending.arrived(sending.reached, piece.length)
      return tagOf(await client.send(command, options), md5, what)
    })
    this.#areOpaque ||= evidence !== 'checksum-of-service'
    this.#tags.set(number, tag)
    sending.arrived(sending.reached + piece.length, 0)
    this.#unsaved += 1
    // Not after each: of ten thousand parts, the notes would be written ten thousand times.
    if (this.#unsaved >= Math.ceil(sending.source.size / this.#partSize / 100)) await this.#save()
  }

  async #save(): Promise<void> {
    this.#unsaved = 0
    const { key, sending, notes } = this.#object
    const parts = [...this.#tags].map(([number, tag]): [number, string, string] => [
      number,
      this.#md5s[number - 1]?.toString('hex') ?? '',
      tag,
    ])
    const noted: NotedUpload = {
      netops: 1,
      key,
      sha256: sending.source.sha256,
      partSize: this.#partSize,
      upload: this.#id,
      parts,
    }
    await notes?.save(JSON.stringify(noted))
  }

  async #complete(): Promise<Arrived> {
    const { sending, onlyIfFree } = this.#object
    const parts = this.#md5s.map((_, at) => ({ PartNumber: at + 1, ETag: this.#tags.get(at + 1) }))
    const wasLost = (error: unknown): boolean =>
      isNamed(error, 'NoSuchUpload', 'InvalidPart', 'InvalidPartOrder') || mayBeTold(error)
    const completed = await this.#bucket
      .ask(this.#what, { signal: sending.signal, expects: wasLost }, (client, sdk, options) =>
        client.send(
          new sdk.CompleteMultipartUploadCommand({
            ...this.#at,
            UploadId: this.#id,
            MultipartUpload: { Parts: parts },
            ...(onlyIfFree ? { IfNoneMatch: '*' } : {}),
          }),
          options,
        ),
      )
      .catch(async (error: unknown) => {
        if (isTaken(error)) await this.abort()
        throw isNamed(error, 'NoSuchUpload', 'InvalidPart', 'InvalidPartOrder') ? await this.#gone() : error
      })
    const tag = plainTag(completed.ETag)
    const expected = tagOfParts(this.#md5s)
    if (tag === expected) return { evidence: 'checksum-of-service', receipt: tag }
    const isOther = new RegExp(`^[0-9a-f]{32}-${this.#md5s.length}$`).test(tag)
    // Some services make other tags of objects in parts; each part's own was right.
    if (!isOther || this.#areOpaque || isOpaque(completed)) return { evidence: 'accepted-by-service', receipt: tag }
    const message = `${this.#what}: the service put together something else: ${tag}, not ${expected}`
    throw new NetopsError('damaged', { message, hint: 'delete the object there, then store it anew' })
  }

  /** Parts that were sent are not there: removed by a rule of the bucket, or by another who gave up. */
  async #gone(): Promise<BeginAnew> {
    await this.abort()
    return new BeginAnew('failed', { message: `${this.#what}: parts that were sent are not there any more` })
  }
}

/** Gives up an upload that has not been completed; fine where the service does not know it. */
export async function abortUpload(bucket: S3Bucket, key: string, id: string, signal?: AbortSignal): Promise<void> {
  const expects = (error: unknown): boolean => isNamed(error, 'NoSuchUpload') || isUnknownThere(error)
  try {
    await bucket.ask('clearing up', { signal, expects }, (client, sdk, options) =>
      client.send(new sdk.AbortMultipartUploadCommand({ Bucket: bucket.at.bucket, Key: key, UploadId: id }), options),
    )
  } catch (error) {
    if (!expects(error)) throw error
  }
}

/** The upload that notes are about; undefined where they are damaged: then it begins anew. */
export function parseNotes(text: string): NotedUpload | undefined {
  try {
    return notesSchema.parse(JSON.parse(text))
  } catch {
    // As said.
    return undefined
  }
}
