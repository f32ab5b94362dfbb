// Which algorithms a connection may use: what ssh_config chooses of those that ssh2 knows, and key types that can be checked.
import type { ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2'
import { NetopsError } from '../../model/errors.ts'
import type { AlgorithmWord, SshSettings } from './ssh-settings.ts'

type Algorithms = NonNullable<ConnectConfig['algorithms']>

const hostKeys: readonly ServerHostKeyAlgorithm[] = [
  ...(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'] as const),
  ...(['rsa-sha2-512', 'rsa-sha2-256'] as const),
]

// What ssh2 has of OpenSSH's (its README, Algorithms), without SHA-1, CBC and RC4.
const known: Readonly<Record<AlgorithmWord, readonly string[]>> = {
  ciphers: [
    ...['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr'],
    'chacha20-poly1305@openssh.com',
  ],
  macs: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  kexalgorithms: [
    ...['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256', 'ecdh-sha2-nistp384'],
    ...['ecdh-sha2-nistp521', 'diffie-hellman-group-exchange-sha256', 'diffie-hellman-group14-sha256'],
    ...['diffie-hellman-group16-sha512', 'diffie-hellman-group18-sha512'],
  ],
  hostkeyalgorithms: hostKeys,
}

/**
 * The algorithms of a connection. A host with several keys is asked for one of those that are on file.
 * @param onFile key types, those to be asked for first
 * @throws NetopsError `usage` where ssh_config allows none that ssh2 knows
 */
export function algorithmsOf(settings: SshSettings, onFile: readonly string[]): Algorithms {
  const chosen = (word: AlgorithmWord): readonly string[] => {
    const wanted = settings.algorithms[word]
    if (wanted === undefined) return known[word]
    const both = wanted.filter((name) => known[word].includes(name))
    if (both.length > 0) return both
    throw new NetopsError('usage', {
      host: settings.name,
      message: `ssh_config allows no ${word} that netops knows: ${wanted.join(', ')}`,
      hint: `netops knows ${known[word].join(', ')}`,
    })
  }
  const allowed = chosen('hostkeyalgorithms')
  const isOnFile = (name: string): boolean => onFile.includes(name.startsWith('rsa-') ? 'ssh-rsa' : name)
  const first = allowed.filter(isOnFile).toSorted((a, b) => rank(onFile, a) - rank(onFile, b))
  const algorithms = {
    serverHostKey: [...first, ...allowed.filter((name) => !isOnFile(name))],
    cipher: chosen('ciphers'),
    hmac: chosen('macs'),
    kex: chosen('kexalgorithms'),
  }
  // Each name was looked up in the table above, which holds ssh2's own.
  return algorithms as Algorithms
}

const rank = (onFile: readonly string[], name: string): number =>
  onFile.indexOf(name.startsWith('rsa-') ? 'ssh-rsa' : name)
