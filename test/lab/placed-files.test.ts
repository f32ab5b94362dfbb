// Files that a deployment places, at the worst moments: netops on the host killed around the step, and a disk that is full.
// The tests follow one host through its life, in order.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import { hostPaths } from '../../src/model/paths.ts'
import { exec } from '../../src/system/exec.ts'
import { foreignRelease, readRecords, servedBy, unitOf, writeConfig, type Release } from '../support/fleet.ts'
import { getAttribute, setAttribute } from '../support/attributes.ts'
import { useLab } from '../support/lab.ts'

const { lab, host } = useLab('web1')
const paths = hostPaths('/')
const key = '/etc/network/jwt.key'

let folder = ''
let crashing: Release
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-placed-'))
  crashing = await foreignRelease(folder, 'crashing', 'exit 3')
  const { identity, knownHosts, hosts } = lab()
  const ssh = `ssh: { identity: ${identity}, known_hosts: ${knownHosts} }\n`
  const files = `files:\n  - { from: { env: PLANTED }, to: ${key} }\n`
  const config = `config: { file: ${await writeConfig(folder, 'config', 1000)} }\n`
  await writeFile(
    join(folder, 'netops.yml'),
    `${config}${ssh}${files}hosts: { web1: { address: ${hosts[0]?.address ?? ''} } }\n`,
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Called {
  readonly code: number
  readonly json: { readonly run?: string; readonly hosts?: readonly Readonly<Record<string, unknown>>[] }
}

async function netops(words: readonly string[], planted: string): Promise<Called> {
  const argv = [inject('builds').netops, ...words, '--json']
  const env = { NETOPS_STATE_DIR: join(folder, 'state'), PLANTED: planted }
  const { code, stdout } = await exec(argv, { cwd: folder, env, timeoutMs: 240_000 })
  return { code, json: JSON.parse(stdout) as Called['json'] }
}

const deploy = (planted: string, file = inject('builds').server1) =>
  netops(['deploy', '--release', file, '--min-healthy-time', '300ms', '--healthy-deadline', '5s'], planted)

const on = (...argv: string[]) => execOnHost(host('web1'), argv)
const placed = async (): Promise<string> =>
  (await on('sh', '-c', 'stat -c "%a %U:%G" "$1"; cat "$1"', 'sh', key)).stdout
const records = async (run: string) =>
  readRecords(join(await hostRoot(host('web1')), paths.runs, `${run}.web1`, 'journal.jsonl'))

/** A deployment whose part on the host is killed, and then gone on with. */
async function killed(fault: string, planted: string, file?: string): Promise<Called> {
  await on('systemctl', 'set-environment', `NETOPS_FAULT=${fault}`)
  const cut = await deploy(planted, file).finally(() => on('systemctl', 'unset-environment', 'NETOPS_FAULT'))
  expect(cut.code).not.toBe(0)
  const { run = '' } = cut.json
  expect((await records(run)).some((record) => record.type === 'end')).toBe(false)
  return netops(['runs', 'resume', run], planted)
}

describe('netops on the host, killed while it places a file', () => {
  test('goes on to the new file', async () => {
    const first = await deploy('first')
    expect(first.code).toBe(0)
    const whole = await deploy('second')
    expect(whole.code).toBe(0)
    for (const [fault, planted] of [
      ['kill-after:begin:files', 'third'],
      ['kill-before:done:files', 'fourth'],
    ] as const) {
      expect(await killed(fault, planted)).toMatchObject({ code: 0, json: { hosts: [{ outcome: 'done' }] } })
      expect(await placed()).toBe(`600 network_service:network_service\n${planted}`)
    }
    expect((await servedBy(host('web1'))).answering).toMatch(/^1\.0\.0-/)
  })

  test('puts the old file back when the release then crashes, also after it was placed twice', async () => {
    await on('chmod', '0604', key)
    const old = '604 network_service:network_service\nfourth'
    const whole = await deploy('never', crashing.file)
    expect(whole.code).toBe(8)
    expect(await placed()).toBe(old)
    for (const fault of ['kill-after:begin:files', 'kill-before:done:files']) {
      expect(await killed(fault, 'never', crashing.file)).toMatchObject({ code: 8 })
      expect(await placed()).toBe(old)
      expect((await servedBy(host('web1'))).answering).toMatch(/^1\.0\.0-/)
    }
  })
})

describe('what a deployment replaces', () => {
  const about = async (...all: readonly string[]): Promise<string> => {
    const looks = all.flatMap((path) => [['stat', '-c', '%N %F %a %U:%G %Y', path], getAttribute(path), ['cat', path]])
    const found: string[] = []
    for (const look of looks) {
      const { code, stdout } = await on(...look)
      expect(code).toBe(0)
      found.push(stdout)
    }
    return found.join('\n')
  }

  test('is put back as it was when the release crashes: links, modes, owners, times and attributes', async () => {
    const [target, config] = ['/etc/network/jwt-2026.key', paths.config]
    await on('mv', key, target)
    await on('ln', '-s', 'jwt-2026.key', key)
    await on('chown', '-h', 'network_service:', key)
    await on('chmod', '0600', target)
    await on('chmod', '0444', config)
    await on('chown', 'root:root', config)
    for (const path of [target, config]) expect((await on(...setAttribute(path, 'vault'))).code).toBe(0)
    const unit = '/srv/network_service.service'
    await on('cp', paths.unit, unit)
    await on('sh', '-c', 'echo "# by hand" >> "$0"', unit)
    await on('ln', '-sf', unit, paths.unit)
    const all = [key, target, config, paths.unit, unit] as const
    const before = await about(...all)
    expect(before).toContain(`'${key}' -> 'jwt-2026.key' symbolic link 777 network_service:network_service`)
    expect(before).toContain('vault')

    await writeConfig(folder, 'config', 1001)
    const failed = await deploy('never', crashing.file)
    expect(failed).toMatchObject({ code: 8, json: { hosts: [{ outcome: 'rolled-back' }] } })
    expect(await about(...all)).toBe(before)
    expect((await servedBy(host('web1'))).answering).toMatch(/^1\.0\.0-/)

    expect(await deploy('fifth')).toMatchObject({ code: 0 })
    expect(await placed()).toBe('600 network_service:network_service\nfifth')
    expect((await on('stat', '-c', '%F', key, paths.unit, config)).stdout).toBe('regular file\n'.repeat(3))
    expect((await on('cat', target)).stdout).toBe('fourth')
  })
})

describe('a folder that the service may write to', () => {
  const temporary = '/etc/network/.jwt.key.netops-new'
  const give = async (owner: string) => expect((await on('chown', owner, '/etc/network')).code).toBe(0)
  const untouched = async () => {
    expect((await on('test', '-e', '/etc/profile.d/owned')).code).not.toBe(0)
    expect((await on('find', paths.runs, '-path', '*saved*', '-newer', '/root/then', '-type', 'f')).stdout).toBe('')
  }

  test('is refused before anything is done, and nothing in it is read or followed', async () => {
    await on('cp', '-a', '/etc/network', '/root/network-before')
    await on('touch', '/root/then')
    await give('network_service')
    try {
      await on('ln', '-sf', '/etc/shadow', key)
      await on('ln', '-s', '/etc/profile.d/owned', temporary)
      const shadow = (await on('stat', '-c', '%a %U %Z', '/etc/shadow')).stdout
      const refused = await deploy('planted')
      expect(refused.code).toBe(7)
      expect(JSON.stringify(refused.json)).toContain('/etc/network belongs to network_service')
      expect((await on('stat', '-c', '%a %U %Z', '/etc/shadow')).stdout).toBe(shadow)
      await untouched()
    } finally {
      await on('rm', '-f', temporary)
      await on('cp', '-a', '--remove-destination', '/root/network-before/jwt.key', key)
      await give('root')
    }
  })

  test('is not written to by a run that goes on after it was given away', async () => {
    await on('systemctl', 'set-environment', 'NETOPS_FAULT=kill-after:begin:files')
    const cut = await deploy('sixth').finally(() => on('systemctl', 'unset-environment', 'NETOPS_FAULT'))
    await on('ln', '-s', '/etc/profile.d/owned', temporary)
    await give('network_service')
    try {
      const resumed = await netops(['runs', 'resume', cut.json.run ?? ''], 'sixth')
      expect(resumed.code).not.toBe(0)
      expect(JSON.stringify(resumed.json)).toContain('/etc/network belongs to network_service')
      expect((await on('test', '-e', '/etc/profile.d/owned')).code).not.toBe(0)
      expect(await placed()).toBe('600 network_service:network_service\nfifth')
    } finally {
      await on('rm', '-f', temporary)
      await give('root')
    }
    expect(await deploy('sixth')).toMatchObject({ code: 0 })
    expect(await placed()).toBe('600 network_service:network_service\nsixth')
  })
})

describe('a full disk', () => {
  test('where a file is to be placed leaves the old file and a service that runs', async () => {
    const old = await placed()
    await on(
      'sh',
      '-c',
      'cp -a /etc/network /root/network && mount -t tmpfs -o size=64k tmpfs /etc/network && cp -a /root/network/. /etc/network/',
    )
    try {
      await on('dd', 'if=/dev/zero', 'of=/etc/network/filler', 'bs=4k', 'count=100')
      const full = await deploy('more')
      expect(JSON.stringify(full.json)).toMatch(/are free on \/etc\/network, and .* are needed/)
      expect(full).toMatchObject({ code: 7, json: { outcome: 'refused' } })
      expect(await placed()).toBe(old)
      expect((await servedBy(host('web1'))).answering).toMatch(/^1\.0\.0-/)
      await on('rm', '/etc/network/filler')
      expect(await deploy('more')).toMatchObject({ code: 0 })
      expect(await placed()).toBe('600 network_service:network_service\nmore')
    } finally {
      await on('umount', '/etc/network')
    }
    expect((await unitOf(host('web1'))).ActiveState).toBe('active')
  })
})
