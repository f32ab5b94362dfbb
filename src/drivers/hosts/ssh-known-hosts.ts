// Judges a host's key by an OpenSSH known_hosts file, plain and hashed (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
import { createHmac, timingSafeEqual } from 'node:crypto'

export type HostKeyVerdict =
  | { readonly kind: 'known' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'changed' | 'revoked'; readonly line: number }

interface Entry {
  readonly line: number
  readonly marker: string | undefined
  readonly names: string
  readonly type: string
  readonly key: string
}

function entriesOf(text: string): Entry[] {
  return text.split('\n').flatMap((raw, index) => {
    const words = raw.trim().split(/\s+/)
    if (raw.trim() === '' || raw.trim().startsWith('#')) return []
    const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined
    const [names, type, key] = words
    return names === undefined || type === undefined || key === undefined
      ? []
      : [{ line: index + 1, marker, names, type, key }]
  })
}

const nameFor = (host: string, port: number): string => (port === 22 ? host : `[${host}]:${port}`).toLowerCase()

function matches(names: string, wanted: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(names)
  if (hashed?.[1] !== undefined && hashed[2] !== undefined) {
    const digest = createHmac('sha1', Buffer.from(hashed[1], 'base64')).update(wanted).digest()
    const stored = Buffer.from(hashed[2], 'base64')
    return stored.length === digest.length && timingSafeEqual(stored, digest)
  }
  const patterns = names.toLowerCase().split(',')
  if (patterns.some((pattern) => pattern.startsWith('!') && fits(pattern.slice(1), wanted))) return false
  return patterns.some((pattern) => fits(pattern, wanted))
}

const fits = (pattern: string, name: string): boolean =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  ).test(name)

/** The type of a key in the SSH wire format: its first length-prefixed string (RFC 4253, 6.6). */
const typeOf = (key: Buffer): string => key.subarray(4, 4 + key.readUInt32BE(0)).toString('ascii')

/**
 * What a known_hosts text says of a key that a host presented.
 * @param key the public key in the SSH wire format
 */
export function judgeHostKey(text: string, host: string, port: number, key: Buffer): HostKeyVerdict {
  const presented = key.toString('base64')
  const ours = entriesOf(text).filter((entry) => matches(entry.names, nameFor(host, port)))
  const revoked = ours.find((entry) => entry.marker === '@revoked' && entry.key === presented)
  if (revoked !== undefined) return { kind: 'revoked', line: revoked.line }
  const plain = ours.filter((entry) => entry.marker === undefined)
  if (plain.some((entry) => entry.key === presented)) return { kind: 'known' }
  // Any other key on file makes this one a change: whoever sits between would offer the type that is not on file.
  const other = plain.find((entry) => entry.type === typeOf(key)) ?? plain[0]
  return other === undefined ? { kind: 'unknown' } : { kind: 'changed', line: other.line }
}

/** The key types on file for a host, so that the connection asks for one that can be checked. */
export function knownKeyTypes(text: string, host: string, port: number): readonly string[] {
  const types = entriesOf(text)
    .filter((entry) => entry.marker === undefined && matches(entry.names, nameFor(host, port)))
    .map((entry) => entry.type)
  return [...new Set(types)]
}
