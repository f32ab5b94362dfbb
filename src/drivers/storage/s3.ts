// A bucket of an S3 service as a place for copies. Storing takes no more than the right to put.
import { createHash } from 'node:crypto'
import { NetopsError } from '../../model/errors.ts'
import { faultOfObjectName } from '../../model/object-name.ts'
import { checkName, checkPrefix } from './names.ts'
import type {
  CallOptions,
  Evidence,
  Expected,
  GetOptions,
  ObjectFacts,
  PutOptions,
  Source,
  Storage,
  Stored,
  VerifyOptions,
} from './port.ts'
import { Tries, wasLeft } from './retry.ts'
import { S3Bucket, type S3Place } from './s3-client.ts'
import { isForbidden, isMissing, isNamed, isUnknownThere, saysNotWhy } from './s3-errors.ts'
import { md5Of, partSizeFor, plainTag, tagOfParts } from './s3-parts.ts'
import { abortUpload, BeginAnew, hashKey, isTaken, parseNotes, upload } from './s3-upload.ts'
import { Sending } from './sending.ts'
import { Reading } from './source.ts'

/** A bucket. Nothing is asked, and no credentials are read, before the first call. */
export const storageInS3 = (at: S3Place): Storage => new StorageInS3(new S3Bucket(at))

type Look = { readonly facts: ObjectFacts | undefined } | 'not allowed'

// As much of the hash as tells a name's content from every other.
const hashInNames = 12

class StorageInS3 implements Storage {
  readonly place: string
  readonly #bucket: S3Bucket
  /** Whether the service can be told to store only where a name is free: found out by the first put. */
  #knowsConditions = true

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket
    this.place = bucket.where.place
  }

  async put(name: string, source: Source, options: PutOptions = {}): Promise<Stored> {
    checkName(name)
    const sending = new Sending(source, options)
    const looked = await this.#look(name, options)
    if (looked === 'not allowed') this.#refuseUnknowable(name, source)
    else if (looked.facts !== undefined) return this.#there(looked.facts, sending)
    const object = { name, key: this.#bucket.keyOf(name), sending, notes: options.notes }
    for (let attempt = 1; ; attempt += 1) {
      try {
        const arrived = await upload(this.#bucket, { ...object, onlyIfFree: this.#knowsConditions })
        return { outcome: 'stored', sent: sending.sent, ...arrived }
      } catch (error) {
        if (isTaken(error)) return this.#takenMeanwhile(name, sending)
        if (error instanceof BeginAnew && attempt < 3) {
          // An answer that was lost on the way: it may have been completed after all.
          const now = await this.#look(name, options)
          if (now !== 'not allowed' && now.facts !== undefined) return await this.#there(now.facts, sending)
        } else if (isUnknownThere(error) && this.#knowsConditions) this.#knowsConditions = false
        else throw error
        sending.arrived(0, 0)
      }
    }
  }

  async *get(name: string, { from = 0, to, signal }: GetOptions = {}): AsyncGenerator<Uint8Array> {
    checkName(name)
    const what = `reading ${name}`
    let [at, tag, end] = [from, '', to]
    if (end !== undefined && from >= end) return
    const breaks = new Tries({ patience: this.#bucket.at.patience, signal, achieved: () => at })
    do {
      const opened = await this.#open(name, { at, end, tag }, signal)
      if (opened === undefined) return
      tag = opened.tag
      end = Math.min(end ?? Infinity, opened.end)
      let before = at - opened.start
      try {
        for await (const bytes of opened.body) {
          if (signal?.aborted === true) throw wasLeft(what)
          // A service that gives more than it was asked for.
          const asked = bytes.subarray(before, before + end - at)
          before = Math.max(0, before - bytes.length)
          at += asked.length
          if (asked.length > 0) yield asked
          if (at >= end) break
        }
        if (at < end) throw new Error('the connection was closed')
      } catch (error) {
        if (signal?.aborted === true) throw wasLeft(what)
        // It goes on from there, of the same object.
        await breaks.failed(this.#bucket.told(error, what))
      }
    } while (at < end)
  }

  async head(name: string, options: CallOptions = {}): Promise<ObjectFacts | undefined> {
    checkName(name)
    const looked = await this.#look(name, options)
    if (looked !== 'not allowed') return looked.facts
    const message = `${this.place}: looking at ${name} is not allowed to this key`
    throw new NetopsError('failed', { message, hint: 'it takes the rights s3:GetObject and s3:ListBucket' })
  }

  async *list(prefix: string, { signal }: CallOptions = {}): AsyncGenerator<ObjectFacts> {
    checkPrefix(prefix)
    const { bucket, prefix: own } = this.#bucket.at
    for (let token: string | undefined; ;) {
      const page = await this.#bucket.ask('listing', { signal }, (client, sdk, options) =>
        client.send(
          new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: `${own}${prefix}`, ContinuationToken: token }),
          options,
        ),
      )
      for (const { Key = '', Size: size = 0, LastModified: time, ETag } of page.Contents ?? []) {
        const name = Key.slice(own.length)
        // What others have put there under names that are none of ours, such as empty objects that stand for folders.
        if (!Key.startsWith(own) || faultOfObjectName(name) !== undefined) continue
        yield { name, size, modifiedMs: time?.getTime() ?? 0, receipt: plainTag(ETag) }
      }
      if (page.IsTruncated !== true || page.NextContinuationToken === undefined) return
      token = page.NextContinuationToken
    }
  }

  async verify(name: string, expected: Expected, { whole = false, signal }: VerifyOptions = {}): Promise<Evidence> {
    const facts = await this.head(name, { signal })
    const damaged = (why: string): NetopsError =>
      new NetopsError('damaged', {
        message: `${this.place}: ${name} ${why}`,
        hint: 'store it anew, or delete it there',
      })
    if (facts === undefined) throw damaged('is missing')
    if (facts.size !== expected.size) throw damaged(`has ${facts.size} bytes, not ${expected.size}`)
    if (!whole && expected.receipt !== undefined && facts.receipt === expected.receipt) return 'checksum-of-service'
    const hash = createHash('sha256')
    for await (const bytes of this.get(name, { signal })) hash.update(bytes)
    const sha256 = hash.digest('hex')
    if (sha256 === expected.sha256) return 'read-back'
    throw damaged(`has another content: SHA-256 ${sha256}, not ${expected.sha256}`)
  }

  async delete(name: string, { signal }: CallOptions = {}): Promise<void> {
    checkName(name)
    const at = { Bucket: this.#bucket.at.bucket, Key: this.#bucket.keyOf(name) }
    await this.#bucket
      .ask(`deleting ${name}`, { signal, expects: isMissing }, async (client, sdk, options) => {
        await client.send(new sdk.DeleteObjectCommand(at), options)
      })
      .catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
  }

  async abandon(name: string, { signal, notes }: Pick<PutOptions, 'signal' | 'notes'> = {}): Promise<void> {
    checkName(name)
    const key = this.#bucket.keyOf(name)
    const text = await notes?.load()
    const noted = text === undefined ? undefined : parseNotes(text)
    if (noted !== undefined) await abortUpload(this.#bucket, noted.key, noted.upload, signal)
    const expects = (error: unknown): boolean => isForbidden(error) || isUnknownThere(error)
    const { Uploads = [] } = await this.#bucket
      .ask(`clearing up after ${name}`, { signal, expects }, (client, sdk, options) =>
        client.send(new sdk.ListMultipartUploadsCommand({ Bucket: this.#bucket.at.bucket, Prefix: key }), options),
      )
      .catch((error: unknown) => {
        // Only those that were noted can be given up, then; the bucket's own rule removes the others.
        if (!expects(error)) throw error
        return { Uploads: [] }
      })
    for (const { Key, UploadId } of Uploads) {
      if (Key === key && UploadId !== undefined) await abortUpload(this.#bucket, key, UploadId, signal)
    }
    await notes?.clear()
  }

  close(): Promise<void> {
    return this.#bucket.close()
  }

  async #look(name: string, { signal }: CallOptions): Promise<Look> {
    const at = { Bucket: this.#bucket.at.bucket, Key: this.#bucket.keyOf(name) }
    const what = `looking at ${name}`
    try {
      const expects = (error: unknown): boolean => isMissing(error) || saysNotWhy(error)
      const found = await this.#bucket.ask(what, { signal, expects }, (client, sdk, options) =>
        client.send(new sdk.HeadObjectCommand(at), options),
      )
      const { ContentLength: size = 0, LastModified: time, Metadata, ETag } = found
      const facts = {
        name,
        size,
        modifiedMs: time?.getTime() ?? 0,
        sha256: Metadata?.[hashKey],
        receipt: plainTag(ETag),
      }
      return { facts }
    } catch (error) {
      if (isMissing(error)) return { facts: undefined }
      if (!saysNotWhy(error)) throw error
    }
    // An answer without a body does not say why: wrong keys and regions are told apart from a key that may only put.
    const expects = (error: unknown): boolean => isMissing(error) || isNamed(error, 'AccessDenied', 'InvalidRange')
    await this.#bucket
      .ask(what, { signal, expects }, async (client, sdk, options) => {
        const { Body } = await client.send(new sdk.GetObjectCommand({ ...at, Range: 'bytes=0-0' }), options)
        await Body?.transformToByteArray()
      })
      .catch((error: unknown) => {
        if (!expects(error)) throw error
      })
    return 'not allowed'
  }

  /** Where nobody may look, only a name that holds the hash can be stored twice without harm. */
  #refuseUnknowable(name: string, { sha256 }: Source): void {
    if (name.includes(sha256.slice(0, hashInNames))) return
    const message = `${this.place}: this key may not look what is there, and ${name} could be something else already`
    const hint = `give the object a name with the beginning of its hash in it (${sha256.slice(0, hashInNames)}), or the key s3:GetObject and s3:ListBucket`
    throw new NetopsError('refused', { message, hint })
  }

  /** What is there under the name must be the same, or it is refused. */
  async #there(facts: ObjectFacts, sending: Sending): Promise<Stored> {
    const { source, signal } = sending
    const { name, receipt } = facts
    if (facts.size === source.size) {
      const there = { outcome: 'there', sent: sending.sent, receipt } as const
      if (receipt === (await tagOfSource(source))) return { ...there, evidence: 'checksum-of-service' }
      try {
        return { ...there, evidence: await this.verify(name, source, { whole: true, signal }) }
      } catch (error) {
        if (!(error instanceof NetopsError) || error.code !== 'damaged') throw error
      }
    }
    throw new NetopsError('refused', {
      message: `${this.place} has something else under the name ${name}: nothing there is ever overwritten`,
      hint: 'look at what it is; store under another name, or delete it there',
    })
  }

  async #takenMeanwhile(name: string, sending: Sending): Promise<Stored> {
    const looked = await this.#look(name, sending)
    if (looked !== 'not allowed' && looked.facts !== undefined) return this.#there(looked.facts, sending)
    if (looked === 'not allowed') return { outcome: 'there', sent: sending.sent, evidence: 'name-alone' }
    throw new NetopsError('failed', {
      message: `${this.place}: ${name} comes and goes`,
      hint: 'who else writes there?',
    })
  }

  /** The rest of an object from a connection that has just been made; undefined where nothing is left of it. */
  async #open(
    name: string,
    { at, end, tag }: { readonly at: number; readonly end: number | undefined; readonly tag: string },
    signal: AbortSignal | undefined,
  ) {
    const expects = (error: unknown): boolean =>
      isMissing(error) || isNamed(error, 'InvalidRange', 'PreconditionFailed')
    const range = at === 0 && end === undefined ? {} : { Range: `bytes=${at}-${end === undefined ? '' : end - 1}` }
    try {
      const {
        Body,
        ContentLength = 0,
        ContentRange,
        ETag,
      } = await this.#bucket.ask(`reading ${name}`, { signal, expects }, (client, sdk, options) =>
        client.send(
          new sdk.GetObjectCommand({
            Bucket: this.#bucket.at.bucket,
            Key: this.#bucket.keyOf(name),
            ...range,
            ...(tag === '' ? {} : { IfMatch: `"${tag}"` }),
          }),
          options,
        ),
      )
      if (Body === undefined) return undefined
      // Without a range in the answer it begins at the beginning (RFC 9110, 15.3.7).
      const start = Number(/^bytes (\d+)-/.exec(ContentRange ?? '')?.[1] ?? 0)
      // In Node it is a stream of bytes.
      const body = Body as unknown as AsyncIterable<Uint8Array>
      return { body, start, end: start + ContentLength, tag: plainTag(ETag) }
    } catch (error) {
      if (isNamed(error, 'InvalidRange')) return undefined
      if (isMissing(error)) throw new NetopsError('failed', { message: `${this.place} has no object ${name}` })
      if (!isNamed(error, 'PreconditionFailed')) throw error
      throw new NetopsError('damaged', { message: `${this.place}: ${name} was replaced while it was read` })
    }
  }
}

/** The entity tag that a service gives to a source that it got from us. */
async function tagOfSource(source: Source): Promise<string> {
  const partSize = partSizeFor(source.size)
  const md5s: Buffer[] = []
  for await (const piece of new Reading(source).pieces(partSize)) md5s.push(md5Of(piece))
  const [first] = md5s
  return md5s.length === 1 && first !== undefined ? first.toString('hex') : tagOfParts(md5s)
}
