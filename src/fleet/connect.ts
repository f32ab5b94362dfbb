// From a target to a connection. All hosts of a command share what they can: ssh_config, keys, passphrases, hosts on the way.
import { homedir } from 'node:os'
import type { HostConnection } from '../drivers/hosts/port.ts'
import type { SshSettings } from '../drivers/hosts/ssh-settings.ts'
import type { SshHosts } from '../drivers/hosts/ssh.ts'
import type { CommandContext } from '../cli/command.ts'
import type { Target } from './fleet.ts'

const known = new WeakMap<CommandContext, Promise<Shared>>()

interface Shared {
  readonly hosts: SshHosts
  /** Passwords of sudo by where they come from, each read or asked for once. */
  readonly passwords: Map<string, Promise<string | undefined>>
}

/** Opens a connection to one host. */
export async function connect(to: Target, context: CommandContext): Promise<HostConnection> {
  if (to.kind === 'local') {
    const { connectHere } = await import('../drivers/hosts/readers.ts')
    return connectHere(to.name)
  }
  const { hosts, passwords } = await sharedOf(context)
  if (to.become === undefined) return hosts.connect({ ...to, become: undefined })
  return hosts.connect({ ...to, become: { password: () => passwordOf(to, passwords, context) } })
}

/** How a host is reached, without reaching it; undefined for this machine. */
export async function settingsFor(to: Target, context: CommandContext): Promise<SshSettings | undefined> {
  if (to.kind === 'local') return undefined
  return (await sharedOf(context)).hosts.settings({ ...to, become: undefined })
}

function sharedOf(context: CommandContext): Promise<Shared> {
  const shared = known.get(context) ?? share(context)
  known.set(context, shared)
  return shared
}

async function share({ env, askSecret, progress, acceptNewHostKeys }: CommandContext): Promise<Shared> {
  const { SshHosts: Hosts } = await import('../drivers/hosts/ssh.ts')
  const outside = { home: homedir(), env, ask: askSecret, tell: progress }
  return { hosts: new Hosts({ ...outside, acceptNewHostKeys }), passwords: new Map() }
}

type SshTarget = Extract<Target, { kind: 'ssh' }>

/** The password that sudo asks for: from where the fleet file says, else from whoever sits at the terminal. */
function passwordOf(
  { becomePassword, user = '' }: SshTarget,
  passwords: Shared['passwords'],
  { env, askSecret }: CommandContext,
): Promise<string | undefined> {
  const key = JSON.stringify(becomePassword ?? user)
  const there = passwords.get(key)
  if (there !== undefined) return there
  const read = async (): Promise<string | undefined> => {
    if (becomePassword === undefined) {
      const answer = (await askSecret?.(`Password of ${user || 'the account'} for sudo: `)) ?? ''
      return answer === '' ? undefined : answer
    }
    const { readSecret } = await import('../runs/file-sources.ts')
    return readSecret('ssh.become_password', becomePassword.source, { cwd: becomePassword.folder, env })
  }
  const made = read()
  passwords.set(key, made)
  return made
}
