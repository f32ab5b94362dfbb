// The command that takes a person the way that netops goes: by the same name, so that ssh_config says the same of it.
import { quoteCommand } from '../../model/quote.ts'
import type { SshSettings } from './ssh-settings.ts'

type Way = Pick<SshSettings, 'login' | 'address' | 'port' | 'user' | 'hops' | 'proxyCommand'>

/**
 * The OpenSSH command for a host.
 * @param command what to run there
 */
export function sshCommand(way: Way, ...command: readonly string[]): string {
  const { login, address, port, user } = way
  // Where ssh_config gives the name an address, or a way there, only that name goes the same way.
  const named = login.address !== address || way.hops.length > 0 || way.proxyCommand !== undefined
  if (!named) return quoteCommand(['ssh', '-p', String(port), `${user}@${address}`, ...command])
  return quoteCommand([
    'ssh',
    ...(login.port === undefined ? [] : ['-p', String(login.port)]),
    ...(login.identity === undefined ? [] : ['-i', login.identity]),
    ...(login.knownHosts === undefined ? [] : ['-o', `UserKnownHostsFile=${login.knownHosts}`]),
    ...(login.jump === undefined ? [] : ['-J', login.jump]),
    // OpenSSH itself would take the local account.
    login.user === undefined && (user !== 'root' || process.getuid?.() === 0)
      ? login.address
      : `${user}@${login.address}`,
    ...command,
  ])
}
