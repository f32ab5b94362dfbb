// How an object is cut into parts for S3, and what the service says of them when all is well. Pure.
import { createHash } from 'node:crypto'

// Amazon S3 User Guide, "Amazon S3 multipart upload limits": 10,000 parts of 5 MiB to 5 GiB.
const mostParts = 10_000
const usualPart = 8 * 2 ** 20
const mib = 2 ** 20

/** What is sent at once and may go in vain, in bytes; the same for the same size, so that a later process cuts alike. */
export const partSizeFor = (size: number): number => Math.max(usualPart, Math.ceil(size / mostParts / mib) * mib)

// What is held of an object while it is sent.
const mostHeld = 32 * 2 ** 20

/** How many parts go at once. */
export const partsAtOnce = (partSize: number): number => Math.max(1, Math.min(4, Math.floor(mostHeld / partSize)))

export const md5Of = (bytes: Uint8Array): Buffer => createHash('md5').update(bytes).digest()

/** An entity tag as it is compared: without quotes, in small letters. */
export const plainTag = (tag: string | undefined): string => (tag ?? '').replace(/^"|"$/g, '').toLowerCase()

/** The entity tag of an object that came in parts, as services make it: the MD5 of the MD5s of its parts, and how many. */
export const tagOfParts = (md5s: readonly Buffer[]): string =>
  `${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${md5s.length}`
