// Judges a host's key by OpenSSH known_hosts files: plain and hashed names, revoked keys, certificate authorities (sshd(8),
// SSH_KNOWN_HOSTS FILE FORMAT).
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { fitsPattern } from '../../model/pattern.ts'

export type HostKeyVerdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'changed' | 'revoked'; readonly file: string; readonly line: number }

export interface KnownHost {
  readonly file: string
  readonly line: number
  readonly marker: string | undefined
  readonly names: string
  readonly type: string
  /** The key in base64. */
  readonly key: string
}

/** The lines of a known_hosts file; what is no line of a key is passed over, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): readonly KnownHost[] {
  return text.split('\n').flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/)
    if (raw.trim() === '' || raw.trim().startsWith('#')) return []
    const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined
    const [names, type, key] = words
    return names === undefined || type === undefined || key === undefined
      ? []
      : [{ file, line: index + 1, marker, names, type, key }]
  })
}

/** How a known_hosts file calls a host. */
export const nameOnFile = (host: string, port: number): string =>
  (port === 22 ? host : `[${host}]:${port}`).toLowerCase()

/** The name as `HashKnownHosts yes` writes it. */
export function hashedName(name: string): string {
  const salt = randomBytes(20)
  const digest = createHmac('sha1', salt).update(name).digest('base64')
  return `|1|${salt.toString('base64')}|${digest}`
}

function matches(names: string, wanted: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(names)
  if (hashed?.[1] !== undefined && hashed[2] !== undefined) {
    const digest = createHmac('sha1', Buffer.from(hashed[1], 'base64')).update(wanted).digest()
    const stored = Buffer.from(hashed[2], 'base64')
    return stored.length === digest.length && timingSafeEqual(stored, digest)
  }
  const patterns = names.toLowerCase().split(',')
  if (patterns.some((pattern) => pattern.startsWith('!') && fitsPattern(pattern.slice(1), wanted))) return false
  return patterns.some((pattern) => fitsPattern(pattern, wanted))
}

/** The type of a key in the SSH wire format: its first length-prefixed string (RFC 4253, 6.6). */
export const keyType = (key: Buffer): string => key.subarray(4, 4 + key.readUInt32BE(0)).toString('ascii')

/** A key's fingerprint, as `ssh-keygen -l` prints it. */
export const fingerprintOf = (key: Buffer): string =>
  `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`

/** The lines that are about one host. */
export interface HostLines {
  /** About the host at its port. */
  readonly exact: readonly KnownHost[]
  /** About the host without a port, where it listens at another than 22. */
  readonly anyPort: readonly KnownHost[]
}

/** Picks the lines that are about a host. */
export function linesFor(known: readonly KnownHost[], host: string, port: number): HostLines {
  const about = (name: string) => known.filter(({ names }) => matches(names, name))
  return { exact: about(nameOnFile(host, port)), anyPort: port === 22 ? [] : about(host.toLowerCase()) }
}

/**
 * What known_hosts files say of a key that a host presented.
 * @param key the public key in the SSH wire format
 */
export function judgeHostKey({ exact, anyPort }: HostLines, key: Buffer): HostKeyVerdict {
  const presented = key.toString('base64')
  const revoked = [...exact, ...anyPort].find((entry) => entry.marker === '@revoked' && entry.key === presented)
  if (revoked !== undefined) return { kind: 'revoked', file: revoked.file, line: revoked.line }
  const own = plain(exact)
  if (own.some((entry) => entry.key === presented)) return { kind: 'known' }
  // Any other key on file makes this one a change: whoever sits between would offer the type that is not on file.
  const other = own.find((entry) => entry.type === keyType(key)) ?? own[0]
  if (other !== undefined) return { kind: 'changed', file: other.file, line: other.line }
  // OpenSSH takes a line without a port for the host at any (its sshconnect.c, check_host_key), but not as a contradiction.
  return { kind: plain(anyPort).some((entry) => entry.key === presented) ? 'known' : 'unknown' }
}

const plain = (lines: readonly KnownHost[]): readonly KnownHost[] => lines.filter(({ marker }) => marker === undefined)

/** The keys, in base64, that may sign certificates of a host; without those that are revoked. */
export function authoritiesFor({ exact, anyPort }: HostLines): readonly string[] {
  const ours = [...exact, ...anyPort]
  const revoked = new Set(ours.filter(({ marker }) => marker === '@revoked').map((entry) => entry.key))
  return ours.flatMap(({ marker, key }) => (marker === '@cert-authority' && !revoked.has(key) ? [key] : []))
}

/** The key types on file for a host, so that the connection asks for one that can be checked. */
export const knownKeyTypes = ({ exact, anyPort }: HostLines): readonly string[] => [
  ...new Set(plain([...exact, ...anyPort]).map((entry) => entry.type)),
]
