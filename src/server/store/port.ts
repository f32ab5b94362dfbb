// What keeps the records, whichever database it is: drivers beside this file, one contract suite for all of them.

/** Letters, digits and `. _ ~ -`: what needs no escape in an address (RFC 3986, 2.3); checked where requests come in. */
export interface RecordId {
  readonly collection: string
  readonly key: string
}

/** A record as it lies there. */
export interface StoredRecord {
  readonly key: string
  /** The JSON text of its value, as it was written. */
  readonly value: string
  /** Changes with every write, and never comes back for this key, not even after a deletion. */
  readonly version: number
  /** When it was written last, in ms since 1970. */
  readonly updatedMs: number
}

/** What must be so for a write to happen (RFC 9110, 13.1). */
export type Condition =
  | { readonly kind: 'always' }
  /** `If-None-Match: *` */
  | { readonly kind: 'absent' }
  /** `If-Match: *` */
  | { readonly kind: 'present' }
  /** `If-Match` with ETags: one of these versions is there. */
  | { readonly kind: 'versions'; readonly versions: readonly number[] }

/** The key under which a client asks for the same write again, and what it asked for. */
export interface Idempotency {
  /** With whoever sent it before it: two clients may choose the same key. */
  readonly key: string
  /** A hash of all that makes the request what it is: another request under this key is refused. */
  readonly request: string
}

export interface Write extends RecordId {
  /** The new JSON text; undefined deletes the record. */
  readonly value: string | undefined
  readonly condition: Condition
  readonly idempotency?: Idempotency | undefined
}

export type WriteOutcome =
  | {
      readonly kind: 'created' | 'replaced'
      readonly version: number
      /** Whether this is what an earlier request with the same idempotency key did. */
      readonly repeated: boolean
    }
  | { readonly kind: 'deleted'; readonly repeated: boolean }
  /** A deletion of what is not there, with a condition that allows that. */
  | { readonly kind: 'missing' }
  /** The condition does not hold; nothing was written. */
  | { readonly kind: 'condition-failed' }
  /** The idempotency key belongs to another request; nothing was written. */
  | { readonly kind: 'key-reused' }

export interface ListRequest {
  readonly collection: string
  /** Only keys that begin with this; '' for all. */
  readonly prefix: string
  /** Only keys after this one, by the order of their bytes; '' from the beginning. */
  readonly after: string
  /** Most records of the page. */
  readonly limit: number
}

/**
 * What the values of a page come to, in bytes or characters: one record, or several within this. A page is in memory as a
 * whole, as rows, as values and as the text of an answer, and twice as large where a character has more than 8 bits.
 */
export const mostOfPage = 4 * 2 ** 20

export interface RecordPage {
  /** By the order of their keys' bytes. */
  readonly records: readonly StoredRecord[]
  /** Whether there are more after the last one. */
  readonly more: boolean
}

/** How long the answer to an idempotency key is kept at least, in ms. */
export const idempotencyKeptMs = 24 * 3_600_000

/** What takes a wait to say. */
export const later = Symbol('later')

/**
 * Every method may throw StoreUnavailable; a write that throws may or may not have happened, and is repeated safely with
 * its idempotency key. Any other error is a fault of ours.
 */
export interface Store {
  get(id: RecordId): Promise<StoredRecord | undefined>
  /**
   * The same where it is known without a wait; where a store never does, it is not there. It does not throw.
   * @returns `later` where only `get` can say
   */
  readonly getNow?: (id: RecordId) => StoredRecord | undefined | typeof later
  list(request: ListRequest): Promise<RecordPage>
  /** Resolves when what was written is on the disk, and not before. */
  write(write: Write): Promise<WriteOutcome>
  /** Asks the database something, and whether it takes a write and gives it back. */
  verify(): Promise<void>
  close(): Promise<void>
}

/** The database cannot be asked now; it may be later. */
export class StoreUnavailable extends Error {
  /** Why, for clients too: without addresses, names of users, or statements. */
  readonly reason: string

  constructor(reason: string, options: { readonly cause?: unknown } = {}) {
    super(reason, options)
    this.name = 'StoreUnavailable'
    this.reason = reason
  }
}
