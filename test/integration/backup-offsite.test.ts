// Copies of backups elsewhere: by the real commands, to a real S3 service, a folder and an SSH server, under accidents.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type { BackupEntry } from '../../src/model/backup.ts'
import { hostPaths, type HostPaths } from '../../src/model/paths.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { listIfAny } from '../../src/system/files.ts'
import { faultyLink, type FaultyLink } from '../support/faulty-link.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'
import { startSwift, type SwiftServer } from '../support/swift.ts'

interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly json: Readonly<Record<string, unknown>>
}

const mib = 2 ** 20
const part = 8 * mib
// Up to four parts: nothing of it is compressed away.
const payload = randomBytes(26 * mib)

let shared: string
let swift: SwiftServer
let identity: string
let recipient: string
beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), 'netops-offsite-'))
  await mkdir(join(shared, 'swift'))
  swift = await startSwift(join(shared, 'swift'))
  identity = join(shared, 'age.txt')
  await execText(['age-keygen', '-o', identity])
  await chmod(identity, 0o600)
  recipient = /age1[0-9a-z]+/.exec(await readFile(identity, 'utf8'))?.[0] ?? ''
})
afterAll(async () => {
  await swift.stop()
  await rm(shared, { recursive: true, force: true })
})

let top: string
let root: string
let paths: HostPaths
let link: FaultyLink
beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'netops-offsite-'))
  root = join(top, 'root')
  paths = hostPaths(root)
  link = await faultyLink(swift.port)
  await mkdir(paths.configDir, { recursive: true })
  await mkdir(join(root, 'etc/netops'), { recursive: true })
  await writeFile(join(paths.configDir, 'config.yaml'), 'server:\n  port: 8080\n')
  await credentials(swift.credentials)
})
afterEach(async () => {
  await link.close()
  await rm(top, { recursive: true, force: true })
})

const credentials = async ({ accessKey, secretKey }: SwiftServer['credentials']): Promise<void> => {
  await writeFile(join(root, 'etc/netops/s3_access_key'), `${accessKey}\n`, { mode: 0o600 })
  await writeFile(join(root, 'etc/netops/s3_secret_key'), `${secretKey}\n`, { mode: 0o600 })
}

async function addPayload(size = payload.length): Promise<void> {
  await writeFile(join(paths.configDir, 'large.bin'), payload.subarray(0, size))
  await settle()
}
// What changed less than two seconds ago is never taken over (archive/walk.ts).
const settle = (): Promise<unknown> =>
  execText(['find', paths.configDir, '-exec', 'touch', '-h', '-d', '2026-01-01', '{}', '+'])

const bucket = (prefix: string): string => `s3://${swift.bucket}/${prefix}`
const s3 = () => ({ region: swift.region, endpoint: `http://127.0.0.1:${link.port}`, path_style: true })
const copiesTo = (address: string, recipients: readonly string[] = [recipient]) => ({
  offsite: { places: [address], as: 'web1', recipients, s3: s3() },
})

const calledOf = (result: { readonly code: number; readonly stdout: string; readonly stderr: string }): Called => ({
  ...result,
  json: result.stdout === '' ? {} : (JSON.parse(result.stdout) as Called['json']),
})

async function netops(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Called> {
  return calledOf(await exec([inject('builds').netops, ...words, '--json'], { env, timeoutMs: 90_000 }))
}

/** As a timer starts it: in one process, with the fields of a request. */
async function run(procedure: string, fields: object, env: Readonly<Record<string, string>> = {}): Promise<Called> {
  const stdin = { text: JSON.stringify(fields) }
  const argv = [inject('builds').netops, 'runs', 'start', procedure, '--root', root, '--json']
  return calledOf(await exec(argv, { stdin, env, timeoutMs: 90_000 }))
}

async function backups(): Promise<readonly BackupEntry[]> {
  const { json } = await netops(['backup', 'list', '--root', root])
  const [host] = json.hosts as readonly { readonly backups: readonly BackupEntry[] }[]
  return host?.backups ?? []
}

/** The operator's side, with keys in the usual variables. */
const fetched = (from: string, words: readonly string[]): Promise<Called> =>
  netops(['backup', 'fetch', '--from', from, '--endpoint', s3().endpoint, '--path-style', ...words], {
    AWS_ACCESS_KEY_ID: swift.credentials.accessKey,
    AWS_SECRET_ACCESS_KEY: swift.credentials.secretKey,
    AWS_REGION: swift.region,
  })

/** What a fetched archive holds is what is on the disk. */
async function expectSame(folder: string, id: string): Promise<void> {
  const into = join(top, `unpacked-${id}`)
  await mkdir(into)
  await execText(['tar', '-xzf', join(folder, `${id}.tar.gz`), '-C', into])
  await execText(['diff', '-r', join(into, 'etc/network_system'), paths.configDir])
}

const spooled = (): Promise<readonly string[]> => listIfAny(join(paths.backups, '.offsite'))

describe('an S3 service', () => {
  test('holds encrypted copies, of which the archive is sent once while nothing changes', async () => {
    await addPayload(part + mib)
    const first = await run('backup', copiesTo(bucket('round')))
    expect(first).toMatchObject({ code: 0 })
    const [entry] = await backups()
    expect(entry?.copies).toMatchObject([
      {
        to: bucket('round'),
        encrypted: true,
        evidence: 'checksum-of-service',
        recipients: expect.any(String) as string,
      },
    ])
    expect(entry?.copies[0]?.objects.map(({ name }) => name.replace(/\.[0-9a-f]{12}\./, '.X.'))).toEqual(
      ['tar.gz.age', 'index.gz.age', 'manifest.json.age', 'copy.json'].map((ending) => `web1/${entry?.id}.X.${ending}`),
    )
    expect(await spooled()).toEqual([])
    const written = await exec([
      'grep',
      '-rlF',
      swift.credentials.secretKey,
      paths.runs,
      paths.catalogue,
      paths.backups,
    ])
    expect(written.stdout).toBe('')
    expect(first.stdout + first.stderr).not.toContain(swift.credentials.secretKey)

    const before = link.passed()
    expect(before).toBeGreaterThan(part + mib)
    expect(await run('backup', copiesTo(bucket('round')))).toMatchObject({ code: 0 })
    const [second] = await backups()
    expect(second?.sameAs).toBe(entry?.id)
    expect(second?.copies).toHaveLength(1)
    expect(link.passed() - before).toBeLessThan(100_000)

    const list = await fetched(bucket('round'), ['--list'])
    expect(list.json).toMatchObject({
      unreadable: [],
      copies: [{ id: second?.id, host: 'web1', encrypted: true }, { id: entry?.id }],
    })
    const into = join(top, 'back')
    expect((await fetched(bucket('round'), ['--to', into])).code).toBe(2)
    expect(await fetched(bucket('round'), ['--to', into, '--identity', identity])).toMatchObject({
      code: 0,
      json: { id: second?.id, host: 'web1' },
    })
    await expectSame(into, second?.id ?? '')
    const other = join(top, 'other.txt')
    await execText(['age-keygen', '-o', other])
    await chmod(other, 0o600)
    const wrong = await fetched(bucket('round'), [entry?.id ?? '', '--to', join(top, 'none'), '--identity', other])
    expect(wrong).toMatchObject({ code: 1, json: { error: { message: 'none of the identities can decrypt it' } } })
  })

  test('that refuses the key leaves the backup good, and gets what is missing later', async () => {
    await credentials({ ...swift.credentials, secretKey: 'wrong-secret-of-theirs' })
    const failed = await run('backup', copiesTo(bucket('keys')))
    expect(failed.code).toBe(3)
    expect(failed.stdout).toContain('netops backup copy --missing')
    expect(failed.stdout + failed.stderr).not.toContain('wrong-secret-of-theirs')
    const [entry] = await backups()
    expect(entry).toMatchObject({ verified: { share: 1 }, copies: [] })
    await chmod(join(root, 'etc/netops/s3_secret_key'), 0o644)
    expect((await run('backup-copy', copiesTo(bucket('keys')))).code).toBe(7)
    // A key that may do nothing but put is enough.
    await credentials(swift.putter)
    await chmod(join(root, 'etc/netops/s3_secret_key'), 0o600)
    expect(await run('backup-copy', copiesTo(bucket('keys')))).toMatchObject({ code: 0 })
    expect((await backups())[0]?.copies).toHaveLength(1)
    expect(await fetched(bucket('keys'), ['--to', join(top, 'back'), '--identity', identity])).toMatchObject({
      code: 0,
    })
    await expectSame(join(top, 'back'), entry?.id ?? '')
  })

  test('gets only the missing parts after kills at three moments', async () => {
    await addPayload()
    expect(await run('backup', {})).toMatchObject({ code: 0 })
    const [entry] = await backups()
    const id = entry?.id ?? ''
    const killed = async (moment: () => Promise<boolean>): Promise<void> => {
      const argv = [inject('builds').netops, 'runs', 'start', 'backup-copy', '--root', root, '--json']
      const request = join(top, 'request.json')
      await writeFile(request, JSON.stringify(copiesTo(bucket('killed'))))
      const child = spawn('sh', ['-c', 'exec "$@" < "$0"', request, ...argv], { stdio: 'ignore' })
      const ended = once(child, 'exit')
      while (child.exitCode === null && !(await moment())) await sleep(2)
      expect(child.exitCode).toBeNull()
      child.kill('SIGKILL')
      await ended
    }
    const inSpool = (): Promise<readonly string[]> => listIfAny(join(paths.backups, '.offsite', id))
    await killed(async () => (await inSpool()).some((name) => name.endsWith('.tmp')))

    link.limitTo(40_000_000)
    await killed(() => Promise.resolve(link.passed() > 2.5 * part))
    link.limitTo(Infinity)
    expect((await inSpool()).some((name) => name.endsWith('.notes'))).toBe(true)
    const before = link.passed()
    await run('backup-copy', copiesTo(bucket('killed')), { NETOPS_FAULT: 'kill-after-item:1' })
    // Two of four parts at least had arrived.
    expect(link.passed() - before).toBeLessThan(payload.length - 1.5 * part)
    expect((await backups())[0]?.copies).toHaveLength(1)
    expect(await spooled()).toEqual([id])

    const between = link.passed()
    expect(await run('backup-copy', copiesTo(bucket('killed')))).toMatchObject({ code: 0 })
    expect(link.passed() - between).toBeLessThan(50_000)
    expect(await spooled()).toEqual([])
    const back = join(top, 'back')
    link.cutAnswersAfter(6 * mib, 2)
    expect(await fetched(bucket('killed'), ['--to', back, '--identity', identity])).toMatchObject({ code: 0 })
    await expectSame(back, id)
    expect((await netops(['backup', 'verify', '--root', root])).code).toBe(0)
  })

  test('that cannot be reached for a while gets the rest from the next backup', async () => {
    await addPayload(part + mib)
    link.cutAfter(3 * mib, 1000)
    const failed = await run('backup', copiesTo(bucket('cut')))
    expect(failed.code).toBe(3)
    const [entry] = await backups()
    expect(entry?.verified?.share).toBe(1)
    expect(await spooled()).toEqual([entry?.id])
    link.cutAfter(Infinity, 0)
    const before = link.passed()
    await writeFile(join(paths.configDir, 'config.yaml'), 'server:\n  port: 9090\n')
    expect(await run('backup-copy', copiesTo(bucket('cut')))).toMatchObject({ code: 0 })
    expect(link.passed() - before).toBeLessThan(part + 2 * mib)
    expect((await backups()).map(({ copies }) => copies.length)).toEqual([1])
  })
})

describe('a folder', () => {
  test('gets no private keys in the clear, and what is damaged there is found', async () => {
    await mkdir(join(root, 'etc/network'))
    await execText(['openssl', 'genpkey', '-algorithm', 'ed25519', '-out', join(root, 'etc/network/server.key')])
    const place = join(top, 'place')
    await mkdir(place, { mode: 0o700 })
    const refused = await run('backup', copiesTo(place, []))
    expect(refused.code).toBe(3)
    expect(refused.stdout).toContain('etc/network/server.key')
    expect(await readdir(place)).toEqual([])
    const words = ['backup', 'copy', '--root', root, '--place', place]
    expect((await netops(words)).code).toBe(7)
    expect(await readdir(place)).toEqual([])
    expect((await netops([...words, '--encrypt-to', recipient])).code).toBe(0)

    const [entry] = await backups()
    const stored = (await readdir(join(place, 'local'))).find((name) => name.endsWith('.tar.gz.age')) ?? ''
    const bytes = await readFile(join(place, 'local', stored))
    bytes.writeUInt8(bytes.readUInt8(300) ^ 1, 300)
    await writeFile(join(place, 'local', stored), bytes)
    const back = join(top, 'back')
    const damaged = await netops(['backup', 'fetch', '--from', place, '--to', back, '--identity', identity])
    expect(damaged).toMatchObject({ code: 9, json: { error: { code: 'damaged' } } })
    expect((await readdir(back)).filter((name) => !name.startsWith('.'))).toEqual([])
    // Copied once more, beside what is damaged.
    expect((await netops(['backup', 'copy', entry?.id ?? '', ...words.slice(2), '--encrypt-to', recipient])).code).toBe(
      0,
    )
    expect((await netops(['backup', 'fetch', '--from', place, '--to', back, '--identity', identity])).code).toBe(0)
    await expectSame(back, entry?.id ?? '')
  })

  test('of a page that names other things than its own is not followed', async () => {
    const place = join(top, 'place')
    await mkdir(join(place, 'web1'), { recursive: true, mode: 0o700 })
    expect((await run('backup', copiesTo(place, []))).code).toBe(0)
    const name = (await readdir(join(place, 'web1'))).find((one) => one.endsWith('.copy.json')) ?? ''
    const page = JSON.parse(await readFile(join(place, 'web1', name), 'utf8')) as { objects: { name: string }[] }
    for (const hostile of ['../../etc/shadow', '/etc/shadow', page.objects[0]?.name.replace('web1/', 'web2/') ?? '']) {
      const objects = page.objects.map((object, at) => (at === 0 ? { ...object, name: hostile } : object))
      await writeFile(join(place, 'web1', name), JSON.stringify({ ...page, objects }))
      expect(await netops(['backup', 'fetch', '--from', place, '--to', join(top, 'back')])).toMatchObject({ code: 9 })
      expect((await netops(['backup', 'fetch', '--list', '--from', place])).json).toMatchObject({
        copies: [],
        unreadable: [expect.any(String)],
      })
    }
    expect(await listIfAny(join(top, 'back'))).toEqual([])
  })

  test('without room for what is encrypted is told before anything is sent', async () => {
    await addPayload(mib)
    expect((await run('backup', {})).code).toBe(0)
    const [entry] = await backups()
    const place = join(top, 'place')
    await mkdir(place, { mode: 0o700 })
    const mounted = join(top, 'small')
    await mkdir(mounted)
    const script = [
      'mount -t tmpfs -o size=60m,mode=700 tmpfs "$1"',
      'cp -a "$2"/. "$1" && mount --bind "$1" "$2"',
      'shift 2; exec "$@"',
    ].join('\n')
    const argv = [
      inject('builds').netops,
      'backup',
      'copy',
      '--root',
      root,
      '--place',
      place,
      '--encrypt-to',
      recipient,
      '--json',
    ]
    const inside = ['unshare', '--mount', 'sh', '-ec', script, 'sh', mounted, paths.backups, ...argv]
    const full = calledOf(await exec(inside, { timeoutMs: 60_000 }))
    expect(full.stdout).toMatch(/are needed to encrypt the copy: nothing was sent/)
    expect(full.code).toBe(1)
    expect(await readdir(place)).toEqual([])
    expect((await backups())[0]).toMatchObject({ id: entry?.id, damage: null, copies: [] })
  })
})

test('an SSH server gets copies by the host’s own ssh_config, and one with an unknown key gets none', async () => {
  const folder = join(top, 'sshd')
  await mkdir(folder)
  const sshd: Sshd = await startSshd(folder, ['Subsystem sftp internal-sftp', 'ForceCommand internal-sftp'])
  try {
    const home = join(top, 'home')
    await mkdir(join(home, '.ssh'), { recursive: true, mode: 0o700 })
    const config = (knownHosts: string): string =>
      `Host *\n  IdentityFile ${sshd.target.identity}\n  UserKnownHostsFile ${knownHosts}\n  GlobalKnownHostsFile none\n`
    await writeFile(join(home, '.ssh/config'), config('/dev/null'))
    const vault = join(top, 'vault')
    const place = `sftp://${sshd.target.user}@127.0.0.1:${sshd.port}${vault}`
    const unknown = await run('backup', copiesTo(place), { HOME: home })
    expect(unknown.code).toBe(3)
    expect(await listIfAny(vault)).toEqual([])
    await writeFile(join(home, '.ssh/config'), config(sshd.target.knownHosts))
    expect(await run('backup-copy', copiesTo(place), { HOME: home })).toMatchObject({ code: 0 })
    const [entry] = await backups()
    expect(entry?.copies).toMatchObject([{ to: place, evidence: 'read-back', encrypted: true }])
    const back = join(top, 'back')
    const words = ['backup', 'fetch', '--from', place, '--to', back, '--identity', identity]
    expect(await netops(words, { HOME: home })).toMatchObject({ code: 0 })
    await expectSame(back, entry?.id ?? '')
  } finally {
    await sshd.stop()
  }
})

test('the rule of a bucket is printed from the fleet file, and what is there is looked at', async () => {
  const fleet = join(top, 'netops.yml')
  await writeFile(
    fleet,
    `hosts: { web1: { address: 127.0.0.1 } }\nbackup:\n  offsite: [${bucket('rule')}, /mnt/disk]\n  keep: { within: 30d }\n  s3: { region: ${swift.region}, endpoint: "http://127.0.0.1:${swift.port}", path_style: true }\n`,
  )
  const env = { AWS_ACCESS_KEY_ID: swift.credentials.accessKey, AWS_SECRET_ACCESS_KEY: swift.credentials.secretKey }
  const told = await netops(['backup', 'lifecycle', '--inventory', fleet], env)
  expect(told.json).toMatchObject({
    places: [
      {
        place: bucket('rule'),
        rule: {
          Rules: [
            {
              Filter: { Prefix: 'rule/' },
              Expiration: { Days: 37 },
              AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
            },
          ],
        },
        found: { state: 'wrong', faults: [expect.stringContaining('37 days'), expect.stringContaining('7 days')] },
      },
    ],
  })
  expect(told.code).toBe(5)
})
