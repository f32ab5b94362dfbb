// What a place for copies is to everything above: objects under names, whole or not there at all. Drivers: folder, sftp, s3.
import type { S3Settings } from '../../model/offsite.ts'
import type { LocalFile } from '../../system/local-file.ts'

/** What is to be stored: its length and hash are known, and it can be read again from anywhere, because a put that broke off goes on. */
export interface Source {
  /** In bytes. */
  readonly size: number
  /** 64 hexadecimal digits. */
  readonly sha256: string
  /** What stands from there to the end. */
  read(from: number): AsyncIterable<Uint8Array>
}

/** How it is known that what lies there is what was meant. */
export type Evidence =
  /** The far side hashed all that it keeps (SHA-256). */
  | 'hashed-there'
  /** All of it was read back and hashed here (SHA-256). */
  | 'read-back'
  /** The service's own checksum of what it keeps is the one that was computed here (MD5 of each part and of all). */
  | 'checksum-of-service'
  /** The service checked what it received against hashes that were sent along (SHA-256 and MD5 of each part), and shows none. */
  | 'accepted-by-service'
  /** The name, which holds the hash, is taken, and may not be looked at. */
  | 'name-alone'

export interface ObjectFacts {
  readonly name: string
  /** In bytes. */
  readonly size: number
  /** When it was stored, in milliseconds since 1970, by the clock there. */
  readonly modifiedMs: number
  /** What it was said to hold when it was stored, where the store remembers that: no proof of what it holds now. */
  readonly sha256?: string | undefined
  /** The service's checksum, in its own form. */
  readonly receipt?: string | undefined
}

export interface Progress {
  /** Bytes that are there, with those that an earlier attempt has sent. */
  readonly done: number
  /** Bytes of the object that this call has sent, also in vain. */
  readonly sent: number
  readonly total: number
}

/** Where a put notes what it needs to go on after its process has ended. No note holds a secret. */
export interface Notes {
  load(): Promise<string | undefined>
  save(text: string): Promise<void>
  clear(): Promise<void>
}

export interface CallOptions {
  /** Ends the call; what was sent by a put stays for the next one. */
  readonly signal?: AbortSignal | undefined
}

export interface PutOptions extends CallOptions {
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Without them, a put that is repeated by another process begins anew where the store cannot be asked (S3). */
  readonly notes?: Notes | undefined
}

export interface GetOptions extends CallOptions {
  /** The first byte; 0 unless said. */
  readonly from?: number | undefined
  /** The byte after the last; the object's end unless said. */
  readonly to?: number | undefined
}

/** What an object is to be. */
export interface Expected {
  readonly size: number
  readonly sha256: string
  /** What the put returned. With it, a store that shows its checksums is asked for those alone. */
  readonly receipt?: string | undefined
}

export interface Stored {
  /** Whether it was stored now, or was there already with the same content. */
  readonly outcome: 'stored' | 'there'
  /** Bytes of the object that were sent. */
  readonly sent: number
  readonly evidence: Evidence
  readonly receipt?: string | undefined
}

export interface VerifyOptions extends CallOptions {
  /** Whether it is read or hashed as a whole although the store shows a checksum. */
  readonly whole?: boolean | undefined
}

/**
 * A place for copies. Names are checked (model/object-name.ts): `usage` for one that may lead elsewhere. Faults that pass are
 * tried again, a bounded number of times; what remains is `unreachable`, and then a repeated call may go well. `usage` is what the
 * configuration says wrongly (no such bucket, wrong region or credentials), `failed` what the place refuses (rights, no space),
 * `interrupted` after the signal. No error holds a secret.
 */
export interface Storage {
  /** Where it is, without what is secret: `s3://bucket/prefix`. */
  readonly place: string
  /**
   * Stores an object. It is there as a whole, and verified, or not at all; a repeated put goes on where the last one broke off.
   * @throws NetopsError `refused` where the name is taken by something else; `damaged` where the source is not what it was said
   * to be, or what arrived is not what was sent
   */
  put(name: string, source: Source, options?: PutOptions): Promise<Stored>
  /**
   * Reads an object, or a part of it.
   * @throws NetopsError `failed` where there is none; `damaged` where it ends too early
   */
  get(name: string, options?: GetOptions): AsyncIterable<Uint8Array>
  /** What is known of an object without reading it; undefined where there is none. */
  head(name: string, options?: CallOptions): Promise<ObjectFacts | undefined>
  /** All objects whose names begin so, in no order; never more than a page of them is held. */
  list(prefix: string, options?: CallOptions): AsyncIterable<ObjectFacts>
  /**
   * Proves that an object is what it is to be.
   * @throws NetopsError `damaged` where it is missing or something else
   */
  verify(name: string, expected: Expected, options?: VerifyOptions): Promise<Evidence>
  /** Removes an object; fine where there is none. */
  delete(name: string, options?: CallOptions): Promise<void>
  /** Removes what puts of this name that broke off have left there. */
  abandon(name: string, options?: Pick<PutOptions, 'signal' | 'notes'>): Promise<void>
  close(): Promise<void>
}

export interface FilePutOptions extends CallOptions {
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Where it is noted how far the put is: a file in a folder that nobody else may write to. */
  readonly notes: string
}

/** An opened place, as those use it who store files of this machine and know no driver. */
export interface OpenPlace extends Pick<Storage, 'place' | 'get' | 'list' | 'verify' | 'close'> {
  /**
   * Stores a file, as {@link Storage.put}; what `file` says of it is what it has to be.
   * @throws NetopsError as {@link Storage.put}
   */
  putFile(name: string, file: LocalFile, options: FilePutOptions): Promise<Stored>
}

/** What opening a place takes besides its address: how its service is reached, and whether what goes there is encrypted. */
export interface OpeningPlace {
  readonly address: string
  readonly s3: S3Settings
  readonly isEncrypted: boolean
  /** Below which files of credentials are looked for. */
  readonly root: string
}

/** Opens a place. Nothing is connected to yet. @throws NetopsError `refused` for what would go in the clear */
export type OpenPlaceOf = (wanted: OpeningPlace) => Promise<OpenPlace>
