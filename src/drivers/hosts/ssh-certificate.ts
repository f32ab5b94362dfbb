// Certificates of hosts (OpenSSH's PROTOCOL.certkeys): what one says, and whether an authority in known_hosts signed it. Pure.
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { fitsPattern } from '../../model/pattern.ts'
import { WireReader, wireString } from './ssh-wire.ts'

const suffix = '-cert-v01@openssh.com'

/** The certificates that a host is asked for, in this order. */
export const certificateTypes: readonly string[] = [
  ...['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ...['rsa-sha2-512', 'rsa-sha2-256'],
].map((type) => `${type}${suffix}`)

export interface HostCertificate {
  /** The certified public key in the SSH wire format. */
  readonly key: Buffer
  readonly keyId: string
  readonly principals: readonly string[]
  /** Seconds since 1970; the last one is the first that is not covered any more. */
  readonly validAfter: bigint
  readonly validBefore: bigint
  readonly isForHosts: boolean
  readonly criticalOptions: Buffer
  readonly authority: Buffer
  readonly signed: Buffer
  readonly signature: Buffer
}

/** @throws Error for bytes that are no certificate */
export function parseCertificate(blob: Buffer): HostCertificate {
  const reader = new WireReader(blob)
  const type = reader.text()
  if (!type.endsWith(suffix)) throw new Error(`it is a ${type}, no certificate`)
  const plain = type.slice(0, -suffix.length)
  reader.string() // the nonce
  // An ed25519 key is one string; an ECDSA key its curve and point; an RSA key its exponent and modulus.
  const parts = Array.from({ length: plain === 'ssh-ed25519' ? 1 : 2 }, () => wireString(reader.string()))
  reader.uint64() // the serial number
  const isForHosts = reader.uint32() === 2
  const keyId = reader.text()
  const principals = stringsIn(reader.string())
  const validAfter = reader.uint64()
  const validBefore = reader.uint64()
  const criticalOptions = reader.string()
  reader.string() // extensions: none has a meaning for hosts
  reader.string() // reserved
  const authority = reader.string()
  const signed = blob.subarray(0, reader.position)
  const key = Buffer.concat([wireString(plain), ...parts])
  return {
    ...{ key, keyId, principals, validAfter, validBefore, isForHosts, criticalOptions, authority, signed },
    signature: reader.string(),
  }
}

function stringsIn(bytes: Buffer): readonly string[] {
  const reader = new WireReader(bytes)
  const found: string[] = []
  while (!reader.isAtEnd) found.push(reader.text())
  return found
}

export interface Vouching {
  /** The host's name, without a port. */
  readonly host: string
  /** Keys in base64 that may vouch for it. */
  readonly authorities: readonly string[]
  readonly now: Date
}

/** Why a certificate does not vouch for a host; undefined where it does. */
export function faultOf(certificate: HostCertificate, { host, authorities, now }: Vouching): string | undefined {
  const seconds = BigInt(Math.floor(now.getTime() / 1000))
  const name = host.toLowerCase()
  if (!certificate.isForHosts) return 'it is for a user, not for a host'
  if (!authorities.includes(certificate.authority.toString('base64'))) {
    return 'another authority signed it than the one on file'
  }
  if (seconds < certificate.validAfter) return `it is not valid before ${showTime(certificate.validAfter)}`
  if (seconds >= certificate.validBefore) return `it has expired at ${showTime(certificate.validBefore)}`
  // OpenSSH takes a certificate without names for any host; whoever gets hold of one could be every host.
  if (!certificate.principals.some((pattern) => fitsPattern(pattern.toLowerCase(), name))) {
    return `it is for ${certificate.principals.join(', ') || 'nobody'}, not for ${name}`
  }
  if (certificate.criticalOptions.length > 0) return 'it has a critical option, of which netops knows none'
  return isSignedBy(certificate) ? undefined : 'its signature is wrong'
}

const showTime = (seconds: bigint): string =>
  seconds > 253_402_300_799n ? 'the end of time' : new Date(Number(seconds) * 1000).toISOString()

// RFC 8332, RFC 5656, RFC 8709; SHA-1 is not among them.
const hashes: Readonly<Record<string, string | null>> = {
  'ssh-ed25519': null,
  'rsa-sha2-256': 'sha256',
  'rsa-sha2-512': 'sha512',
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
}

function isSignedBy({ authority, signed, signature }: HostCertificate): boolean {
  const reader = new WireReader(signature)
  const algorithm = reader.text()
  const hash = hashes[algorithm]
  if (hash === undefined) return false
  const { key, coordinate } = publicKeyOf(authority)
  const expected = algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm
  if (new WireReader(authority).text() !== expected) return false
  const bytes = reader.string()
  return coordinate === undefined
    ? verify(hash, signed, key, bytes)
    : verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, fixedLength(bytes, coordinate))
}

/** Two numbers of RFC 5656, 3.1.2, as two fields of the same length. */
function fixedLength(bytes: Buffer, coordinate: number): Buffer {
  const reader = new WireReader(bytes)
  const field = (): Buffer => {
    const number = reader.string()
    const digits = number[0] === 0 ? number.subarray(1) : number
    return Buffer.concat([Buffer.alloc(Math.max(0, coordinate - digits.length)), digits])
  }
  return Buffer.concat([field(), field()])
}

const curves: Readonly<Record<string, { readonly crv: string; readonly coordinate: number }>> = {
  nistp256: { crv: 'P-256', coordinate: 32 },
  nistp384: { crv: 'P-384', coordinate: 48 },
  nistp521: { crv: 'P-521', coordinate: 66 },
}

interface PublicKey {
  readonly key: KeyObject
  /** Of an ECDSA key, how many bytes a coordinate has. */
  readonly coordinate?: number
}

function publicKeyOf(blob: Buffer): PublicKey {
  const reader = new WireReader(blob)
  const type = reader.text()
  const web = (bytes: Buffer): string => bytes.toString('base64url')
  const jwk = (key: Record<string, string>): KeyObject => createPublicKey({ key, format: 'jwk' })
  if (type === 'ssh-ed25519') return { key: jwk({ kty: 'OKP', crv: 'Ed25519', x: web(reader.string()) }) }
  if (type === 'ssh-rsa') {
    const [e, n] = [reader.string(), reader.string()]
    return { key: jwk({ kty: 'RSA', e: web(e), n: web(n) }) }
  }
  const curve = curves[reader.text()]
  if (curve === undefined) throw new Error(`an authority with a key of type ${type} is not known`)
  const { crv, coordinate } = curve
  // SEC 1, 2.3.3: 4, then x and y.
  const point = reader.string().subarray(1)
  const [x, y] = [point.subarray(0, coordinate), point.subarray(coordinate)]
  return { key: jwk({ kty: 'EC', crv, x: web(x), y: web(y) }), coordinate }
}
