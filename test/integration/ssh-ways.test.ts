// How a fleet's hosts are reached, by the real command: names that a shell would read, zones of IPv6, ways that lead nowhere.
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import { exec, execText, type ExecResult } from '../../src/system/exec.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'

/** An address of this machine that means something with its interface alone. */
const linkLocal = Object.entries(networkInterfaces())
  .flatMap(([zone, addresses = []]) => addresses.map(({ address }) => ({ zone, address })))
  .find(({ address }) => /^fe80:/i.test(address))
const zoned = linkLocal === undefined ? undefined : `${linkLocal.address}%${linkLocal.zone}`

let folder: string
let sshd: Sshd
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-ways-'))
  await mkdir(join(folder, 'sshd'))
  sshd = await startSshd(join(folder, 'sshd'), (port) =>
    zoned === undefined ? [] : [`ListenAddress [${zoned}]:${port}`],
  )
})
afterAll(async () => {
  await sshd.stop()
  await rm(folder, { recursive: true, force: true })
})

let home: string
beforeEach(async () => {
  const made = await mkdtemp(join(folder, 'home-'))
  home = made
  await mkdir(join(made, '.ssh'), { mode: 0o700 })
  onTestFinished(() => rm(made, { recursive: true, force: true }))
})

/** A command as an operator gives it, whose home folder has this ssh_config. */
async function netops(
  { config = '', hosts, ssh = '' }: { readonly config?: string; readonly hosts: string; readonly ssh?: string },
  ...words: readonly string[]
): Promise<ExecResult> {
  await writeFile(join(home, '.ssh', 'config'), config)
  const { identity } = sshd.target
  await writeFile(join(home, 'netops.yml'), `ssh: { identity: ${identity}${ssh} }\nhosts: { ${hosts} }\n`)
  const env = { HOME: home, NETOPS_STATE_DIR: join(home, 'state'), SSH_AUTH_SOCK: undefined }
  return exec([inject('builds').netops, ...words], { cwd: home, env, timeoutMs: 60_000 })
}
const reach = (given: Parameters<typeof netops>[0], ...words: string[]) =>
  netops(given, 'exec', ...words, '--', 'echo', 'reached')

const ran = async (): Promise<readonly string[]> =>
  (await readdir(home)).filter((name) => ['called', 'made'].includes(name))

describe('a name that a shell would read as more', () => {
  const way = 'ProxyCommand echo %r %h > called; exit 1'

  test.each([
    ['as the user in the fleet file', '', 'web1: { address: bait, ssh: { user: "$(touch made)" } }'],
    ['as the host to go through', '', 'web1: { address: bait, ssh: { jump: "$(touch${IFS}made)@front" } }'],
    ['as the User of ssh_config', 'User $(touch${IFS}made)', 'web1: { address: bait }'],
    // A name is read in small letters, and OpenSSH refuses every other character of a shell in a user.
    ['as the HostName of ssh_config', 'HostName $(>made)', 'web1: { address: bait }'],
    ['as the ProxyJump of ssh_config', 'ProxyJump $HOME@front', 'web1: { address: bait }'],
  ])('reaches no ProxyCommand: %s', async (_, line, hosts) => {
    // Where a line is for some hosts only, OpenSSH is asked with the name, and refuses it itself.
    const config = `${line === '' ? '' : `Host bait\n  ${line}\n`}Host *\n  ${way}\n`
    const { code, stderr } = await reach({ config, hosts })
    expect([code, await ran()]).toEqual([2, []])
    expect(stderr).toMatch(
      /what a shell would read|a shell would read it as more|expected \[user@\]host|no host to go through/,
    )
  })
})

describe('a ProxyCommand that leads nowhere', () => {
  test('is told in its own words with the host in front, and the hint goes the same way', async () => {
    const config = 'Host front\n  HostName 127.0.0.1\n  ProxyCommand echo "no route to the bastion" >&2; exit 255\n'
    const { code, stderr } = await reach({ config, hosts: 'web1: { address: front }' })
    expect(code).toBe(4)
    expect(stderr).toMatch(/^web1: .*: no route to the bastion$/m)
    expect(stderr).toMatch(/^ {2}hint: try: ssh -i \S+ (?:root@)?front true$/m)
    expect(stderr).not.toMatch(/EPIPE|ssh -p 22|@127\.0\.0\.1 true/)
  })

  test('and says nothing is told to have ended', async () => {
    const config = 'Host front\n  ProxyCommand false\n'
    const { code, stderr } = await reach({ config, hosts: 'web1: { address: front }' })
    expect(code).toBe(4)
    expect(stderr).toMatch(/^web1: the ProxyCommand does not lead to \S+ port 22: it ended without a word/m)
  })

  test('is heard while it waits, before it has failed', async () => {
    const script = join(home, 'slow')
    // The first attempt waits, as for somebody to log in elsewhere.
    const once = `[ -e ${home}/tried ] && exit 1\n: > ${home}/tried\n`
    await writeFile(script, `#!/bin/sh\n${once}echo "log in at https://sso.example" >&2\nsleep 3\nexit 1\n`)
    await chmod(script, 0o755)
    const config = `Host front\n  ProxyCommand ${script}\n`
    const { stderr } = await reach({ config, hosts: 'web1: { address: front }' })
    expect(stderr).toMatch(/^web1: ProxyCommand: log in at https:\/\/sso\.example$/m)
  })
})

test('a jump that leads nowhere has a hint that goes by the same name', async () => {
  const config = `Host front\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  ProxyJump bastion\nHost bastion\n  HostName 127.0.0.1\n  Port 1\n`
  const { code, stderr } = await reach({ config, hosts: 'web1: { address: front }' })
  expect(code).toBe(4)
  expect(stderr).toMatch(/^ {2}hint: try: ssh .*bastion true$/m)
})

describe.skipIf(zoned === undefined)('an address with a zone', () => {
  const address = JSON.stringify(zoned)
  const at = () => `web1: { address: ${address}, port: ${sshd.port} }`
  const user = () => `, user: ${sshd.target.user}, known_hosts: known`

  test('is reached, and known by its name with the zone', async () => {
    const refused = await reach({ hosts: at(), ssh: user() })
    expect([refused.code, refused.stderr]).toEqual([7, expect.stringContaining('is unknown') as string])
    expect(await reach({ hosts: at(), ssh: user() }, '--accept-new-host-key')).toMatchObject({ code: 0 })
    // OpenSSH finds it under the same name, whether it is hashed or not.
    const name = `[${zoned ?? ''}]:${sshd.port}`
    expect(await execText(['ssh-keygen', '-F', name, '-f', join(home, 'known')])).toContain(sshd.hostKey)
    expect(await reach({ hosts: at(), ssh: user() })).toMatchObject({ code: 0, stdout: 'web1 | reached\n' })
    const another = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dCB0aGlzIGlzIG5vIGtleSBvZiBvdXJzIGF0IGFs'
    await writeFile(join(home, 'known'), `${name} ${another}\n`)
    const changed = await reach({ hosts: at(), ssh: user() })
    expect([changed.code, changed.stderr]).toEqual([7, expect.stringContaining('is changed') as string])
  })

  test('is a host to go through', async () => {
    await writeFile(join(home, 'known'), `[${zoned ?? ''}]:${sshd.port},[127.0.0.1]:${sshd.port} ${sshd.hostKey}\n`)
    const hosts = `web1: { address: 127.0.0.1, port: ${sshd.port}, ssh: { jump: "${sshd.target.user}@[${zoned ?? ''}]:${sshd.port}" } }`
    expect(await reach({ hosts, ssh: user() })).toMatchObject({ code: 0, stdout: 'web1 | reached\n' })
    const listed = await netops({ hosts, ssh: user() }, 'inventory', 'show', 'web1')
    expect(listed.stdout).toContain(`[${zoned ?? ''}]:${sshd.port}`)
  })
})
