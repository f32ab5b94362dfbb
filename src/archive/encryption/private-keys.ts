// What must not leave the host in the clear: private keys, found by what files hold. Pure.
import { NetopsError } from '../../model/errors.ts'

/** A file that is to be copied offsite, as far as it was read. */
export interface Examined {
  readonly path: string
  /** As much of its beginning as {@link examinedBytes}, or all of it. */
  readonly beginning: Uint8Array
}

/** How much of a file is looked at: a key may stand behind its certificates, as HAProxy and others want it in one file. */
export const examinedBytes = 256 * 1024

// RFC 7468, 10 and 11, and what OpenSSL and OpenSSH write: PRIVATE KEY, ENCRYPTED PRIVATE KEY, RSA, EC and DSA PRIVATE KEY, OPENSSH
// PRIVATE KEY. A key with a passphrase counts too: offline, passphrases are guessed. PGP's and PuTTY's beside them, and age's own.
const marks = [
  /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/,
  /^PuTTY-User-Key-File-\d+:/m,
  /^AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{50,}/m,
  // JWK (RFC 7517): a private or symmetric key has the member d or k.
  /"kty"\s*:\s*"(?:RSA|EC|OKP|oct)"[^}]*"[dk]"\s*:\s*"|"[dk]"\s*:\s*"[^"]+"[^}]*"kty"\s*:\s*"(?:RSA|EC|OKP|oct)"/,
]
// PKCS #8 and SEC 1 in DER have no mark; by these names they are kept.
const named = /\.(?:p12|pfx|jks|keystore|der\.key|pk8)$/i

/** The paths of those that hold a private key, in the order in which they were given. */
export const withPrivateKeys = (files: Iterable<Examined>): readonly string[] =>
  [...files]
    .filter(({ path, beginning }) => {
      const text = Buffer.from(beginning.buffer, beginning.byteOffset, beginning.byteLength).toString('latin1')
      // UTF-16, as some editors of Windows save it, is the same text with a zero behind each character.
      const texts = text.includes('\0') ? [text, text.replaceAll('\0', '')] : [text]
      return named.test(path) || texts.some((said) => marks.some((mark) => mark.test(said)))
    })
    .map(({ path }) => path)

const mostNamed = 5

/**
 * Refuses a copy that would bring private keys offsite for whoever can read the store.
 * @param recipients to whom it is encrypted
 * @throws NetopsError `refused` with the files
 */
export function refuseKeysInTheClear(files: Iterable<Examined>, recipients: readonly string[]): void {
  if (recipients.length > 0) return
  const found = withPrivateKeys(files)
  if (found.length === 0) return
  const others = found.length > mostNamed ? ` and ${found.length - mostNamed} others` : ''
  throw new NetopsError('refused', {
    message: `a copy offsite would hold private keys in the clear: ${found.slice(0, mostNamed).join(', ')}${others}`,
    hint: 'encrypt it: backup.encrypt_to: [age1...] with a recipient that age-keygen made on another machine',
  })
}
