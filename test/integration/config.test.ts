// Configuration by the real commands and the real server, in folders of their own: one code path, no secret in any word of it.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import { exec } from '../../src/system/exec.ts'
import { badServerFiles } from '../support/bad-config.ts'
import { builtRelease, journalsOf, makeSite, processesBelow, smallRelease } from '../support/site.ts'
import { inTerminal } from '../support/tmux.ts'

let folder = ''
beforeEach(async () => {
  const made = await mkdtemp(join(tmpdir(), 'netops-config-'))
  folder = made
  onTestFinished(() => rm(made, { recursive: true, force: true }))
})

const put = async (name: string, text: string): Promise<string> => {
  const file = join(folder, name)
  await writeFile(file, text)
  return file
}

interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const netops = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Called> =>
  exec([inject('builds').netops, ...words], { cwd: folder, env: { NETOPS_STATE_DIR: join(folder, 'state'), ...env } })

describe('what validate refuses', () => {
  // Every tenth of the table: the table itself is for the unit tests, here it is that all say the same.
  const rows = badServerFiles.filter((_, index) => index % 10 === 0)

  test.each(rows.map(({ text, lines }) => [text, lines] as const))(
    'the server does not start with, in the same words: %j',
    async (text, lines) => {
      await put('config.yaml', text)
      const expected = lines.map((line) => `config.yaml:${line}`)
      const validated = await netops(['config', 'validate'])
      expect([validated.code, validated.stdout.trimEnd().split('\n')]).toEqual([2, expected])
      for (const words of [['--check-config'], []]) {
        const started = await exec([inject('builds').server1, '--config', 'config.yaml', ...words], { cwd: folder })
        expect([started.code, started.stderr.trimEnd().split('\n')]).toEqual([2, expected])
      }
    },
  )

  test('a deployment does not ship either, and nothing is touched', async () => {
    const site = await makeSite()
    const config = join(site.folder, 'bad.yaml')
    await writeFile(config, 'server:\n  max_conections: 5\ncheckpoint: { interval: 1m }\n')
    const deployed = await site.deploy(await builtRelease(inject('builds').server1, '1.0.0'), ['--config', config])
    expect(deployed).toMatchObject({ code: 2, json: { error: { code: 'usage' } } })
    expect(deployed.json.error?.message.split('\n')).toEqual([
      `${config}:2:3 server.max_conections: unknown key; did you mean max_connections?`,
      `${config}:3:25 checkpoint.timeout: expected less than checkpoint.interval, or checkpoints would overlap; its default does not fit`,
    ])
    expect(await readdir(site.folder)).toEqual(['bad.yaml'])
  })
})

test('a value that is set in all four places shows each', async () => {
  await put('config.yaml', 'server:\n  port: 82\n')
  await put(
    'netops.yml',
    'config: { file: config.yaml }\nhosts:\n  web1:\n    address: 10.0.0.1\n    config:\n      server: { port: 83 }\n',
  )
  const words = ['config', 'show', '--effective', '--origin', '--env', '--set', 'server.port=85', '--host', 'web1']
  const shown = await netops(words, { NETWORK_SERVER_PORT: '84' })
  expect(shown.code).toBe(0)
  expect(shown.stdout).toContain(
    '  port: 85  # --set server.port, over NETWORK_SERVER_PORT 84, netops.yml:6:23 83, config.yaml:2:9 82, default 8080\n',
  )
  // The server itself goes by the same order.
  const site = await makeSite()
  const port = String(site.ports.server)
  const config = await put(
    'served.yaml',
    `server: { host: 127.0.0.1, port: 82 }\nmetrics: { port: ${site.ports.metrics} }\n`,
  )
  const argv = [
    inject('builds').server1,
    '--config',
    config,
    '--root',
    site.root,
    '--check-config',
    '--set',
    'server.port=x',
  ]
  const refused = await exec(argv, { env: { NETWORK_SERVER_PORT: port } })
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--set server.port') as string })
})

describe('secrets', () => {
  const planted = [
    'planted-jwt-secret-0123456789abcdefghij',
    'planted-db-pass',
    'planted-env-secret-0123456789abcdefghij',
  ]
  const [jwt = '', password = '', inEnv = ''] = planted

  test('are shown as set, never their value, by every command, error and journal', { timeout: 300_000 }, async () => {
    const site = await makeSite()
    const ports = `server: { host: 127.0.0.1, port: ${site.ports.server} }\nmetrics: { port: ${site.ports.metrics} }\n`
    const secrets = `auth: { jwt_secret: ${jwt} }\ndatabase: { password: ${password} }\n`
    await put('config.yaml', ports + secrets)
    await put('other.yaml', `${ports}auth: { jwt_secret: ${jwt}x }\n`)
    await put(
      'wrong.yaml',
      `auth: { jwt_secret: [${jwt}], jwt_secret_file: /a }\ndatabase: { password: { a: ${password} } }\n`,
    )
    await put('short.yaml', `auth: { jwt_secret: ${password}, enabled: ja }\n`)
    await put('flat.yaml', `auth: ${jwt}\ndatabase: [${password}]\n`)
    await put('broken.yaml', `auth: { jwt_secret: "${jwt}\n`)
    const over = `config: { auth: { jwt_secret: ${jwt} }, database: { password: ${password} } }`
    const files = `files:\n  - { from: { env: PLANTED }, to: /etc/network/jwt.key }\n`
    await put(
      'netops.yml',
      `config: { file: config.yaml }\nhosts:\n  web1: { address: 127.0.0.1, port: 1, ${over} }\n${files}`,
    )
    await put(
      'wrong.yml',
      `hosts:\n  web1: { address: a, config: { auth: { jwt_secret: [${jwt}] }, database: ${password} } }\n`,
    )
    const env = { NETWORK_AUTH_JWT_SECRET: inEnv, PLANTED: inEnv }
    const release = await smallRelease(site, '1.0.0')
    const crashing = await smallRelease(site, '1.1.0', 'exit 3')
    const calls: readonly (readonly string[])[] = [
      ...['config.yaml', 'wrong.yaml', 'short.yaml', 'flat.yaml', 'broken.yaml', 'netops.yml', 'wrong.yml'].flatMap(
        (file) => [
          ['config', 'validate', file],
          ['config', 'validate', file, '--json'],
          ['config', 'validate', '--env', file, '-vv'],
          ['config', 'show', '--effective', '--origin', file],
          ['config', 'show', '--effective', '--origin', '--env', '--json', file],
        ],
      ),
      ['config', 'show', '--host', 'web1', '--origin', '--env'],
      ['config', 'show', '--host', 'web1', '--json'],
      ['config', 'diff', 'config.yaml', 'other.yaml'],
      ['config', 'diff', 'config.yaml', 'other.yaml', '--json'],
      ['inventory', 'list', '--json'],
      ['inventory', 'show', 'web1'],
      ['inventory', 'show', 'web1', '--json'],
      ['deploy', '--release', release.file, '--inventory', 'netops.yml', '-vv'],
      ...[release, crashing].flatMap(({ file }) =>
        ['--dry-run', '--json', '-vv'].map((how) => [
          ...['deploy', '--root', site.root, '--release', file, '--config', 'config.yaml', how],
          ...['--min-healthy-time', '300ms', '--healthy-deadline', '10s'],
        ]),
      ),
      ['status', '--root', site.root, '--json'],
      ['runs', 'list', '--root', site.root, '--json'],
    ]
    const said: string[] = []
    for (const words of calls) {
      const { stdout, stderr } = await netops(words, env)
      said.push(`${words.join(' ')}\n${stdout}${stderr}`)
    }
    const shown = said.find((text) => text.startsWith('config show --effective --origin config.yaml')) ?? ''
    expect(shown).toContain('jwt_secret: (set)  # config.yaml:3:21')
    expect(said.find((text) => text.startsWith('config diff config.yaml other.yaml\n'))).toContain(
      'auth.jwt_secret: "(set)" -> "(set, another value)"',
    )
    for (const secret of planted) expect(said.filter((text) => text.includes(secret))).toEqual([])
    // What the runs wrote down, on the operator's side and below the root; the configuration itself is where it belongs.
    expect((await journalsOf(site)).size).toBeGreaterThan(3)
    const written = await exec(['grep', '-rlaE', planted.join('|'), join(folder, 'state'), site.root])
    const places = written.stdout
      .trim()
      .split('\n')
      .filter((path) => !/config\.yaml$/.test(path))
    expect(places.filter((path) => path !== '')).toEqual([])
    const log = await readFile(join(site.root, 'var/log/network/server.log'), 'utf8').catch(() => '')
    for (const secret of planted) expect(log).not.toContain(secret)
  })
})

describe('a command that names the hosts', () => {
  const fleet = (command: string, timeout = '20s') =>
    put('netops.yml', `hosts_from: { command: [sh, -c, ${JSON.stringify(command)}], timeout: ${timeout} }\n`)
  const list = () => netops(['inventory', 'list', '--json'])

  test('adds its hosts to those of the file', async () => {
    await fleet(`echo '{"hosts":{"dyn1":{"address":"10.0.0.9","tags":["spot"]}}}'`)
    const listed = await list()
    expect(listed.code).toBe(0)
    expect(JSON.parse(listed.stdout)).toMatchObject({ hosts: [{ host: 'dyn1', address: '10.0.0.9', tags: ['spot'] }] })
    expect((await netops(['inventory', 'list', '--tag', 'spot'])).stdout).toContain('root@10.0.0.9')
    expect(await netops(['inventory', 'list', '--tag', 'sopt'])).toMatchObject({ code: 2 })
  })

  test.each([
    ['fails', 'echo no credentials >&2; exit 3', 'hosts_from (sh): exited with 3, the last it said: "no credentials"'],
    ['prints nothing', 'true', 'hosts_from (sh): printed nothing; expected JSON'],
    ['prints rubbish', 'printf "Welcome!\\n\\033[31m{"', 'hosts_from (sh): printed "Welcome!"; expected JSON'],
    ['prints YAML', 'printf "hosts:\\n  a: { address: b }\\n"', 'hosts_from (sh): printed "hosts:"; expected JSON'],
    [
      'prints too much',
      'yes | head -c 2000000',
      'hosts_from (sh): sh: its output: expected at most 1.0 MB; it was cut off when 1.0 MB had come',
    ],
    [
      'prints JSON of another shape',
      `echo '{"all":{"hosts":[]}}'`,
      'output of sh:1:2 all: unknown key; expected one of hosts, groups',
    ],
    [
      'prints a host that is none',
      `echo '{"hosts":{"a":{"adress":"b"}}}'`,
      'output of sh:1:15 hosts.a.address: missing; expected a host name or an IP address',
    ],
    [
      'prints JSON that is cut',
      `printf '{"hosts":{"a":{"config":{"auth":{"jwt_secret":"hunter2'`,
      'hosts_from (sh): printed what begins as JSON and is none; expected JSON',
    ],
    ['knows no hosts', `echo '{"hosts":{}}'`, 'output of sh:1:1 hosts: missing; expected at least one host'],
  ])('is refused when it %s', async (_, command, message) => {
    await fleet(command)
    const listed = await list()
    const { error } = JSON.parse(listed.stdout) as { error: { code: string; message: string } }
    expect([listed.code, error.code, error.message.split('\n')[0]]).toEqual([2, 'usage', message])
    // Nothing was begun: not even the folder for runs is there.
    expect(await netops(['deploy', '--release', 'x'])).toMatchObject({ code: 2 })
    expect(await readdir(folder)).toEqual(['netops.yml'])
  })

  test.each([
    ['a command', { command: ['touch', 'made'] }],
    ['a variable', { env: 'HOME' }],
    ['a file', { file: 'netops.yml' }],
  ])('has nothing run or read here: a password from %s is refused before anything is done', async (_, source) => {
    const host = { address: '127.0.0.1', port: 9, ssh: { become: 'sudo', become_password: source } }
    await fleet(`echo '${JSON.stringify({ hosts: { dyn1: host } })}'`)
    const { code, stderr } = await netops(['exec', '--', 'true'])
    expect(code).toBe(2)
    expect(stderr).toContain('hosts.dyn1.ssh.become_password: only the fleet file itself may say this')
    expect(await readdir(folder)).toEqual(['netops.yml'])
  })

  test('is refused when it is not there', async () => {
    await put('netops.yml', 'hosts_from: { command: [./no-such-command] }\n')
    expect(await list()).toMatchObject({ code: 2, stdout: expect.stringContaining('no-such-command') as string })
  })

  test('is ended with all that it started when it hangs', async () => {
    await fleet(`sleep 500.${process.pid} & trap "" TERM; sleep 500.${process.pid}; wait`, '1s')
    const begun = performance.now()
    const listed = await list()
    expect(performance.now() - begun).toBeLessThan(20_000)
    expect(listed.code).toBe(2)
    expect(listed.stdout).toContain('no end within 1.0 s')
    expect(await processesBelow(`500.${process.pid}`)).toEqual([])
  })
})

test('a fleet file is chosen by its environment, and one of another is refused', async () => {
  const of = (environment: string, address: string) =>
    `environment: ${environment}\nhosts: { web1: { address: ${address} } }\n`
  await put('netops.staging.yml', of('staging', '10.0.0.1'))
  await put('netops.production.yml', of('production', '10.0.0.2'))
  expect((await netops(['inventory', 'list', '-e', 'staging'])).stdout).toContain('root@10.0.0.1')
  expect((await netops(['inventory', 'list', '-e', 'production'])).stdout).toContain('root@10.0.0.2')
  const refused = await netops(['inventory', 'list', '-e', 'staging', '--inventory', 'netops.production.yml'])
  expect(refused).toMatchObject({
    code: 7,
    stderr: expect.stringContaining('is for production, not for staging') as string,
  })
  expect(await netops(['inventory', 'list', '-e', 'test'])).toMatchObject({ code: 2 })
})

describe('netops config init', () => {
  test('writes what validate accepts, secrets for their owner alone, and nothing over what is there', async () => {
    const words = [
      '--environment',
      'production',
      '--host',
      'web1=10.0.0.11',
      '--host',
      'web2=fd00::2',
      '--port',
      '8081',
    ]
    expect(await netops(['config', 'init', 'fleet', ...words, '--tls', '--auth', '--yes'])).toMatchObject({ code: 0 })
    const modeOf = async (path: string) => ((await stat(join(folder, 'fleet', path))).mode & 0o777).toString(8)
    expect([await modeOf('secrets'), await modeOf('secrets/jwt.key')]).toEqual(['700', '600'])
    const key = await readFile(join(folder, 'fleet', 'secrets', 'jwt.key'), 'utf8')
    expect(key.trim().length).toBeGreaterThanOrEqual(64)
    const validated = await netops(['config', 'validate', 'fleet/netops.yml', 'fleet/config.yaml'])
    expect(validated).toMatchObject({ code: 0 })
    expect(validated.stdout).not.toContain('unknown')
    expect((await netops(['inventory', 'list', '--inventory', 'fleet/netops.yml'])).stdout).toContain('root@fd00::2')
    const before = await readFile(join(folder, 'fleet', 'netops.yml'), 'utf8')
    expect(await netops(['config', 'init', 'fleet', '--yes'])).toMatchObject({ code: 7 })
    expect(await readFile(join(folder, 'fleet', 'netops.yml'), 'utf8')).toBe(before)
    await netops(['config', 'init', 'again', '--auth', '--yes'])
    expect(await readFile(join(folder, 'again', 'secrets', 'jwt.key'), 'utf8')).not.toBe(key)
  })

  test('refuses what would not be valid, and writes nothing then', async () => {
    expect(await netops(['config', 'init', 'bad', '--port', '9090', '--yes'])).toMatchObject({ code: 2 })
    expect(await netops(['config', 'init', 'bad', '--host', 'web1', '--yes'])).toMatchObject({ code: 2 })
    expect(await netops(['config', 'init', 'bad', '--environment', 'Big One', '--yes'])).toMatchObject({ code: 2 })
    expect(await readdir(folder)).toEqual([])
  })

  test('asks whoever sits at a terminal', async () => {
    const terminal = await inTerminal([inject('builds').netops, 'config', 'init', join(folder, 'asked')], {})
    for (const [question, answer] of [
      [/Environment.*: $/, 'staging'],
      [/Hosts.*: ?$/, 'web1=10.0.0.3'],
      [/TCP port.*: ?$/, ''],
      [/TLS.*: ?$/, 'n'],
      [/Tokens.*: ?$/, 'y'],
    ] as const) {
      await terminal.shows(new RegExp(question.source.replace(': $', ':').replace(': ?$', ':')))
      for (const letter of answer) await terminal.type(letter)
      await terminal.type('Enter')
    }
    await terminal.shows(/exit 0/)
    const text = await readFile(join(folder, 'asked', 'netops.yml'), 'utf8')
    expect(text).toContain('environment: staging\n')
    expect(text).toContain('web1: { address: "10.0.0.3"')
    expect(await readdir(join(folder, 'asked', 'secrets'))).toContain('jwt.key')
  })
})

test('two configurations are compared by what they mean', async () => {
  await put('a.yaml', 'server: { port: 8080 }\nperformance: { max_request_size: 10MiB }\n')
  await put('b.yaml', '# another order, the same meaning\nperformance:\n  max_request_size: 10485760\n')
  await put('c.yaml', 'server: { port: 8081 }\nlogging: { level: DEBUG }\n')
  expect((await netops(['config', 'diff', 'a.yaml', 'b.yaml'])).stdout).toBe('a.yaml and b.yaml mean the same\n')
  const differs = JSON.parse((await netops(['config', 'diff', 'a.yaml', 'c.yaml', '--json'])).stdout) as object
  expect(differs).toMatchObject({
    same: false,
    differences: [
      { path: 'server.port', a: 8080, b: 8081 },
      { path: 'logging.level', a: 'INFO', b: 'DEBUG' },
    ],
  })
  expect(await netops(['config', 'diff', 'a.yaml', 'missing.yaml'])).toMatchObject({ code: 2 })
})

test('an unreadable configuration is a problem of that file alone', async () => {
  await put('a.yaml', 'security: { auth: none }\n')
  await mkdir(join(folder, 'dir.yaml'))
  const validated = await netops(['config', 'validate', 'a.yaml', 'dir.yaml'])
  expect(validated.code).toBe(2)
  expect(validated.stdout).toMatch(/^a\.yaml: valid\ndir\.yaml: cannot be read: EISDIR/)
})

test('a fleet file is checked with the configuration of each of its hosts', async () => {
  await put('config.yaml', 'server: { max_connections: 50 }\nsecurity: { auth: none }\n')
  await put(
    'netops.yml',
    'config: { file: config.yaml }\nhosts:\n  web1: { address: a, config: { performance: { connection_pool_size: 60 } } }\n  web2: { address: b }\n',
  )
  const validated = await netops(['config', 'validate'])
  expect([validated.code, validated.stdout.split('\n')]).toEqual([
    2,
    [
      'netops.yml:3:70 performance.connection_pool_size: expected at most server.max_connections, 50, not 60',
      'config.yaml: valid',
      '',
    ],
  ])
})
