// The least that an SSH client on the library of netops has to do: connect to all, check host keys, log in with a key.
import { readFileSync } from 'node:fs'
import ssh2 from 'ssh2'
import type { Host } from '../ssh-hosts.ts'

export function connectBare({ target, hostKey }: Host): Promise<ssh2.Client> {
  const expected = Buffer.from(hostKey.split(' ')[1] ?? '', 'base64')
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client()
    client.once('ready', () => resolve(client)).once('error', reject)
    client.connect({
      host: target.address,
      port: target.port ?? 22,
      username: target.user ?? 'root',
      privateKey: readFileSync(target.identity ?? ''),
      algorithms: { serverHostKey: ['ssh-ed25519'] },
      hostVerifier: (key: Buffer) => key.equals(expected),
    })
    client.setNoDelay(true)
  })
}
