// The files that the configuration names for TLS and for tokens: read, and refused where the service could not work with them.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { messageOf, NetopsError, systemCode } from '../model/errors.ts'
import { below } from '../model/paths.ts'
import type { ServerConfig } from '../model/server-config.ts'

export interface Credentials {
  /** What the TLS port speaks, and with which certificate; undefined where there is no such port. */
  readonly tls: SecureContextOptions | undefined
  /** What tokens are signed with; undefined where none are asked for. */
  readonly tokenKey: Uint8Array | undefined
  /** What will soon be wrong, a sentence each. */
  readonly notes: readonly string[]
}

export interface Surroundings {
  /** Before every path of the configuration: `/`, or an absolute folder. */
  readonly root: string
  /** Files that are read in the place of those that the configuration names, by the configuration's paths. */
  readonly instead: ReadonlyMap<string, string>
  readonly read: (path: string) => Buffer
  readonly now: Date
}

/** What a file holds, or what is wrong with it. */
export type Found<T> = { readonly value: T } | Fault
export interface Fault {
  readonly reason: string
  readonly hint?: string
}

// guide: TLS Configuration. OpenSSL's list says nothing of TLS 1.3, whose suites stay as they are.
const ciphers = 'ECDHE+AESGCM:ECDHE+AES256:!aNULL:!MD5:!DSS'

// Time enough to get a certificate from an authority that works by hand; those that renew by themselves begin then too.
const expiryNoteDays = 30
const dayMs = 86_400_000

// RFC 7518, 3.2: a key of at least the length of the hash, 256 bits, must be used with HS256.
const shortestSecret = 32

/**
 * Reads all files that the configuration needs, and finds out whether the service can work with them.
 * @throws NetopsError `usage` whose message is one line a problem, with the key and the file
 */
export function loadCredentials({ security, auth }: ServerConfig, surroundings: Surroundings): Credentials {
  const files = new Files(surroundings)
  const tls = security.ssl_enabled ? loadTls(security, files) : undefined
  const tokenKey = auth.enabled ? loadTokenKey(auth, files) : undefined
  return { tls, tokenKey, ...files.finish() }
}

function loadTls(security: ServerConfig['security'], files: Files): SecureContextOptions | undefined {
  const cert = files.open('security.cert_file', security.cert_file, (bytes) => readChain(bytes, files.now))
  const key = files.open('security.key_file', security.key_file, readKey)
  if (cert === undefined || key === undefined) return undefined
  for (const note of expiryNotes(cert.value.certificates, files.now)) files.note(cert, note)
  const mismatch = keyFault(cert.value.certificates, key.value.key, cert.shown)
  if (mismatch !== undefined) {
    files.fault(key, mismatch)
    return undefined
  }
  const options = { cert: cert.value.pem, key: key.value.pem, minVersion: security.min_tls_version, ciphers }
  const refusal = contextFault(options)
  if (refusal !== undefined) files.fault(cert, refusal)
  return options
}

const loadTokenKey = (auth: ServerConfig['auth'], files: Files): Uint8Array | undefined =>
  auth.jwt_secret === undefined
    ? files.open('auth.jwt_secret_file', auth.jwt_secret_file, readSecret)?.value
    : Buffer.from(auth.jwt_secret)

interface Chain {
  readonly pem: string
  /** The server's own certificate, then those that vouch for it. */
  readonly certificates: readonly [X509Certificate, ...X509Certificate[]]
}

const pemCertificate = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs

/** A certificate with its chain, whose first certificate is valid now. */
export function readChain(bytes: Buffer, now: Date): Found<Chain> {
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
  if (own.validToDate <= now) return { reason: `the certificate expired on ${dayOf(own.validToDate)}` }
  if (own.validFromDate > now) {
    return {
      reason: `the certificate is not valid before ${own.validFromDate.toISOString()}`,
      hint: `the clock of this host says ${now.toISOString()}`,
    }
  }
  return { value: { pem, certificates: [own, ...others] } }
}

/** A private key without a passphrase. */
export function readKey(bytes: Buffer): Found<{ readonly pem: Buffer; readonly key: KeyObject }> {
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

/** The key that tokens are signed with: the file without the newline at its end. */
export function readSecret(bytes: Buffer): Found<Uint8Array> {
  const end = ['\r\n', '\n'].find((newline) => bytes.subarray(-newline.length).equals(Buffer.from(newline))) ?? ''
  const value = bytes.subarray(0, bytes.length - end.length)
  if (value.length >= shortestSecret) return { value }
  return {
    reason: `it holds fewer than ${shortestSecret} bytes (RFC 7518, 3.2)`,
    hint: 'make one: openssl rand -hex 32',
  }
}

/**
 * Whether a key is that of a chain's first certificate.
 * @param file where the chain is, for the message
 */
function keyFault(certificates: Chain['certificates'], key: KeyObject, file: string): Fault | undefined {
  const owner = certificates.findIndex((certificate) => certificate.checkPrivateKey(key))
  if (owner === 0) return undefined
  return owner === -1
    ? { reason: `it is not the key of the certificate in ${file}` }
    : { reason: `it is the key of certificate ${owner + 1} in ${file}: that one must be the first` }
}

/** Certificates of a chain that are soon out of date; those after the first one may be so already, as some roots are. */
export function expiryNotes(certificates: Chain['certificates'], now: Date): readonly string[] {
  return certificates.flatMap((certificate, index) => {
    const days = Math.floor((certificate.validToDate.getTime() - now.getTime()) / dayMs)
    if (days >= expiryNoteDays) return []
    const subject = index === 0 ? 'the certificate' : `certificate ${index + 1} of the chain`
    const on = dayOf(certificate.validToDate)
    const soon = days === 0 ? 'within a day' : `within ${days + 1} days`
    return [days < 0 ? `${subject} expired on ${on}` : `${subject} expires on ${on}, ${soon}`]
  })
}

/** What OpenSSL says to a pair that looks good by itself: a key that is too short for its taste, for one. */
function contextFault(options: SecureContextOptions): Fault | undefined {
  try {
    createSecureContext(options)
    return undefined
  } catch (error) {
    const reason = error instanceof Error && 'reason' in error ? String(error.reason) : messageOf(error)
    return { reason: `OpenSSL refuses it: ${reason}` }
  }
}

const dayOf = (date: Date): string => date.toISOString().slice(0, 10)

interface Opened<T> {
  /** The key of the configuration that names the file. */
  readonly name: string
  /** The file as messages name it. */
  readonly shown: string
  readonly value: T
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'this user may not read it',
}

/** Reads files that the configuration names, and collects what is wrong with them. */
class Files {
  readonly #surroundings: Surroundings
  readonly #faults: { readonly line: string; readonly hint: string | undefined }[] = []
  readonly #notes: string[] = []
  readonly #unused: Set<string>

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
    this.#unused = new Set(surroundings.instead.keys())
  }

  get now(): Date {
    return this.#surroundings.now
  }

  /** @returns undefined where something is wrong, which is then known here */
  open<T>(name: string, path: string | undefined, parse: (bytes: Buffer) => Found<T>): Opened<T> | undefined {
    // The rules of the configuration ask for the path; without it nothing may be served as if it were not needed.
    if (path === undefined) throw new NetopsError('usage', { message: `${name}: missing` })
    const { root, instead } = this.#surroundings
    const other = instead.get(path)
    const file = other ?? below(root, path)
    const shown = other === undefined ? file : `${path} (read from ${other})`
    this.#unused.delete(path)
    const found = this.#read(file, parse)
    if ('value' in found) return { name, shown, value: found.value }
    this.fault({ name, shown }, found)
    return undefined
  }

  fault({ name, shown }: Omit<Opened<unknown>, 'value'>, { reason, hint }: Fault): void {
    this.#faults.push({ line: `${name}: ${shown}: ${reason}`, hint })
  }

  note({ name, shown }: Omit<Opened<unknown>, 'value'>, note: string): void {
    this.#notes.push(`${name}: ${shown}: ${note}`)
  }

  /** @throws NetopsError `usage` where something is wrong */
  finish(): { readonly notes: readonly string[] } {
    if (this.#faults.length > 0) {
      const message = this.#faults.map(({ line }) => line).join('\n')
      throw new NetopsError('usage', { message, hint: this.#faults.find(({ hint }) => hint !== undefined)?.hint })
    }
    const unused = [...this.#unused].map((path) => `--instead ${path}: this configuration does not read that file`)
    return { notes: [...this.#notes, ...unused] }
  }

  #read<T>(file: string, parse: (bytes: Buffer) => Found<T>): Found<T> {
    try {
      return parse(this.#surroundings.read(file))
    } catch (error) {
      const code = systemCode(error)
      if (code === undefined) throw error
      return { reason: unreadable[code] ?? `it cannot be read: ${code}` }
    }
  }
}
