// Whether the key that a host presents is the one on file: read once for all hosts, certificates checked, new keys pinned.
import { statSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { readFileUpTo, readFileUpToNow } from '../../system/bounded.ts'
import { faultOf, parseCertificate } from './ssh-certificate.ts'
import { scanCertificate } from './ssh-certificate-scan.ts'
import {
  authoritiesFor,
  fingerprintOf,
  hashedName,
  judgeHostKey,
  keyType,
  knownKeyTypes,
  linesFor,
  nameOnFile,
  parseKnownHosts,
  type HostLines,
  type KnownHost,
} from './ssh-known-hosts.ts'
import type { SshSettings } from './ssh-settings.ts'

/** What is known of a host's key before it presents one. */
export interface Expected {
  readonly lines: HostLines
  /** The key that an authority vouches for. */
  readonly vouched: Buffer | undefined
  /** Why no authority on file vouches for it. */
  readonly fault: string | undefined
  /** The types to ask for first, so that the host presents a key that can be checked. */
  readonly types: readonly string[]
}

// 50,000 hosts with three keys each.
const mostKnown = 64 * 2 ** 20

export class HostKeys {
  readonly #acceptNew: boolean
  readonly #tell: (line: string) => void
  readonly #files = new Map<string, { readonly version: string; readonly lines: readonly KnownHost[] }>()
  /** One line at a time. */
  #pinning: Promise<void> = Promise.resolve()

  /** @param tell hears of keys that were pinned */
  constructor(acceptNew: boolean, tell: (line: string) => void) {
    this.#acceptNew = acceptNew
    this.#tell = tell
  }

  /**
   * Reads what is on file for a host, and asks it for its certificate where an authority may vouch for it.
   * @param dial opens a connection to it of its own
   */
  async expected(settings: SshSettings, dial: () => Promise<Duplex>): Promise<Expected> {
    const known = settings.knownHosts.flatMap((file) => this.#read(file))
    const { name, port } = nameOf(settings)
    const lines = linesFor(known, name, port)
    const types = knownKeyTypes(lines)
    const authorities = authoritiesFor(lines)
    if (authorities.length === 0) return { lines, vouched: undefined, fault: undefined, types }
    try {
      const blob = await scanCertificate(await dial(), settings.connectTimeoutMs)
      if (blob === undefined) throw new Error('the host presents no certificate')
      const certificate = parseCertificate(blob)
      const fault = faultOf(certificate, { host: name, authorities, now: new Date() })
      if (fault !== undefined) throw new Error(`the certificate of the host is not accepted: ${fault}`)
      return { lines, vouched: certificate.key, fault: undefined, types: [keyType(certificate.key), ...types] }
    } catch (error) {
      // A host that cannot be reached is told so by the connection proper.
      return { lines, vouched: undefined, fault: messageOf(error), types }
    }
  }

  /** Judges the key that a host presents; a new one may be pinned. */
  async judge(settings: SshSettings, expected: Expected, key: Buffer): Promise<NetopsError | undefined> {
    const verdict = judgeHostKey(expected.lines, key)
    if (verdict.kind === 'known') return revokedIn(settings, key)
    if (verdict.kind !== 'revoked' && expected.vouched?.equals(key) === true) return revokedIn(settings, key)
    const fingerprint = fingerprintOf(key)
    const where = `${settings.address} port ${settings.port}`
    if (verdict.kind !== 'unknown') {
      return new NetopsError('refused', {
        host: settings.name,
        message: `the host key of ${where} is ${verdict.kind}: it presents ${fingerprint}, against ${verdict.file}:${verdict.line}`,
        hint: 'someone may be in between; only when you know why the key is another, replace that line',
      })
    }
    const [file = ''] = settings.knownHosts
    // An authority is on file for this host: only it may say which key is right.
    if (expected.fault !== undefined) {
      return new NetopsError('refused', {
        host: settings.name,
        message: `the host key of ${where} is unknown: ${fingerprint} is not in ${file}, and ${expected.fault}`,
        hint: 'see the certificate with: ssh-keyscan -c HOST | ssh-keygen -L -f -',
      })
    }
    if (this.#acceptNew || settings.acceptNewHostKeys) return this.#pin(settings, key)
    return new NetopsError('refused', {
      host: settings.name,
      message: `the host key of ${where} is unknown: ${fingerprint} is not in ${file}`,
      hint: "compare it with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub); if it is the same, the same command with --accept-new-host-key pins it",
    })
  }

  // At once, so that the first of many hosts reads it for all.
  #read(file: string): readonly KnownHost[] {
    const version = versionOf(file)
    const before = this.#files.get(file)
    if (before?.version === version) return before.lines
    const lines = version === '' ? [] : parseKnownHosts(readFileUpToNow(file, mostKnown).toString('utf8'), file)
    this.#files.set(file, { version, lines })
    return lines
  }

  async #pin(settings: SshSettings, key: Buffer): Promise<NetopsError | undefined> {
    const { name, port } = nameOf(settings)
    const [file] = settings.knownHosts
    if (file === undefined) return undefined
    const written = nameOnFile(name, port)
    const shown = settings.hashKnownHosts ? hashedName(written) : written
    const pinned = this.#pinning.then(() => append(file, `${shown} ${keyType(key)} ${key.toString('base64')}`))
    // Whoever pins next waits for its end, not for its success, which is told below.
    this.#pinning = pinned.catch(() => undefined)
    try {
      await pinned
    } catch (cause) {
      return new NetopsError('failed', {
        host: settings.name,
        message: `its new key cannot be written to ${file}: ${messageOf(cause)}`,
        cause,
      })
    }
    this.#tell(`${settings.name}: its key ${fingerprintOf(key)} is new; it is in ${file} from now on`)
    return undefined
  }
}

const nameOf = ({ hostKeyAlias, address, port }: SshSettings) =>
  // ssh_config(5), HostKeyAlias: the name alone, without a port.
  hostKeyAlias === undefined ? { name: address, port } : { name: hostKeyAlias, port: 22 }

/** What changes whenever the file does; empty where there is none. */
function versionOf(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file)
    return `${mtimeMs} ${size} ${ino}`
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ''
    throw error
  }
}

async function append(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const handle = await open(file, 'a+', 0o600)
  try {
    const { size } = await handle.stat()
    const last = Buffer.alloc(1)
    if (size > 0) await handle.read(last, 0, 1, size - 1)
    // One write at the end of the file: two operators at once both get their line.
    await handle.write(`${size > 0 && last.toString() !== '\n' ? '\n' : ''}${line}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** ssh_config(5), RevokedHostKeys: a list of public keys; OpenSSH's binary lists are refused rather than passed over. */
async function revokedIn(
  { name, address, revokedHostKeys }: SshSettings,
  key: Buffer,
): Promise<NetopsError | undefined> {
  if (revokedHostKeys === undefined) return undefined
  const refuse = (message: string): NetopsError => new NetopsError('refused', { host: name, message })
  let text: string
  try {
    text = (await readFileUpTo(revokedHostKeys, mostKnown)).toString('latin1')
  } catch (error) {
    // As OpenSSH: without its list of revoked keys no key is good.
    return refuse(`the list of revoked host keys cannot be read: ${messageOf(error)}`)
  }
  if (text.startsWith('SSHKRL\n')) {
    return refuse(
      `${revokedHostKeys} is a binary list of revoked keys, which netops cannot read; give it as public keys`,
    )
  }
  return text.includes(key.toString('base64'))
    ? refuse(`the host key of ${address} is revoked: ${fingerprintOf(key)} is in ${revokedHostKeys}`)
    : undefined
}
