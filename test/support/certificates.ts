// Certificates of tests, made with openssl(1).
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** The files of a certificate and its key. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

export interface Wanted {
  /** How long it is valid; below zero it has been out of date for that long. */
  readonly days?: number
  /** Who vouches for it; without it, it does so itself. */
  readonly by?: Pair
  /** Whether it may vouch for others. */
  readonly ca?: boolean
  readonly algorithm?: readonly string[]
}

const ec = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

/** A certificate for 127.0.0.1: `NAME.crt` and `NAME.key` in a folder, which is made. */
export function makeCertificate(folder: string, name: string, wanted: Wanted = {}): Pair {
  const { days = 365, by, ca = false, algorithm = ec } = wanted
  mkdirSync(folder, { recursive: true })
  const file = (extension: string): string => join(folder, `${name}.${extension}`)
  const [cert, key, request] = [file('crt'), file('key'), file('csr')]
  const extensions = ['subjectAltName=IP:127.0.0.1', `basicConstraints=critical,CA:${ca ? 'TRUE' : 'FALSE'}`]
  const extended = extensions.flatMap((extension) => ['-addext', extension])
  const subject = ['-subj', `/CN=${name}`]
  openssl('req', '-new', '-nodes', '-newkey', ...algorithm, '-keyout', key, '-out', request, ...subject, ...extended)
  const signer = by === undefined ? ['-key', key] : ['-CA', by.cert, '-CAkey', by.key]
  openssl('x509', '-req', '-in', request, ...signer, '-days', String(days), '-copy_extensions', 'copyall', '-out', cert)
  return { cert, key }
}

export const openssl = (...args: readonly string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
