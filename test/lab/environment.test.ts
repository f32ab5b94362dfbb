// A fleet file on real hosts: overrides and files are brought, environments are kept apart, production asks, secrets stay secret.
// The tests follow two hosts through their life, in order.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import { hostPaths } from '../../src/model/paths.ts'
import { exec } from '../../src/system/exec.ts'
import { makeCertificate } from '../support/certificates.ts'
import { listTree, servedBy, unitOf, until } from '../support/fleet.ts'
import { useLab } from '../support/lab.ts'
import { inTerminal } from '../support/tmux.ts'

const { lab, host } = useLab('web1', 'web2')
const paths = hostPaths('/')
const quick = ['--min-healthy-time', '500ms', '--healthy-deadline', '30s']

const secrets = {
  env: 'planted-in-a-variable-0123456789abcdefghij',
  command: 'planted-by-a-command-0123456789abcdefghijk',
  later: 'planted-anew-in-a-variable-0123456789abcde',
}

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-environment-'))
  await mkdir(join(folder, 'keys'))
  await writeFile(join(folder, 'keys', 'motd'), 'not secret at all\n')
  await writeFile(join(folder, 'keys', 'leak'), 'planted-in-an-error\n')
  await writeFile(join(folder, 'keys', 'from-store'), `${secrets.command}\n`)
  await writeFile(
    join(folder, 'config.yaml'),
    'server: { host: 127.0.0.1, max_connections: 700 }\nlogging: { level: INFO }\n',
  )
  await writeFleet('netops.staging.yml', 'environment: staging\n')
  await writeFleet('netops.production.yml', 'environment: production\n')
  await writeFleet('netops.none.yml', '')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A fleet file of the lab's hosts. */
async function writeFleet(name: string, head: string): Promise<void> {
  const { identity, knownHosts } = lab()
  const address = (wanted: string) => lab().hosts.find((one) => one.name === wanted)?.address ?? ''
  await writeFile(
    join(folder, name),
    `${head}config: { file: config.yaml }
ssh: { user: root, identity: ${identity}, known_hosts: ${knownHosts} }
groups:
  edge: { hosts: [web1], config: { server: { max_connections: 800 }, logging: { level: WARN } } }
hosts:
  web1: { address: ${address('web1')}, config: { logging: { level: DEBUG } } }
  web2: { address: ${address('web2')} }
files:
  - { from: { env: PLANTED }, to: /etc/network/jwt.key, mode: "0600" }
  - { from: { command: [cat, keys/from-store] }, to: /etc/network/db.pass, mode: "0640", owner: "root:network_service", hosts: [edge] }
  - { from: { file: keys/motd }, to: /etc/network/motd, mode: "0644", owner: root }
`,
  )
}

interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly json: {
    readonly hosts?: readonly Readonly<Record<string, unknown>>[]
    readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
  }
}

const everything: string[] = []

async function netops(words: readonly string[], planted = secrets.env): Promise<Called> {
  const env = { NETOPS_STATE_DIR: join(folder, 'state'), PLANTED: planted }
  const result = await exec([inject('builds').netops, ...words], { cwd: folder, env, timeoutMs: 240_000 })
  everything.push(result.stdout, result.stderr)
  return { ...result, json: words.includes('--json') ? (JSON.parse(result.stdout) as Called['json']) : {} }
}

const on = (name: string, ...argv: string[]) => execOnHost(host(name), argv)
const about = async (name: string, path: string): Promise<string> =>
  (await on(name, 'sh', '-c', 'stat -c "%a %U:%G" "$1" && cat "$1"', 'sh', path)).stdout

const staging = ['-e', 'staging']
const release = () => ['--release', inject('builds').server1, ...quick]

/** Every file of a host that netops could change. */
const listing = async (name: string) => {
  const tree = await listTree(await hostRoot(host(name)))
  return Object.fromEntries(
    Object.entries(tree).filter(([path]) => /^(?:etc|opt|usr\/local|var\/lib\/netops)\//.test(path)),
  )
}

describe('a first deployment', () => {
  test('is shown without the content of any file', async () => {
    const shown = await netops(['deploy', ...staging, ...release(), '--dry-run'])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toContain('(the variable PLANTED)')
    expect(shown.stdout).toContain('(the output of cat keys/from-store)')
    expect(shown.stdout).toContain('/etc/netops/environment')
  })

  test('brings each host its own configuration and files, and marks it', async () => {
    expect(await netops(['deploy', ...staging, ...release(), '--json'])).toMatchObject({ code: 0 })
    expect(await about('web1', '/etc/network/jwt.key')).toBe(`600 network_service:network_service\n${secrets.env}`)
    expect(await about('web1', '/etc/network/db.pass')).toBe(`640 root:network_service\n${secrets.command}\n`)
    expect(await about('web2', '/etc/network/motd')).toBe('644 root:root\nnot secret at all\n')
    expect((await on('web2', 'test', '-e', '/etc/network/db.pass')).code).toBe(1)
    for (const name of ['web1', 'web2']) expect(await about(name, paths.environment)).toBe('644 root:root\nstaging\n')
    expect((await servedBy(host('web2'))).config).toBe(await readFile(join(folder, 'config.yaml'), 'utf8'))
    const rendered = (await servedBy(host('web1'))).config
    expect(rendered).toMatch(/^# Written by netops from config\.yaml and netops\.staging\.yml: /)
    const shown = await netops(['config', 'show', '--host', 'web1', ...staging, '--origin'])
    expect(shown.stdout).toContain('max_connections: 800  # netops.staging.yml:5:')
    expect(shown.stdout).toMatch(/level: DEBUG {2}# netops\.staging\.yml:7:\d+, over netops\.staging\.yml:5:\d+ WARN, /)
    expect((await netops(['config', 'diff', 'web1', ...staging])).stdout).toMatch(/mean the same\n$/)
    expect((await netops(['inventory', 'check', ...staging])).stdout).toContain('marked as staging')
  })

  test('once more changes nothing and restarts nothing', async () => {
    const [before, unit] = [await listing('web1'), await unitOf(host('web1'))]
    const again = await netops(['deploy', ...staging, ...release(), '--json'])
    expect(again).toMatchObject({ code: 0, json: { hosts: [{ changed: false }, { changed: false }] } })
    expect(await unitOf(host('web1'))).toEqual(unit)
    const etc = (tree: object) => Object.entries(tree).filter(([path]) => path.startsWith('etc/'))
    expect(etc(await listing('web1'))).toEqual(etc(before))
  })
})

describe('a file that changed', () => {
  test('is brought and the service restarted, on the hosts that need it', async () => {
    const unit = await unitOf(host('web1'))
    const deployed = await netops(['deploy', ...staging, ...release(), '--hosts', 'web1', '--json'], secrets.later)
    expect(deployed).toMatchObject({ code: 0, json: { hosts: [{ host: 'web1', changed: true }] } })
    expect(await about('web1', '/etc/network/jwt.key')).toBe(`600 network_service:network_service\n${secrets.later}`)
    expect((await unitOf(host('web1'))).MainPID).not.toBe(unit.MainPID)
  })

  test('is put back with its mode and owner when the new release is not healthy', async () => {
    await on('web1', 'chmod', '0604', '/etc/network/jwt.key')
    const crashing = join(folder, 'crashing')
    await writeFile(crashing, '#!/bin/sh\nexit 3\n', { mode: 0o755 })
    const words = ['--release', crashing, '--min-healthy-time', '300ms', '--healthy-deadline', '5s']
    expect(await netops(['deploy', ...staging, ...words, '--hosts', 'web1', '--json'])).toMatchObject({ code: 8 })
    expect(await about('web1', '/etc/network/jwt.key')).toBe(`604 network_service:network_service\n${secrets.later}`)
    expect((await servedBy(host('web1'))).answering).toMatch(/^1\.0\.0-/)
  })

  test.each([
    ['a variable that is not set', { env: 'NO_SUCH_VARIABLE' }, 'files: the variable NO_SUCH_VARIABLE: it is not set'],
    ['a command that fails', { command: ['sh', '-c', 'cat keys/leak; exit 4'] }, 'it exited with 4'],
    ['a file that is not there', { file: 'keys/none' }, 'ENOENT'],
  ])('from %s is refused before anything is done', async (_, source, reason) => {
    const text = await readFile(join(folder, 'netops.staging.yml'), 'utf8')
    const file = `  - { from: ${JSON.stringify(source)}, to: /etc/network/more }\n`
    await writeFile(join(folder, 'netops.bad.yml'), text + file)
    const before = await listing('web1')
    const refused = await netops(['deploy', '--inventory', 'netops.bad.yml', ...release(), '--json'])
    expect(refused).toMatchObject({ code: 2, json: { error: { code: 'usage' } } })
    expect(refused.json.error?.message).toContain(reason)
    expect(await listing('web1')).toEqual(before)
  })

  test('that is gone when it is to be brought leaves nothing of what was brought before it', async () => {
    const text = await readFile(join(folder, 'netops.staging.yml'), 'utf8')
    const file = `  - { from: { file: keys/brief }, to: /etc/network/brief }\nhooks: { pre_deploy: [[rm, keys/brief]] }\n`
    await writeFile(join(folder, 'netops.bad.yml'), text + file)
    await writeFile(join(folder, 'keys/brief'), 'brief')
    const failed = await netops(['deploy', '--inventory', 'netops.bad.yml', ...release(), '--hosts', 'web1', '--json'])
    expect(failed).toMatchObject({ code: 2, json: { hosts: [{ outcome: 'usage' }] } })
    expect((await on('web1', 'find', '/opt/network_system/incoming', '-mindepth', '1')).stdout).toBe('')
  })
})

describe('a host that is marked as another environment', () => {
  const commands: readonly (readonly string[])[] = [
    ['deploy', '--json'],
    ['rollback', '--confirm', 'production', '--json'],
    ['tune', 'apply', '--json'],
    ['tune', 'revert', '--confirm', 'production', '--json'],
    ['gc', '--confirm', 'production', '--json'],
    ['lock', 'release', '--hosts', 'web1', '--confirm', 'production', '--json'],
    ['inventory', 'check', '--json'],
  ]

  test.each(['netops.production.yml', 'netops.none.yml'])(
    'is refused to every command by %s, and left alone',
    async (file) => {
      const before = await listing('web1')
      for (const words of commands) {
        const more = words[0] === 'deploy' ? release() : []
        const refused = await netops([...words, ...more, '--inventory', file])
        expect([words[0], refused.code]).toEqual([words[0], 7])
        expect(refused.stdout).toContain('the host is marked as staging, and the fleet file is for')
      }
      expect(await listing('web1')).toEqual(before)
    },
  )
})

describe('production', () => {
  const production = ['-e', 'production', '--hosts', 'web1']

  test('is asked for before a destructive command, and nothing is done without its name', async () => {
    for (const name of ['web1', 'web2']) await on(name, 'sh', '-c', `echo production > ${paths.environment}`)
    const second = ['--release', inject('builds').server2, ...quick]
    expect(await netops(['deploy', ...production, ...second, '--json'], secrets.later)).toMatchObject({ code: 0 })
    const before = await servedBy(host('web1'))
    for (const words of [[], ['--confirm', 'staging'], ['--confirm', '']]) {
      const refused = await netops(['rollback', ...production, ...words, '--json'])
      expect(refused).toMatchObject({
        code: 7,
        json: { error: { hint: expect.stringContaining('--confirm production') as string } },
      })
    }
    expect(await netops(['rollback', ...production, '--dry-run'])).toMatchObject({ code: 0 })
    expect(await servedBy(host('web1'))).toEqual(before)
  })

  test('typed at a terminal goes on; another word does not', async () => {
    const env = { NETOPS_STATE_DIR: join(folder, 'state') }
    const rollback = [
      inject('builds').netops,
      'rollback',
      '--inventory',
      join(folder, 'netops.production.yml'),
      '--hosts',
      'web1',
      ...quick,
    ]
    const wrong = await inTerminal(rollback, env)
    await wrong.shows(/Type production to go on:/)
    await wrong.type('no')
    await wrong.type('Enter')
    await wrong.shows(/exit 7/)
    const right = await inTerminal(rollback, env)
    await right.shows(/Type production to go on:/)
    await right.type('production')
    await right.type('Enter')
    await right.shows(/exit 0/)
    const served = await until(async () => (await servedBy(host('web1'))).answering)
    expect(served).toMatch(/^1\.0\.0-/)
  })

  test('is asked for before a run is taken back', async () => {
    const tuned = await netops([
      'tune',
      'apply',
      ...production,
      '--skip',
      'net.core.netdev_max_backlog,fs.file-max,fs.nr_open,vm.max_map_count,vm.swappiness',
      '--json',
    ])
    const { run } = JSON.parse(tuned.stdout) as { run: string }
    expect(await netops(['runs', 'undo', run, '--json'])).toMatchObject({ code: 7 })
    expect(await netops(['runs', 'undo', run, '--confirm', 'production', '--json'])).toMatchObject({ code: 0 })
  })
})

describe('TLS by files that a deployment brings', () => {
  const deploy = () =>
    netops([...['deploy', '--inventory', 'netops.tls.yml', '--hosts', 'web2'], ...release(), '--json'])
  /** The subject of the certificate that the host serves with, asked for from here. */
  const speaksTls = async (): Promise<string> => {
    const address = lab().hosts.find(({ name }) => name === 'web2')?.address ?? ''
    const ask = 'echo | openssl s_client -connect "$1:8443" 2> /dev/null | openssl x509 -noout -subject'
    return (await exec(['sh', '-c', ask, 'sh', address], { timeoutMs: 30_000 })).stdout
  }

  beforeAll(async () => {
    makeCertificate(join(folder, 'tls'), 'web2')
    makeCertificate(join(folder, 'tls'), 'other')
    await writeFile(
      join(folder, 'tls.yaml'),
      'server: { host: 0.0.0.0 }\nsecurity: { ssl_enabled: true, cert_file: /etc/network/server.crt, key_file: /etc/network/server.key }\n',
    )
    const text = await readFile(join(folder, 'netops.production.yml'), 'utf8')
    const files = ['crt', 'key'].map(
      (kind) => `  - { from: { file: tls/web2.${kind} }, to: /etc/network/server.${kind} }\n`,
    )
    await writeFile(
      join(folder, 'netops.tls.yml'),
      text.replace('file: config.yaml', 'file: tls.yaml') + files.join(''),
    )
  })

  test('is served after it, with the certificate checked before anything was stopped', async () => {
    expect(await deploy()).toMatchObject({ code: 0, json: { hosts: [{ changed: true }] } })
    expect(await speaksTls()).toContain('CN = web2')
  })

  test('is refused with the key of another certificate, and what serves goes on', async () => {
    const [unit, before] = [await unitOf(host('web2')), await listing('web2')]
    await writeFile(join(folder, 'tls', 'web2.key'), await readFile(join(folder, 'tls', 'other.key')))
    const refused = await deploy()
    expect(refused).toMatchObject({ code: 2, json: { hosts: [{ outcome: 'usage', changed: false }] } })
    expect(refused.stdout).toContain('it is not the key of the certificate in')
    expect(await unitOf(host('web2'))).toEqual(unit)
    const etc = (tree: object) => Object.entries(tree).filter(([path]) => path.startsWith('etc/'))
    expect(etc(await listing('web2'))).toEqual(etc(before))
    expect(await speaksTls()).toContain('CN = web2')
  })
})

test('no secret stands in any output or journal, here or on the hosts', async () => {
  const planted = [...Object.values(secrets), 'planted-in-an-error']
  expect(everything.length).toBeGreaterThan(40)
  for (const secret of planted) expect(everything.filter((text) => text.includes(secret))).toEqual([])
  const here = await exec(['grep', '-rlaE', planted.join('|'), join(folder, 'state')])
  expect(here.stdout).toBe('')
  for (const name of ['web1', 'web2']) {
    const found = await on(
      name,
      'grep',
      '-rlaE',
      planted.join('|'),
      '/var/lib/netops',
      '/opt/network_system',
      '/var/log/network',
    )
    // What a run put aside, to be put back: for root alone, gone with the run's journal.
    const places = found.stdout.split('\n').filter((path) => path !== '' && !/\/saved\/file-\d+$/.test(path))
    expect(places).toEqual([])
    const log = await on(name, 'sh', '-c', `journalctl --no-pager -o cat | grep -cE '${planted.join('|')}'`)
    expect(log.stdout.trim()).toBe('0')
  }
})
