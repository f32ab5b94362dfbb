// What fleets have of SSH, each on real servers: it works, or is refused with the reason.
import { execFile, spawn } from 'node:child_process'
import { createHash, KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HostConnection } from '../../src/drivers/hosts/port.ts'
import { connectSsh, SshHosts, type SshTarget } from '../../src/drivers/hosts/ssh.ts'
import type { SshOutside } from '../../src/drivers/hosts/ssh-connect.ts'
import { holdKeysAsObjects, leaveOutHabits } from '../../src/drivers/hosts/ssh-transport.ts'
import { makeAccount, type Account } from '../support/accounts.ts'
import { startSlowLink } from '../support/slow-link.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'

const run = promisify(execFile)

let folder: string
/** A server for everything that needs nothing of its own. */
let plain: Sshd
const ending: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-matrix-'))
  // Accounts other than root read their keys below it.
  await chmod(folder, 0o755)
  plain = await serve('plain')
})
afterAll(async () => {
  // Whatever one of them comes to, the others are ended too.
  const ended: PromiseSettledResult<unknown>[] = []
  for (const end of ending.toReversed()) ended.push(...(await Promise.allSettled([end()])))
  await rm(folder, { recursive: true, force: true })
  expect(ended.filter(({ status }) => status === 'rejected')).toEqual([])
})

const at = (...names: string[]): string => join(folder, ...names)

async function serve(name: string, more: readonly string[] = []): Promise<Sshd> {
  await mkdir(at(name))
  const sshd = await startSshd(at(name), more)
  ending.push(() => sshd.stop())
  return sshd
}

async function account(wish: Parameters<typeof makeAccount>[0]): Promise<Account> {
  const made = await makeAccount(wish)
  ending.push(() => made.remove())
  return made
}

/** A new key of this type that the server takes. */
async function keyFor(sshd: Sshd, name: string, words: readonly string[], passphrase = ''): Promise<string> {
  const path = at(name)
  await run('ssh-keygen', ['-q', ...words, '-N', passphrase, '-C', name, '-f', path])
  await appendFile(join(sshd.target.identity, '..', 'authorized_keys'), await readFile(`${path}.pub`))
  return path
}

/** A real agent; what it holds is added with ssh-add. */
async function agent(...keys: readonly string[]): Promise<NodeJS.ProcessEnv> {
  const socket = at(`agent-${ending.length}`)
  const process_ = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
  ending.push(async () => {
    process_.kill()
    await once(process_, 'exit')
  })
  const env = { ...process.env, SSH_AUTH_SOCK: socket }
  for (let attempt = 0; ; attempt += 1) {
    const listed = await run('ssh-add', ['-l'], { env }).catch((error: unknown) => error as { code: number })
    // 1 (ssh-add(1)): it answers, and holds nothing.
    if (!('code' in listed) || listed.code === 1 || attempt > 100) break
    await sleep(20)
  }
  if (keys.length > 0) await run('ssh-add', ['-q', ...keys], { env })
  return env
}

/** A home folder with this ssh_config. */
async function homeWith(config: string): Promise<string> {
  const home = await mkdtemp(join(folder, 'home-'))
  await mkdir(join(home, '.ssh'), { mode: 0o700 })
  await writeFile(join(home, '.ssh', 'config'), config)
  return home
}

async function using<T>(host: Promise<HostConnection>, work: (host: HostConnection) => Promise<T>): Promise<T> {
  const connection = await host
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

/** Logs in and has the host add something up. */
const works = (target: SshTarget, outside: Partial<SshOutside> = {}) =>
  using(connectSsh(target, outside), async (host) => {
    expect(await host.run(['expr', '40', '+', '2'])).toEqual({ code: 0, stdout: '42\n', stderr: '' })
  })

const noAgent = { env: { ...process.env, SSH_AUTH_SOCK: undefined } }

describe('keys', () => {
  test.each([
    ['RSA', ['-t', 'rsa', '-b', '2048']],
    ['ECDSA', ['-t', 'ecdsa', '-b', '384']],
    ['ed25519', ['-t', 'ed25519']],
    ['RSA in PEM', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']],
  ])('of the type %s are accepted', async (name, words) => {
    await works({ ...plain.target, identity: await keyFor(plain, `key ${name}`, words) }, noAgent)
  })

  test('with a passphrase are unlocked once for all hosts', async () => {
    const identity = await keyFor(plain, 'locked', ['-t', 'ed25519'], 'open sesame')
    const asked: string[] = []
    const ask = (question: string) => {
      asked.push(question)
      return Promise.resolve(asked.length === 1 ? 'open barley' : 'open sesame')
    }
    const hosts = new SshHosts({ ...noAgent, ask })
    await Promise.all(
      ['web1', 'web2', 'web3'].map((name) =>
        using(hosts.connect({ ...plain.target, name, identity }), (host) => host.run(['true'])),
      ),
    )
    expect(asked).toEqual([`Passphrase of ${identity}: `, `That is not it. Passphrase of ${identity}: `])
  })

  test('with a passphrase that nobody gives are named, with the way to load them', async () => {
    const identity = await keyFor(plain, 'locked2', ['-t', 'rsa', '-b', '2048', '-m', 'PEM'], 'open sesame')
    await expect(connectSsh({ ...plain.target, identity }, noAgent)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(`${identity} has a passphrase that nobody gave`) as unknown,
      hint: `load the key into an agent: ssh-add ${identity}`,
    })
    await expect(
      connectSsh({ ...plain.target, identity }, { ...noAgent, ask: () => Promise.resolve('wrong') }),
    ).rejects.toMatchObject({ code: 'usage', message: `3 wrong passphrases for ${identity}` })
  })

  test('that the agent holds need no passphrase', async () => {
    const identity = await keyFor(plain, 'held', ['-t', 'ed25519'], 'open sesame')
    const open = at('held open')
    await copyFile(identity, open)
    await chmod(open, 0o600)
    await run('ssh-keygen', ['-q', '-p', '-P', 'open sesame', '-N', '', '-f', open])
    const env = await agent(open)
    const ask = () => Promise.reject(new Error('nobody is to be asked'))
    await works({ ...plain.target, identity }, { env, ask })
    // Without being named in the fleet file, too.
    await works({ ...plain.target, identity: undefined }, { env, home: folder })
  })

  test('that are named come before the others of a full agent, of which sshd takes six', async () => {
    const others = await Promise.all(
      Array.from({ length: 7 }, async (_, index) => {
        await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(`other${index}`)])
        return at(`other${index}`)
      }),
    )
    const env = await agent(...others)
    await works(plain.target, { env })
    const home = await homeWith(`Host *\n  IdentitiesOnly yes\n  IdentityFile ${plain.target.identity}\n`)
    await works({ ...plain.target, identity: undefined }, { env, home })
    await expect(connectSsh({ ...plain.target, identity: undefined }, { env, home: folder })).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('it takes none of') as unknown,
    })
  })

  test('that a server does not take are told, and what it would take instead', async () => {
    const strict = await serve('password', ['PubkeyAuthentication no', 'KbdInteractiveAuthentication yes'])
    await expect(connectSsh(strict.target, noAgent)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringMatching(/it lets nobody in by key, only by .*keyboard-interactive/) as unknown,
    })
  })
})

describe('hosts on the way', () => {
  let first: Sshd
  let second: Sshd
  /** Logs in with one key everywhere, and knows every host. */
  let reach: (target: Partial<SshTarget>) => SshTarget
  beforeAll(async () => {
    first = await serve('first')
    second = await serve('second')
    const known = at('known-ways')
    for (const sshd of [plain, first, second]) {
      await appendFile(known, await readFile(sshd.target.knownHosts))
      await appendFile(at('plain', 'known_hosts'), await readFile(sshd.target.knownHosts))
      await appendFile(
        join(sshd.target.identity, '..', 'authorized_keys'),
        await readFile(`${plain.target.identity}.pub`),
      )
    }
    reach = (target) => ({ ...plain.target, knownHosts: known, ...target })
  })
  const hop = ({ port, target: { user } }: Sshd): string => `${user}@127.0.0.1:${port}`

  test('lead to the host, one or several, and one connection is enough for all hosts behind', async () => {
    const hosts = new SshHosts(noAgent)
    const jump = `${hop(first)},${hop(second)}`
    const connections = await Promise.all(['web1', 'web2', 'web3'].map((name) => hosts.connect(reach({ name, jump }))))
    expect([(await first.connections()).length, (await second.connections()).length]).toEqual([1, 1])
    for (const host of connections) expect((await host.run(['expr', '1', '+', '1'])).stdout).toBe('2\n')
    for (const host of connections) await host.close()
    await expect.poll(async () => (await first.connections()).length).toBe(0)
  })

  test('are those of ssh_config, with Include, Match and aliases, as OpenSSH reads them', async () => {
    const home = await homeWith(`Include ${at('more')}\n`)
    await writeFile(
      at('more'),
      `Match originalhost inner exec "true"\n  ProxyJump outer\nHost inner\n  HostName 127.0.0.1\n  Port ${plain.port}\n` +
        `Host outer\n  HostName 127.0.0.1\n  Port ${first.port}\nHost *\n  User ${plain.target.user}\n  IdentityFile ${plain.target.identity}\n`,
    )
    const { name, knownHosts } = reach({})
    await using(connectSsh({ name, address: 'inner', knownHosts }, { ...noAgent, home }), async (host) => {
      expect((await first.connections()).length).toBe(1)
      expect((await host.run(['sh', '-c', 'echo "$SSH_CONNECTION"'])).stdout).toContain(` ${plain.port}\n`)
    })
    // A jump host that is named in the fleet file takes the place of it.
    await using(connectSsh({ name, address: 'inner', knownHosts, jump: 'none' }, { ...noAgent, home }), async () => {
      expect((await first.connections()).length).toBe(0)
    })
  })

  test('may be a command', async () => {
    const way = `ssh -F none -i ${plain.target.identity} -o UserKnownHostsFile=${at('known-ways')} -p ${first.port} -W %h:%p ${first.target.user}@127.0.0.1`
    const home = await homeWith(`Host *\n  ProxyCommand ${way}\n`)
    await works(reach({}), { ...noAgent, home })
  })

  test.each([
    [
      'that does not answer',
      () => hop(second).replace(/:\d+$/, ':1'),
      'unreachable',
      'Connection refused|ECONNREFUSED',
    ],
    ['that leads nowhere', () => 'root@[nowhere', 'usage', 'is no host to go through'],
    ['that is not known', () => `localhost:${first.port}`, 'refused', 'the host key of localhost port'],
  ])('%s is named', async (_, jump, code, message) => {
    await expect(connectSsh(reach({ jump: jump() }), noAgent)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    })
  })

  test('that forbids it is named, with the setting', async () => {
    const closed = await serve('closed', ['AllowTcpForwarding no'])
    await appendFile(at('known-ways'), await readFile(closed.target.knownHosts))
    await appendFile(at('closed', 'authorized_keys'), await readFile(`${plain.target.identity}.pub`))
    await expect(connectSsh(reach({ jump: hop(closed) }), noAgent)).rejects.toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('AllowTcpForwarding') as unknown,
    })
  })

  test('without OpenSSH are read by a library, which refuses what it cannot follow', async () => {
    const env = { PATH: at('no programs'), SSH_AUTH_SOCK: undefined }
    const home = await homeWith(
      `Host inner\n  HostName 127.0.0.1\n  Port ${plain.port}\n  User ${plain.target.user}\n  ProxyJump ${hop(first)}\nHost *\n  IdentityFile ${plain.target.identity}\n`,
    )
    const { name, knownHosts } = reach({})
    await using(connectSsh({ name, address: 'inner', knownHosts }, { env, home }), async () => {
      expect((await first.connections()).length).toBe(1)
    })
    const other = await homeWith('Host a\n  User b\nInclude more\n')
    await expect(connectSsh({ name, address: 'inner', knownHosts }, { env, home: other })).rejects.toMatchObject({
      code: 'usage',
      message: "~/.ssh/config:3: Include cannot be followed without OpenSSH's own client",
    })
  })

  test('in an ssh_config that is not valid are no way', async () => {
    const home = await homeWith('Host *\n  Prot 22\n')
    await expect(connectSsh(plain.target, { ...noAgent, home })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('Bad configuration option: prot') as unknown,
    })
  })

  test('in an ssh_config that asks for what netops cannot do are refused by name', async () => {
    const home = await homeWith('Host *\n  RemoteCommand uptime\n')
    await expect(connectSsh(plain.target, { ...noAgent, home })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('RemoteCommand') as unknown,
    })
  })
})

describe('certificates of hosts', () => {
  let sshd: Sshd
  beforeAll(async () => {
    for (const ca of ['ca', 'other-ca', 'rsa-ca']) {
      const words = ca === 'rsa-ca' ? ['-t', 'rsa', '-b', '2048'] : ['-t', 'ed25519']
      await run('ssh-keygen', ['-q', ...words, '-N', '', '-f', at(ca)])
    }
    sshd = await serve('certified', [`HostCertificate ${at('certified', 'host_key-cert.pub')}`])
  })
  const sign = (ca: string, words: readonly string[]) =>
    run('ssh-keygen', ['-q', '-s', at(ca), '-I', 'test', '-h', ...words, at('certified', 'host_key.pub')])
  const authority = async (ca: string, marker = '@cert-authority') =>
    `${marker} 127.0.0.* ${await readFile(at(`${ca}.pub`), 'utf8')}`
  const known = async (...lines: readonly string[]) => {
    await writeFile(at('known ca'), lines.join(''))
    return { ...sshd.target, knownHosts: at('known ca') }
  }

  test.each([['ca'], ['rsa-ca']])('vouch for a host that is not on file itself (%s)', async (ca) => {
    await sign(ca, ['-n', '127.0.0.1', '-V', '-1h:+1h'])
    await sshd.restart()
    await works(await known(await authority(ca)), noAgent)
  })

  test.each<{ what: string; ca: string; words: readonly string[]; revoked?: string; reason: string }>([
    { what: 'expired', ca: 'ca', words: ['-n', '127.0.0.1', '-V', '-2h:-1h'], reason: 'it has expired at' },
    { what: 'not valid yet', ca: 'ca', words: ['-n', '127.0.0.1', '-V', '+1h:+2h'], reason: 'it is not valid before' },
    { what: 'for another host', ca: 'ca', words: ['-n', 'web9'], reason: 'it is for web9, not for 127.0.0.1' },
    { what: 'for no host by name', ca: 'ca', words: [], reason: 'it is for nobody' },
    { what: 'of another authority', ca: 'other-ca', words: ['-n', '127.0.0.1'], reason: 'another authority signed it' },
    { what: 'of a revoked authority', ca: 'ca', words: ['-n', '127.0.0.1'], revoked: 'ca', reason: 'is not in' },
  ])('that are $what are refused with the reason', async ({ ca, words, revoked, reason }) => {
    await sign(ca, words)
    await sshd.restart()
    const lines = [await authority('ca'), ...(revoked === undefined ? [] : [await authority(revoked, '@revoked')])]
    await expect(connectSsh(await known(...lines), noAgent)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(reason) as unknown,
    })
  })

  test('that a host does not have are missed', async () => {
    await writeFile(at('known ca'), await authority('ca'))
    await expect(connectSsh({ ...plain.target, knownHosts: at('known ca') }, noAgent)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('presents no certificate') as unknown,
    })
  })
})

describe('a new host key', () => {
  test('is pinned where that is asked for, once, and a changed one is refused all the same', async () => {
    const knownHosts = at('pins', 'known_hosts')
    const told: string[] = []
    const outside = { ...noAgent, acceptNewHostKeys: true, tell: (line: string) => told.push(line) }
    await works({ ...plain.target, knownHosts }, outside)
    await works({ ...plain.target, knownHosts })
    const pinned = await readFile(knownHosts, 'utf8')
    expect(pinned.trim().split('\n')).toHaveLength(1)
    expect(told).toEqual([
      expect.stringMatching(/^web1: its key SHA256:\S+ is new; it is in .*known_hosts from now on$/),
    ])
    const other = await serve('other-key')
    await writeFile(knownHosts, pinned.replace(/AAAA\S+/, other.hostKey.split(' ')[1] ?? ''))
    await expect(connectSsh({ ...plain.target, knownHosts }, outside)).rejects.toMatchObject({ code: 'refused' })
  })

  test('is judged by the lists of ssh_config where the fleet file names none', async () => {
    const home = await homeWith(
      `Host *\n  UserKnownHostsFile "${plain.target.knownHosts}"\n  RevokedHostKeys "${at('revoked')}"\n`,
    )
    const target = { ...plain.target, knownHosts: undefined }
    await writeFile(at('revoked'), '')
    await works(target, { ...noAgent, home })
    await writeFile(at('revoked'), plain.hostKey)
    await expect(connectSsh(target, { ...noAgent, home })).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('is revoked') as unknown,
    })
  })
})

describe.skipIf(process.getuid?.() !== 0)('accounts', () => {
  /** Every account logs in with the key of `plain`. */
  const as = ({ name: user }: Account, more: Partial<SshTarget> = {}): SshTarget => ({ ...plain.target, user, ...more })
  beforeAll(async () => {
    for (const path of [at('plain'), at('plain', 'authorized_keys')]) await chmod(path, 0o755)
  })

  test('whose shell is csh get their commands as they are', async () => {
    const user = await account({ shell: '/bin/tcsh' })
    await writeFile(join(user.home, '.cshrc'), 'echo "welcome to csh"\n')
    const odd = ["it's", '!', 'a\nb', '\\', '$HOME', '"', '*', 'ü']
    await using(connectSsh(as(user), noAgent), async (host) => {
      const { stdout } = await host.run(['printf', '%s\\0', ...odd])
      expect(stdout).toBe(odd.map((word) => `${word}\0`).join(''))
      expect((await host.run(['cat'], { stdin: { text: 'ü\n' } })).stdout).toBe('ü\n')
    })
  })

  test('with noise at login give what the command prints, and nothing else', async () => {
    const user = await account({ shell: '/bin/bash' })
    await writeFile(join(user.home, '.bashrc'), 'echo "Welcome!"; printf "no end of line"\n')
    const noisy = await serve('noisy', [`Banner ${at('banner')}`, 'PrintMotd yes', 'SetEnv SHLVL=0'])
    await writeFile(at('banner'), 'Authorised use only.\n'.repeat(50))
    await copyFile(at('plain', 'authorized_keys'), at('noisy', 'authorized_keys'))
    await chmod(at('noisy'), 0o755)
    const target = { ...noisy.target, user: user.name, identity: plain.target.identity }
    await using(connectSsh(target, noAgent), async (host) => {
      expect(await host.run(['cat'], { stdin: { text: 'exactly this' } })).toMatchObject({ stdout: 'exactly this' })
      const bytes: Uint8Array[] = []
      await host.run(['printf', 'a\\0b'], { onOutput: (chunk) => void bytes.push(chunk) })
      expect(Buffer.concat(bytes).toString()).toBe('a\0b')
    })
  })

  test.each([
    ['a restricted shell', '/bin/rbash', /does not run commands; it says: .*restricted/s],
    ['no shell', '/usr/sbin/nologin', /does not run commands; it says: This account is currently not available/],
    ['false as shell', '/bin/false', /does not run commands; it exited with 1/],
  ])('with %s are refused with what it says', async (_, shell, message) => {
    const user = await account({ shell })
    await using(connectSsh(as(user), noAgent), async (host) => {
      await expect(host.run(['true'])).rejects.toMatchObject({
        code: 'unreachable',
        message: expect.stringMatching(message) as unknown,
      })
    })
  })

  test('that are bound to one command are refused with what that says', async () => {
    const bound = await serve('bound', ['ForceCommand echo only backups here'])
    await using(connectSsh(bound.target, noAgent), async (host) => {
      await expect(host.run(['true'])).rejects.toMatchObject({
        message: expect.stringContaining('only backups here') as unknown,
        hint: expect.stringContaining('ForceCommand') as unknown,
      })
    })
  })

  const password = "s3cret 'pa\\ss"
  // The arguments and variables of every process: sudo's own have the path of its askpass in them.
  const everything = 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2> /dev/null | tr "\\0" "\\n"'
  const become = (given: string | undefined) => ({ become: { password: () => Promise.resolve(given) } })

  test('become root by sudo without a password', async () => {
    const user = await account({ sudo: 'ALL=(ALL) NOPASSWD: ALL' })
    await using(connectSsh(as(user, become(undefined)), noAgent), async (host) => {
      expect((await host.run(['id', '-u'])).stdout).toBe('0\n')
      expect((await host.run(['cat'], { stdin: { text: 'payload' } })).stdout).toBe('payload')
      expect((await host.run(['sh', '-c', 'exit 7'])).code).toBe(7)
    })
  })

  test('become root by sudo with one, which no command gets to see, and which goes with the connection', async () => {
    const user = await account({ password, sudo: 'ALL=(ALL) ALL' })
    const host = await connectSsh(as(user, become(password)), noAgent)
    let askpass = ''
    try {
      const many = await Promise.all(
        Array.from({ length: 8 }, (_, index) => host.run(['cat'], { stdin: { text: `payload ${index}` } })),
      )
      expect(many.map(({ stdout }) => stdout)).toEqual(many.map((_, index) => `payload ${index}`))
      const { stdout: seen } = await host.run(['sh', '-c', `id -u; env; ${everything}`])
      expect(seen).toMatch(/^0\n/)
      expect(seen).not.toContain('s3cret')
      askpass = /SUDO_ASKPASS=(\/\S+\/askpass)/.exec(seen)?.[1] ?? ''
      expect(askpass).toMatch(/^\/(?:dev\/shm|run)/)
      expect(await readFile(askpass.replace(/askpass$/, 'secret'), 'utf8')).toBe(`${password}\n`)
    } finally {
      await host.close()
    }
    await expect.poll(() => readFile(askpass, 'utf8').catch(() => 'gone'), { timeout: 10_000 }).toBe('gone')
  })

  test('become root by sudo until the connection is cut, and the password goes too', async () => {
    const user = await account({ password, sudo: 'ALL=(ALL) ALL' })
    const before = new Set(await plain.connections())
    const host = await connectSsh(as(user, become(password)), noAgent)
    const { stdout } = await host.run(['sh', '-c', everything])
    const [, askpass = ''] = /SUDO_ASKPASS=(\/\S+\/askpass)/.exec(stdout) ?? []
    expect(askpass).not.toBe('')
    for (const pid of await plain.connections()) {
      if (before.has(pid)) continue
      // Of an account other than root, one process has the privileges and another speaks (sshd_config(5)).
      const below = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number)
      for (const one of [pid, ...below]) process.kill(one, 'SIGKILL')
    }
    await expect(host.run(['true'])).rejects.toMatchObject({ code: 'unreachable' })
    await host.close()
    await expect.poll(() => readFile(askpass, 'utf8').catch(() => 'gone'), { timeout: 10_000 }).toBe('gone')
  })

  test('become root by sudo, and the password is there only while commands need it, also where a network is cut silently', async () => {
    const user = await account({ password, sudo: 'ALL=(ALL) ALL' })
    const link = await startSlowLink(plain, join(folder, 'cut-known-hosts'))
    const host = await connectSsh(
      { ...as(user, become(password)), port: link.target.port, knownHosts: link.target.knownHosts },
      noAgent,
    )
    try {
      const { stdout } = await host.run(['sh', '-c', everything])
      const [, askpass = ''] = /SUDO_ASKPASS=(\/\S+\/askpass)/.exec(stdout) ?? []
      const secret = () => readFile(askpass.replace(/askpass$/, 'secret'), 'utf8')
      await expect.poll(secret, { timeout: 8000 }).toBe('')
      const cut = host.run(['sh', '-c', 'id -u; sleep 60'])
      await expect.poll(secret, { timeout: 8000 }).toBe(`${password}\n`)
      // Nothing comes through any more, and nobody is told: sshd keeps the connection.
      link.limitTo(0.01)
      await expect.poll(secret, { timeout: 8000 }).toBe('')
      await link.close()
      await expect(cut).rejects.toMatchObject({ code: 'unreachable' })
    } finally {
      await host.close()
    }
  })

  test.each<[string, Parameters<typeof makeAccount>[0], string | undefined, RegExp]>([
    ['a wrong password', { password, sudo: 'ALL=(ALL) ALL' }, 'wrong', /sudo does not let .* be root/],
    ['no password where one is asked for', { password, sudo: 'ALL=(ALL) ALL' }, undefined, /a password is required/],
    ['no right to it', { password }, password, /not (?:in the sudoers file|allowed)/],
  ])('with %s are refused as root, with what sudo says', async (_, wish, given, message) => {
    const user = await account(wish)
    await expect(connectSsh(as(user, become(given)), noAgent)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(message) as unknown,
    })
  })
})

describe('servers', () => {
  /** What stands between us and the server, as it answers each connection. */
  async function between(answer: (socket: Socket, count: number) => void): Promise<SshTarget> {
    let count = 0
    const open = new Set<Socket>()
    const server: Server = createServer((socket) => {
      open.add(socket)
      socket.on('error', () => undefined)
      answer(socket, (count += 1))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    ending.push(async () => {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    })
    const { port } = server.address() as AddressInfo
    const knownHosts = at(`known ${port}`)
    await writeFile(knownHosts, `[127.0.0.1]:${port} ${plain.hostKey}\n`)
    return { ...plain.target, port, knownHosts, connectTimeoutMs: 2000 }
  }
  const relay = (socket: Socket, delayMs = 0): void => {
    const { connect } = process.getBuiltinModule('node:net')
    const to = connect(plain.port, '127.0.0.1')
    to.on('error', () => socket.destroy())
    socket.on('close', () => to.destroy())
    const pass = (from: Socket, into: Socket) =>
      from
        .on('data', (bytes) => setTimeout(() => into.writable && into.write(bytes), delayMs))
        .on('end', () => into.end())
    pass(socket, to)
    pass(to, socket)
  }

  test('that are slow are waited for', async () => {
    await works({ ...(await between((socket) => relay(socket, 120))), connectTimeoutMs: 15_000 }, noAgent)
  })

  test('that drop the first connections, as sshd does with many at once, are asked again', async () => {
    await works(await between((socket, count) => (count < 3 ? socket.destroy() : relay(socket))), noAgent)
  })

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['are silent', () => undefined, /Timed out while waiting for handshake/],
    ['are none of SSH', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(3)), /cannot reach/],
    ['say rubbish', (socket) => socket.end('SSH-2.0-rubbish\r\n\0\0\0\x0c\x0a\xff\xff\xff\xff\xff'), /cannot reach/],
    ['always hang up', (socket) => socket.destroy(), /cannot reach/],
  ])('that %s are named, in time', async (_, answer, message) => {
    const target = await between(answer)
    const begun = performance.now()
    await expect(connectSsh(target, noAgent)).rejects.toMatchObject({
      code: 'unreachable',
      host: 'web1',
      message: expect.stringMatching(message) as unknown,
    })
    expect(performance.now() - begun).toBeLessThan(20_000)
  })

  test('that freeze in the middle of a command are lost when they leave probes unanswered', async () => {
    const home = await homeWith('Host *\n  ServerAliveInterval 1\n  ServerAliveCountMax 2\n')
    const own = await serve('frozen')
    const host = await connectSsh(own.target, { ...noAgent, home })
    const started = Promise.withResolvers<string>()
    const running = host.run(['sh', '-c', 'echo started; exec sleep 30'], { onLine: started.resolve })
    await started.promise
    const pids = await own.connections()
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    try {
      await expect(running).rejects.toMatchObject({
        code: 'unreachable',
        message: expect.stringContaining('Keepalive timeout') as unknown,
      })
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
      await host.close()
    }
  })

  test('that allow few sessions at once serve many commands all the same', async () => {
    const few = await serve('few', ['MaxSessions 2'])
    await using(connectSsh(few.target, noAgent), async (host) => {
      const many = await Promise.all(Array.from({ length: 6 }, () => host.run(['sleep', '0.3'])))
      expect(many.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0])
    })
  })

  test('that allow only some ciphers are spoken to with what ssh_config and they have in common', async () => {
    const picky = await serve('picky', [
      'Ciphers aes256-ctr,aes256-gcm@openssh.com',
      'MACs hmac-sha2-512-etm@openssh.com',
    ])
    await works(picky.target, noAgent)
    const home = await homeWith('Host *\n  Ciphers aes256-ctr\n')
    await works(picky.target, { ...noAgent, home })
    const none = await homeWith('Host *\n  Ciphers aes128-cbc\n')
    await expect(connectSsh(picky.target, { ...noAgent, home: none })).rejects.toMatchObject({ code: 'usage' })
  })

  test.each(['aes128-gcm@openssh.com', 'aes256-ctr', 'chacha20-poly1305@openssh.com'])(
    'that change keys every megabyte get and give everything whole by %s',
    async (cipher) => {
      const often = await serve(`rekeying-${cipher}`, [`Ciphers ${cipher}`, 'RekeyLimit 1M'])
      const bytes = randomBytes(5_000_000)
      await using(connectSsh(often.target, noAgent), async (host) => {
        const received = createHash('sha256')
        const onOutput = (chunk: Uint8Array) => Promise.resolve(void received.update(chunk))
        const { code } = await host.run(['cat'], { stdin: { bytes }, onOutput })
        expect([code, received.digest('hex')]).toEqual([0, createHash('sha256').update(bytes).digest('hex')])
      })
    },
  )

  test.each([
    ['aes128-gcm@openssh.com', ['_encKey'], ['_decipherKey']],
    ['aes256-ctr', ['_macKey'], ['_macKey']],
    ['chacha20-poly1305@openssh.com', ['_encKeyMain', '_encKeyPktLen'], ['_decKeyMain', '_decKeyPktLen']],
  ] as const)('that speak %s meet the insides of ssh2 that keys are put in', async (cipher, outward, inward) => {
    const client = new ssh2.Client()
    const { target } = plain
    const ready = once(client, 'ready')
    client.on('handshake', () => holdKeysAsObjects(client))
    client.connect({
      ...{ host: target.address, port: plain.port, username: target.user ?? '' },
      privateKey: await readFile(target.identity),
      algorithms: { cipher: [cipher] },
      hostVerifier: () => true,
    })
    await ready
    const { _protocol: protocol } = client as unknown as {
      readonly _protocol: Record<'_cipher' | '_decipher', Record<string, unknown>>
    }
    for (const field of outward) expect(protocol._cipher[field]).toBeInstanceOf(KeyObject)
    for (const field of inward) expect(protocol._decipher[field]).toBeInstanceOf(KeyObject)
    client.end()
    await once(client, 'close')
  })

  test.each([
    ['by ssh2 alone', false],
    ['as they are used here, not', true],
  ])('prove their keys after a login %s', async (_, leavesOut) => {
    const client = new ssh2.Client()
    const { target } = plain
    const ready = once(client, 'ready')
    let proved = false
    client.on('hostkeys', () => (proved = true))
    client.connect({
      ...{ host: target.address, port: plain.port, username: target.user ?? '' },
      privateKey: await readFile(target.identity),
      hostVerifier: () => true,
    })
    if (leavesOut) leaveOutHabits(client)
    await ready
    // The host answers in order: when a command has ended, it has proved what it was asked to.
    await new Promise<void>((resolve, reject) =>
      client.exec('true', (error, channel) => (error ? reject(error) : channel.on('close', () => resolve()).resume())),
    )
    expect(proved).toBe(!leavesOut)
    client.end()
    await once(client, 'close')
  })

  test('forbid what they forbid: a forward is refused with the setting', async () => {
    const closed = await serve('no-forwards', ['AllowTcpForwarding no', 'AllowStreamLocalForwarding no'])
    await using(connectSsh(closed.target, noAgent), async (host) => {
      for (const to of [{ host: '127.0.0.1', port: plain.port }, { socket: at('none') }]) {
        await expect(host.open(to)).rejects.toMatchObject({
          code: 'unreachable',
          hint: expect.stringContaining('sshd_config(5)') as unknown,
        })
      }
    })
  })
})
