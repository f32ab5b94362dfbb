// From a target to a connection. All hosts of a command share what they can: ssh_config, keys, passphrases, hosts on the way.
import type { Sources } from '../config/file-sources.ts'
import { leavable, untilLeft } from '../drivers/hosts/leavable.ts'
import type { HostConnection } from '../drivers/hosts/port.ts'
import type { SshSettings } from '../drivers/hosts/ssh-settings.ts'
import type { SshHosts } from '../drivers/hosts/ssh.ts'
import type { SshTargetData, Target } from '../model/target.ts'
import { homeFolder } from '../system/account.ts'

/** How the hosts of a command are reached; a command gets it with its context, a test puts its own in its place. */
export interface Connections {
  /**
   * Opens a connection to one host.
   * @throws NetopsError `unreachable`; `refused` for a host key that is not on file or changed
   */
  connect(to: Target): Promise<HostConnection>
  /** How a host is reached, without reaching it; undefined for this machine. */
  settings(to: Target): Promise<SshSettings | undefined>
}

/** What connections may use of the outside. */
export interface ConnectionsOutside {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly sources: Sources
  /** Asks for a passphrase or a password; undefined where nobody sits at a terminal. */
  readonly askSecret?: ((question: string) => Promise<string>) | undefined
  /** Where the operator hears of keys that were pinned. */
  readonly progress: (line: string) => void
  readonly acceptNewHostKeys: boolean
  /** Aborted when no host is waited for any longer. */
  readonly leaving: AbortSignal
}

/** The connections of one command. Nothing is loaded before the first host is reached. */
export function connectionsFor(outside: ConnectionsOutside): Connections {
  let shared: Promise<Shared> | undefined
  const share = (): Promise<Shared> => (shared ??= load(outside))
  return {
    async connect(to) {
      if (to.kind === 'local') {
        const { connectHere } = await import('../drivers/hosts/readers.ts')
        return connectHere(to.name, outside.leaving)
      }
      const { hosts, passwords } = await share()
      const become = to.become && { password: () => passwordOf(to, passwords, outside) }
      return connectLeavably(() => hosts.connect({ ...to, become }), to.name, outside.leaving)
    },
    async settings(to) {
      if (to.kind === 'local') return undefined
      return (await share()).hosts.settings({ ...to, become: undefined })
    },
  }
}

/** @throws NetopsError `interrupted` where it is left meanwhile; a connection that comes after all is closed */
async function connectLeavably(
  connect: () => Promise<HostConnection>,
  name: string,
  leaving: AbortSignal,
): Promise<HostConnection> {
  let connecting: Promise<HostConnection> | undefined
  try {
    const connection = await untilLeft(() => (connecting = connect()), `a connection to ${name}`, leaving)
    return leavable(connection, leaving)
  } catch (error) {
    connecting?.then((late) => late.close()).catch(() => undefined)
    throw error
  }
}

interface Shared {
  readonly hosts: SshHosts
  /** Passwords of sudo by where they come from, each read or asked for once. */
  readonly passwords: Map<string, Promise<string | undefined>>
}

async function load({ env, askSecret, progress, acceptNewHostKeys }: ConnectionsOutside): Promise<Shared> {
  const { SshHosts: Hosts } = await import('../drivers/hosts/ssh.ts')
  const hosts = new Hosts({ home: homeFolder(), env, ask: askSecret, tell: progress, acceptNewHostKeys })
  return { hosts, passwords: new Map() }
}

/** The password that sudo asks for: from where the fleet file says, else from whoever sits at the terminal. */
function passwordOf(
  { becomePassword, user = '' }: SshTargetData,
  passwords: Shared['passwords'],
  { sources, askSecret }: ConnectionsOutside,
): Promise<string | undefined> {
  const key = JSON.stringify(becomePassword ?? user)
  const there = passwords.get(key)
  if (there !== undefined) return there
  const read = async (): Promise<string | undefined> => {
    if (becomePassword === undefined) {
      const answer = (await askSecret?.(`Password of ${user || 'the account'} for sudo: `)) ?? ''
      return answer === '' ? undefined : answer
    }
    return sources.secret('ssh.become_password', becomePassword.source, becomePassword.folder)
  }
  const made = read()
  passwords.set(key, made)
  return made
}
