// A fleet of real SSH servers on 127.0.0.1, all of them this very machine, with the fleet file to reach them.
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSshd, type Sshd } from './sshd.ts'

export interface SshFleet {
  readonly folder: string
  readonly inventory: string
  readonly hosts: Readonly<Record<string, Sshd>>
  /** A shell's `case` pattern for `$SSH_CONNECTION`, by which a command knows on which host it is. */
  on(host: string): string
  stop(): Promise<void>
}

/** Programs in its folder `bin` come first on every host. Beside the named hosts there is `lost`, where nothing listens. */
export async function startSshFleet(names: readonly string[]): Promise<SshFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-fleet-'))
  const path = `SetEnv PATH=${join(folder, 'bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
  const all = await Promise.all(
    [...names, 'lost'].map(async (name) => {
      await mkdir(join(folder, name))
      return [name, await startSshd(join(folder, name), [path])] as const
    }),
  )
  const [first] = all
  const identity = first?.[1].target.identity ?? ''
  const knownHosts = join(folder, 'known_hosts')
  for (const [name, { target }] of all) {
    await appendFile(knownHosts, await readFile(target.knownHosts))
    await appendFile(join(folder, name, 'authorized_keys'), await readFile(`${identity}.pub`))
  }
  const hosts = Object.fromEntries(all)
  await hosts.lost?.stop()
  const inventory = join(folder, 'netops.yml')
  const user = first?.[1].target.user ?? 'root'
  const lines = [
    `ssh: { user: ${user}, identity: ${identity}, known_hosts: ${knownHosts} }`,
    'hosts:',
    ...all.map(([name, { port }]) => `  ${name}: { address: 127.0.0.1, ssh: { port: ${port} } }`),
  ]
  await writeFile(inventory, `${lines.join('\n')}\n`)
  return {
    folder,
    inventory,
    hosts,
    on: (host) => `*" ${hosts[host]?.port ?? 0}"`,
    async stop() {
      for (const [, sshd] of all) await sshd.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
