// Certificates, keys and secrets in files: what they hold, and what is wrong with them. For the service, and for whoever checks it.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { messageOf } from '../model/errors.ts'

/** What a file holds, or what is wrong with it. */
export type Found<T> = { readonly value: T } | Fault
export interface Fault {
  readonly reason: string
  readonly hint?: string
}

// RFC 7518, 3.2: a key of at least the length of the hash, 256 bits, must be used with HS256.
const shortestSecret = 32

export interface Chain {
  readonly pem: string
  /** The server's own certificate, then those that vouch for it. */
  readonly certificates: readonly [X509Certificate, ...X509Certificate[]]
}

const pemCertificate = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs

/** A certificate with its chain. */
export function readChain(bytes: Buffer): Found<Chain> {
  const pem = bytes.toString('latin1')
  const certificates: X509Certificate[] = []
  for (const [block] of pem.matchAll(pemCertificate)) {
    try {
      certificates.push(new X509Certificate(block))
    } catch {
      // OpenSSL's reasons speak of its decoders; what to do is the same for all of them.
      return { reason: `certificate ${certificates.length + 1} in it is damaged` }
    }
  }
  const [own, ...others] = certificates
  if (own === undefined) return { reason: 'it holds no certificate in PEM form' }
  return { value: { pem, certificates: [own, ...others] } }
}

export interface PrivateKey {
  readonly pem: Buffer
  readonly key: KeyObject
}

/** A private key without a passphrase. */
export function readKey(bytes: Buffer): Found<PrivateKey> {
  // RFC 7468, 11; the second is OpenSSL's older form.
  if (/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(bytes.toString('latin1'))) {
    return {
      reason: 'it is encrypted, and nobody is there to enter a passphrase',
      hint: 'write it without one: openssl pkey -in FILE -out NEW',
    }
  }
  try {
    return { value: { pem: bytes, key: createPrivateKey(bytes) } }
  } catch {
    // OpenSSL's reason would say no more, and nothing of a key's file belongs into a message.
    return { reason: 'it holds no private key in PEM form' }
  }
}

/** A secret without the newline that editors and `echo` put at the end of a file. */
export function withoutNewline(bytes: Buffer): Buffer {
  const end = ['\r\n', '\n'].find((newline) => bytes.subarray(-newline.length).equals(Buffer.from(newline))) ?? ''
  return bytes.subarray(0, bytes.length - end.length)
}

/** The key that tokens are signed with. */
export function readSecret(bytes: Buffer): Found<Uint8Array> {
  const value = withoutNewline(bytes)
  if (value.length >= shortestSecret) return { value }
  return {
    reason: `it holds fewer than ${shortestSecret} bytes (RFC 7518, 3.2)`,
    hint: 'make one: openssl rand -hex 32',
  }
}

export type Validity = Pick<X509Certificate, 'validFromDate' | 'validToDate'>

/** Why a certificate is not good now. */
export function validityFault(own: Validity, now: Date): Fault | undefined {
  if (own.validToDate <= now) return { reason: `the certificate expired on ${dayOf(own.validToDate)}` }
  if (own.validFromDate > now) {
    return {
      reason: `the certificate is not valid before ${own.validFromDate.toISOString()}`,
      hint: `the clock of this host says ${now.toISOString()}`,
    }
  }
  return undefined
}

/**
 * Whether a key is that of a chain's first certificate.
 * @param file where the chain is, for the message
 */
export function keyFault(certificates: Chain['certificates'], key: KeyObject, file: string): Fault | undefined {
  const owner = certificates.findIndex((certificate) => certificate.checkPrivateKey(key))
  if (owner === 0) return undefined
  return owner === -1
    ? { reason: `it is not the key of the certificate in ${file}` }
    : { reason: `it is the key of certificate ${owner + 1} in ${file}: that one must be the first` }
}

/** What OpenSSL says to a pair that looks good by itself: a key that is too short for its taste, for one. */
export function contextFault(options: SecureContextOptions): Fault | undefined {
  try {
    createSecureContext(options)
    return undefined
  } catch (error) {
    const reason = error instanceof Error && 'reason' in error ? String(error.reason) : messageOf(error)
    return { reason: `OpenSSL refuses it: ${reason}` }
  }
}

const dayMs = 86_400_000

/** Whole days until a certificate is out of date; below zero when it is. */
export const daysLeft = ({ validToDate }: Validity, now: Date): number =>
  Math.floor((validToDate.getTime() - now.getTime()) / dayMs)

// Time enough to get a certificate from an authority that works by hand; those that renew by themselves begin then too.
export const fewDays = 30

export const dayOf = (date: Date): string => date.toISOString().slice(0, 10)
