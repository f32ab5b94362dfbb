// Real SSH servers on 127.0.0.1, and for each tool that is compared the file by which it reaches them.
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SshTarget } from '../../src/drivers/hosts/ssh.ts'
import { startSshd, type Sshd } from '../../test/support/sshd.ts'

export interface Host {
  readonly name: string
  readonly target: SshTarget
  /** Its public host key: `ssh-ed25519 AAAA...`. */
  readonly hostKey: string
  /** Where what is copied to a relative path arrives: all hosts are this machine, each has its own. */
  readonly files: string
}

/** The same hosts for each tool. */
export interface HostSet {
  readonly hosts: readonly Host[]
  readonly inventory: string
  readonly ansibleInventory: string
  /** One name a line. */
  readonly list: string
  readonly sshConfig: string
}

export interface SshHosts {
  /** So many hosts; where there are more than servers, each server is several, by as many addresses. */
  take(count: number): Promise<HostSet>
  stop(): Promise<void>
}

// sshd_config(5): by default some of more than ten connections that are not yet logged in are dropped.
const settings = ['MaxStartups 2000', 'LogLevel QUIET']
// Two hosts of a fleet may not have the same address and port.
const addresses = Array.from({ length: 10 }, (_, index) => `127.0.0.${index + 1}`)
// What begins at once shares the processor; a server has ten seconds to answer.
const startedAtOnce = 10

export async function startSshHosts(folder: string, servers: number): Promise<SshHosts> {
  const running: { readonly name: string; readonly sshd: Sshd; readonly files: string }[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(running.map(({ sshd }) => sshd.stop()))
  }
  try {
    const names = Array.from({ length: servers }, (_, index) => nameOf(index))
    while (names.length > 0) {
      const started = await Promise.allSettled(
        names.splice(0, startedAtOnce).map(async (name) => {
          const files = join(folder, name, 'files')
          await mkdir(files, { recursive: true })
          const sftp = `Subsystem sftp internal-sftp -d ${files}`
          const more = (port: number): string[] => [
            ...settings,
            sftp,
            ...addresses.slice(1).map((address) => `ListenAddress ${address}:${port}`),
          ]
          running.push({ name, files, sshd: await startSshd(join(folder, name), more) })
        }),
      )
      for (const one of started) if (one.status === 'rejected') throw one.reason
    }
    running.sort((a, b) => a.name.localeCompare(b.name))
    return { stop, take: await shareAccess(folder, running) }
  } catch (error) {
    await stop()
    throw error
  }
}

const nameOf = (index: number): string => `h${String(index + 1).padStart(3, '0')}`

/** One key opens all of them, and one file knows all their keys. */
async function shareAccess(
  folder: string,
  servers: readonly { readonly sshd: Sshd; readonly files: string; readonly name: string }[],
): Promise<SshHosts['take']> {
  const identity = servers[0]?.sshd.target.identity ?? ''
  const publicKey = await readFile(`${identity}.pub`, 'utf8')
  for (const { name } of servers) await appendFile(join(folder, name, 'authorized_keys'), publicKey)
  return async (count) => {
    const at = (name: string): string => join(folder, `${name}-${count}`)
    const knownHosts = at('known_hosts')
    const hosts = Array.from({ length: count }, (_, index): Host => {
      const server = servers[index % servers.length]
      const address = addresses[Math.floor(index / servers.length)]
      if (server === undefined || address === undefined) throw new Error(`there are no ${count} hosts`)
      const { sshd, files } = server
      const name = nameOf(index)
      return { name, files, hostKey: sshd.hostKey, target: { ...sshd.target, name, address, identity, knownHosts } }
    })
    const set = { hosts, inventory: at('netops.yml'), ansibleInventory: at('ansible'), list: at('hosts') }
    const sshConfig = at('ssh_config')
    const names = hosts.map(({ name }) => name)
    const user = hosts[0]?.target.user ?? ''
    await Promise.all([
      writeFile(knownHosts, lines(hosts.map(({ target, hostKey }) => `[${target.address}]:${target.port} ${hostKey}`))),
      writeFile(set.list, lines(names)),
      writeFile(set.ansibleInventory, lines(names)),
      writeFile(
        set.inventory,
        lines([
          `ssh: { user: ${user}, identity: ${identity}, known_hosts: ${knownHosts} }`,
          'hosts:',
          ...hosts.map(
            ({ name, target }) => `  ${name}: { address: ${target.address}, ssh: { port: ${target.port} } }`,
          ),
        ]),
      ),
      writeFile(
        sshConfig,
        lines([
          ...hosts.flatMap(({ name, target }) => [
            `Host ${name}`,
            `  HostName ${target.address}`,
            `  Port ${target.port}`,
          ]),
          'Host *',
          ...[`  User ${user}`, `  IdentityFile ${identity}`, '  IdentitiesOnly yes'],
          ...['  IdentityAgent none', '  BatchMode yes', '  LogLevel ERROR'],
          ...['  StrictHostKeyChecking yes', `  UserKnownHostsFile ${knownHosts}`, '  GlobalKnownHostsFile none'],
        ]),
      ),
    ])
    return { ...set, sshConfig }
  }
}

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`
