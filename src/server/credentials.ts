// The files that the configuration names for TLS, for tokens and for the database's certificates: read, and refused where the service could not work with them.
import type { SecureContextOptions } from 'node:tls'
import {
  contextFault,
  dayOf,
  daysLeft,
  fewDays,
  keyFault,
  readChain,
  readKey,
  readSecret,
  validityFault,
  type Chain,
  type Fault,
  type Found,
} from '../config/credentials.ts'
import { NetopsError, systemCode } from '../model/errors.ts'
import { below } from '../model/paths.ts'
import type { ServerConfig } from '../model/server-config.ts'

export interface Credentials {
  /** What the TLS port speaks, and with which certificate; undefined where there is no such port. */
  readonly tls: SecureContextOptions | undefined
  /** What tokens are signed with; undefined where none are asked for, or none can be good. */
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

// guide: TLS Configuration. OpenSSL's list says nothing of TLS 1.3, whose suites stay as they are.
const ciphers = 'ECDHE+AESGCM:ECDHE+AES256:!aNULL:!MD5:!DSS'

/**
 * Reads all files that the configuration needs, and finds out whether the service can work with them.
 * @throws NetopsError `usage` whose message is one line a problem, with the key and the file
 */
export function loadCredentials({ security, auth, database }: ServerConfig, surroundings: Surroundings): Credentials {
  const files = new Files(surroundings)
  const tls = security.ssl_enabled ? loadTls(security, files) : undefined
  const tokenKey = security.auth === 'token' ? loadTokenKey(auth, files) : undefined
  if (database.driver === 'postgres' && database.ssl_ca_file !== undefined)
    lookAtAuthorities(database.ssl_ca_file, files)
  return { tls, tokenKey, ...files.finish() }
}

function loadTls(security: ServerConfig['security'], files: Files): SecureContextOptions | undefined {
  const cert = files.open('security.cert_file', security.cert_file, (bytes) => validChain(bytes, files.now))
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

function validChain(bytes: Buffer, now: Date): Found<Chain> {
  const chain = readChain(bytes)
  return 'reason' in chain ? chain : (validityFault(chain.value.certificates[0], now) ?? chain)
}

function loadTokenKey({ jwt_secret, jwt_secret_file }: ServerConfig['auth'], files: Files): Uint8Array | undefined {
  if (jwt_secret !== undefined) return Buffer.from(jwt_secret)
  // Without a key no token is good: the configuration says so (config/exposure.ts), and health is served.
  if (jwt_secret_file === undefined) return undefined
  return files.open('auth.jwt_secret_file', jwt_secret_file, readSecret)?.value
}

/** Only looked at: the store reads them at each login to the database. */
function lookAtAuthorities(path: string, files: Files): void {
  const found = files.open('database.ssl_ca_file', path, readChain)
  if (found === undefined) return
  for (const note of expiryNotes(found.value.certificates, files.now)) files.note(found, note)
}

/** Certificates of a chain that are soon out of date; those after the first one may be so already, as some roots are. */
export function expiryNotes(certificates: Chain['certificates'], now: Date): readonly string[] {
  return certificates.flatMap((certificate, index) => {
    const days = daysLeft(certificate, now)
    if (days >= fewDays) return []
    const subject = index === 0 ? 'the certificate' : `certificate ${index + 1} of the chain`
    const on = dayOf(certificate.validToDate)
    const soon = days === 0 ? 'within a day' : `within ${days + 1} days`
    return [days < 0 ? `${subject} expired on ${on}` : `${subject} expires on ${on}, ${soon}`]
  })
}

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
