import { describe, expect, test } from 'vitest'
import { showHop } from '../../../../src/drivers/hosts/ssh-connect.ts'
import { sshCommand } from '../../../../src/drivers/hosts/ssh-hint.ts'
import { parseEffective, parseHops, settingsOf, type SshLogin } from '../../../../src/drivers/hosts/ssh-settings.ts'

const around = { home: '/home/op', env: { SSH_AUTH_SOCK: '/run/agent', KEYS: '/keys' }, defaults: new Map() }
const login: SshLogin = { name: 'web1', address: 'web1.example.com' }
const settings = (text: string, more: Partial<SshLogin> = {}) =>
  settingsOf({ ...login, ...more }, parseEffective(text), around)

describe('what ssh_config says of a host', () => {
  test.each<[string, string, object]>([
    ['nothing', '', { address: 'web1.example.com', port: 22, user: 'root', agent: '/run/agent', hops: [] }],
    ['another name', 'hostname 10.0.0.1\nport 2222\nuser ops', { address: '10.0.0.1', port: 2222, user: 'ops' }],
    [
      'keys',
      'identityfile ~/.ssh/id\nidentityfile /k/%r@%h',
      { identities: ['/home/op/.ssh/id', '/k/root@web1.example.com'] },
    ],
    ['a key below a variable', 'identityfile ${KEYS}/%n', { identities: ['/keys/web1.example.com'] }],
    ['files of known hosts', 'userknownhostsfile /a "/b c"\nglobalknownhostsfile none', { knownHosts: ['/a', '/b c'] }],
    ['no agent', 'identityagent none', { agent: undefined }],
    ['another agent', 'identityagent ~/agent.sock', { agent: '/home/op/agent.sock' }],
    ['an agent by its variable', 'identityagent $KEYS', { agent: '/keys' }],
    [
      'a way',
      'proxyjump ops@a:2200,[fd00::1]:22,b',
      { hops: [{ user: 'ops', address: 'a', port: 2200 }, { address: 'fd00::1', port: 22 }, { address: 'b' }] },
    ],
    ['a command as the way', 'proxycommand nc -X 5 %h %p %%', { proxyCommand: 'nc -X 5 web1.example.com 22 %' }],
    ['no command', 'proxycommand none', { proxyCommand: undefined }],
    [
      'times',
      'connecttimeout 7\nconnectionattempts 5\nserveraliveinterval 4\nserveralivecountmax 2',
      { connectTimeoutMs: 7000, attempts: 5, keepalive: { everyMs: 4000, times: 2 } },
    ],
    [
      'no times',
      'connecttimeout none\nserveraliveinterval 0',
      { connectTimeoutMs: 15_000, attempts: 3, keepalive: { everyMs: 10_000, times: 3 } },
    ],
    ['that new keys are good', 'stricthostkeychecking accept-new', { acceptNewHostKeys: true }],
    ['that any key is good, which it is not', 'stricthostkeychecking false', { acceptNewHostKeys: false }],
    ['an alias of its key', 'hostkeyalias web', { hostKeyAlias: 'web' }],
    ['ciphers', 'ciphers aes256-ctr,aes128-ctr', { algorithms: { ciphers: ['aes256-ctr', 'aes128-ctr'] } }],
  ])('%s', (_, text, expected) => {
    expect(settings(text)).toMatchObject(expected)
  })

  test('comes after what the fleet file says', () => {
    const said = { port: 1, user: 'a', knownHosts: '/k', jump: 'none', connectTimeoutMs: 5 }
    const config = 'port 2\nuser b\nuserknownhostsfile /l\nproxyjump c\nproxycommand d\nconnecttimeout 9'
    expect(settings(config, said)).toMatchObject({
      ...{ port: 1, user: 'a', knownHosts: ['/k'], hops: [], proxyCommand: undefined, connectTimeoutMs: 5 },
    })
  })

  test('is left to the program where it is what OpenSSH does anyway', () => {
    const words = parseEffective('ciphers a,b\nmacs c')
    const { algorithms } = settingsOf(login, words, { ...around, defaults: parseEffective('ciphers a,b\nmacs d') })
    expect(algorithms).toEqual({ macs: ['c'] })
  })

  test.each([
    ['knownhostscommand /bin/x', 'KnownHostsCommand'],
    ['certificatefile ~/cert', 'certificates of users'],
    ['remotecommand top', 'RemoteCommand'],
    ['pkcs11provider /lib/p.so', 'ssh-add -s'],
    ['identityfile /k/%Z', '%Z'],
  ])('is refused where it cannot be followed: %s', (text, message) => {
    expect(() => settings(text)).toThrow(message)
  })
})

describe('a name that ssh_config gives, and that a shell would read as more', () => {
  test.each([
    '$(id)',
    'a;id',
    'a`id`',
    'a|id',
    'a&id',
    "a'id",
    'a"id',
    '-oProxyCommand=id',
    'a -i x',
    '$HOME',
    'a\\',
    'a(id)',
  ])('is no account: %s', (user) =>
    expect(() => settings(`user ${user}\nproxycommand nc %r %h %p`)).toThrow('is no account'),
  )

  test.each(['$(id)', 'a;id', 'a`id`', 'a|id', '-oProxyCommand=id', 'a b', 'a\\b', '$HOME', 'a,b'])(
    'is no host: %s',
    (host) => expect(() => settings(`hostname ${host}\nproxycommand nc %h %p`)).toThrow('is no host to reach'),
  )

  test.each(['$(id)@a', 'a;id', '`id`@a', '-oProxyCommand=id', '-u@a', 'u\\@a', 'u|x@a', '[fe80::1%$(id)]'])(
    'is no host to go through: %s',
    (jump) => expect(() => settings(`proxyjump ${jump}`)).toThrow('is no host to go through'),
  )

  test('is an account where only OpenSSH itself reads it', () => {
    expect(settings('user CORP\\ops')).toMatchObject({ user: 'CORP\\ops' })
    expect(settings('proxyjump CORP\\ops@a')).toMatchObject({ hops: [{ user: 'CORP\\ops', address: 'a' }] })
  })
})

test.each([
  ['fe80::1%eth0', { address: 'fe80::1%eth0' }],
  ['ops@[fe80::1%br-lan.5]:22', { user: 'ops', address: 'fe80::1%br-lan.5', port: 22 }],
  ['ssh://ops@[fe80::1%25eth0]:22/', { user: 'ops', address: 'fe80::1%eth0', port: 22 }],
])('a way through an address with a zone: %s', (text, hop) => {
  expect(parseHops(text, 'web1')).toEqual([hop])
  expect(parseHops(showHop(hop), 'web1')).toEqual([hop])
})

describe('the command for people', () => {
  const hint = (text: string, more: Partial<SshLogin> = {}) => sshCommand(settings(text, more), 'true')

  test.each<[string, string, Partial<SshLogin>, string]>([
    ['goes to the address where that is all there is', 'user ops', {}, 'ssh -p 22 ops@web1.example.com true'],
    [
      'goes by the name where ssh_config gives it an address',
      'hostname 10.0.0.1\nuser ops',
      {},
      'ssh web1.example.com true',
    ],
    [
      'goes by the name where there is a ProxyCommand',
      'user ops\nproxycommand nc %h %p',
      {},
      'ssh web1.example.com true',
    ],
    ['goes by the name where there is a jump', 'user ops\nproxyjump bastion', {}, 'ssh web1.example.com true'],
    [
      'says what the fleet file says beside it',
      'hostname 10.0.0.1\nport 2200',
      { port: 2222, user: 'ops', identity: '/a key', knownHosts: '/kh', jump: 'ops@[fe80::1%eth0]:22' },
      "ssh -p 2222 -i '/a key' -o UserKnownHostsFile=/kh -J 'ops@[fe80::1%eth0]:22' ops@web1.example.com true",
    ],
    ['is quoted', 'hostname 10.0.0.1', { user: 'CORP\\ops' }, "ssh 'CORP\\ops@web1.example.com' true"],
  ])('%s', (_, text, more, command) => expect(hint(text, more)).toBe(command))
})

test.each(['', 'a b', 'user@', '-oProxyCommand=x', 'a,,b', 'ssh://', '[fd00::1'])('%j leads nowhere', (text) => {
  expect(() => parseHops(text, 'web1')).toThrow('is no host to go through')
})
