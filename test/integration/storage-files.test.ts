// Copies in a folder of this machine, and of another by a real SSH server.
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { SshHosts } from '../../src/drivers/hosts/ssh.ts'
import { storageInFolder } from '../../src/drivers/storage/folder.ts'
import { storageOverSftp } from '../../src/drivers/storage/sftp.ts'
import { execText } from '../../src/system/exec.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'
import type { Progress, Storage } from '../../src/drivers/storage/port.ts'
import { faultyLink, type FaultyLink } from '../support/faulty-link.ts'
import {
  bytesSource,
  collected,
  errorOf,
  expectedOf,
  storageContract,
  type TestedPlace,
} from '../support/storage-contract.ts'

let folder: string
let sshd: Sshd
let sftpOnly: Sshd
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-storage-'))
  for (const name of ['sshd', 'sftp-only', 'local', 'remote', 'locked']) await mkdir(join(folder, name))
  sshd = await startSshd(join(folder, 'sshd'), ['Subsystem sftp internal-sftp'])
  sftpOnly = await startSshd(join(folder, 'sftp-only'), ['Subsystem sftp internal-sftp', 'ForceCommand internal-sftp'])
})
afterAll(async () => {
  await sshd.stop()
  await sftpOnly.stop()
  await rm(folder, { recursive: true, force: true })
})

/** What really lies below a folder. */
const seenIn = (top: () => string): Omit<TestedPlace, 'open'> => ({
  raw: async () =>
    (await readdir(top(), { recursive: true, withFileTypes: true }))
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(relative(top(), entry.parentPath), entry.name)),
  flip: async (name) => {
    const file = await open(join(top(), name), 'r+')
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, 1000)
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 1000)
    await file.close()
  },
})

const overSsh = (server: () => Sshd, name: string) => ({
  ...seenIn(() => join(folder, name)),
  open: () =>
    Promise.resolve(
      storageOverSftp({
        place: `sftp://127.0.0.1/${name}`,
        folder: join(folder, name),
        connect: () => new SshHosts().files(server().target),
      }),
    ),
})

const local = {
  ...seenIn(() => join(folder, 'local')),
  open: () => Promise.resolve(storageInFolder(join(folder, 'local'))),
}
const large = 5_500_000

storageContract('a folder', () => local, large)
storageContract('an account with a shell', () => overSsh(() => sshd, 'remote'), large)
storageContract('an account for SFTP alone', () => overSsh(() => sftpOnly, 'locked'), large)

describe.each(['a shell', 'SFTP alone'] as const)('an account for %s behind a bad link', (which) => {
  const server = (): Sshd => (which === 'a shell' ? sshd : sftpOnly)
  const size = 6_000_000
  const name = which === 'a shell' ? 'remote' : 'locked'
  // What handshakes and packets take besides.
  const around = 400_000
  let link: FaultyLink
  let storage: Storage
  beforeEach(async () => {
    link = await faultyLink(server().port)
    const knownHosts = join(folder, `known-${link.port}`)
    await writeFile(knownHosts, `[127.0.0.1]:${link.port} ${server().hostKey}\n`)
    const target = { ...server().target, port: link.port, knownHosts }
    const patience = { tries: 4, firstPauseMs: 5, longestPauseMs: 20, silenceMs: 20_000 }
    const place = { place: `sftp://vault/${name}`, folder: join(folder, name), patience }
    storage = storageOverSftp({ ...place, connect: () => new SshHosts().files(target) })
    onTestFinished(async () => {
      await storage.close()
      await link.close()
    })
  })

  test('a put that is cut off goes on where it was', async () => {
    const source = bytesSource(randomBytes(size))
    link.cutAfter(3_000_000)
    const seen: Progress[] = []
    const stored = await storage.put('cut.tar', source, { onProgress: (progress) => seen.push(progress) })
    expect(stored).toMatchObject({ outcome: 'stored', evidence: which === 'a shell' ? 'hashed-there' : 'read-back' })
    // At most what was on its way is sent twice.
    expect(link.passed()).toBeLessThan(size + 8_500_000 + around)
    expect(seen.some(({ done, sent }) => done > 0 && done < size && sent >= done)).toBe(true)
    await storage.verify('cut.tar', expectedOf(source))
  })

  test('another process sends only what is missing', async () => {
    const source = bytesSource(randomBytes(size))
    const leaving = new AbortController()
    const onProgress = ({ done }: Progress): void => {
      if (done >= 2_000_000) leaving.abort()
    }
    expect(await errorOf(storage.put('resumed.tar', source, { signal: leaving.signal, onProgress }))).toMatchObject({
      code: 'interrupted',
    })
    await storage.close()
    const before = link.passed()
    const stored = await storage.put('resumed.tar', source)
    expect(stored.sent).toBeLessThanOrEqual(size - 2_000_000)
    expect(link.passed() - before).toBeLessThan(stored.sent + around)
    await storage.verify('resumed.tar', expectedOf(source))
  })

  test('a beginning that is not that of the object is found, and nothing of it is kept', async () => {
    const source = bytesSource(randomBytes(size))
    const leaving = new AbortController()
    const onProgress = ({ done }: Progress): void => {
      if (done >= 2_000_000) leaving.abort()
    }
    await errorOf(storage.put('zeros.tar', source, { signal: leaving.signal, onProgress }))
    await storage.close()
    const [part = ''] = (await readdir(join(folder, name))).filter((entry) => entry.startsWith('.zeros.tar.'))
    const file = await open(join(folder, name, part), 'r+')
    await file.write(Buffer.alloc(4096), 0, 4096, 1_000_000)
    await file.close()
    await storage.put('zeros.tar', source)
    expect((await collected(storage.get('zeros.tar'))).length).toBe(size)
    await storage.verify('zeros.tar', expectedOf(source))
    expect((await readdir(join(folder, name))).filter((entry) => entry.includes('zeros'))).toEqual(['zeros.tar'])
  })

  test('what is cut off while it is read is read on from there', async () => {
    const bytes = randomBytes(5_000_000)
    await storage.put('read.tar', bytesSource(bytes))
    link.cutAnswersAfter(2_000_000)
    expect((await collected(storage.get('read.tar'))).equals(bytes)).toBe(true)
  })

  test('a host that is gone is told', async () => {
    await link.close()
    const error = await errorOf(storage.put('gone.tar', bytesSource(Buffer.from('x'))))
    expect(error).toMatchObject({ code: 'unreachable', resumable: true })
    link = await faultyLink(server().port)
  })
})

test('the key of a host that is not on file is refused', async () => {
  const target = { ...sshd.target, knownHosts: join(folder, 'none') }
  await writeFile(target.knownHosts, '')
  const storage = storageOverSftp({ place: 'sftp://x/y', folder: '/y', connect: () => new SshHosts().files(target) })
  expect(await errorOf(storage.head('a.tar'))).toMatchObject({ code: 'refused' })
})

test('a host without SFTP is told what it lacks', async () => {
  await mkdir(join(folder, 'no-sftp'))
  const without = await startSshd(join(folder, 'no-sftp'))
  onTestFinished(() => without.stop())
  const connect = () => new SshHosts().files(without.target)
  const error = await errorOf(storageOverSftp({ place: 'sftp://x/y', folder: '/y', connect }).head('a.tar'))
  expect(error).toMatchObject({ code: 'failed' })
  expect(error.hint).toContain('Subsystem sftp')
})

describe('a folder of this machine', () => {
  const own = async (): Promise<string> => {
    const made = await mkdtemp(join(folder, 'own-'))
    onTestFinished(() => rm(made, { recursive: true, force: true }))
    return made
  }
  const source = bytesSource(Buffer.from('copy'))

  test('holds what nobody else can read, also in folders that are made', async () => {
    const at = await own()
    await storageInFolder(join(at, 'made')).put('web1/a.tar', source)
    expect((await stat(join(at, 'made'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(at, 'made', 'web1'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(at, 'made', 'web1', 'a.tar'))).mode & 0o777).toBe(0o600)
  })

  test('to which others may write is refused', async () => {
    const at = await own()
    await chmod(at, 0o777)
    expect(await errorOf(storageInFolder(at).put('a.tar', source))).toMatchObject({ code: 'refused' })
    expect(await readdir(at)).toEqual([])
  })

  test('no link below it is followed', async () => {
    const at = await own()
    const elsewhere = await own()
    await writeFile(join(elsewhere, 'kept'), 'kept')
    await symlink(elsewhere, join(at, 'web1'))
    await symlink(join(elsewhere, 'kept'), join(at, 'b.tar'))
    const storage = storageInFolder(at)
    for (const name of ['web1/a.tar', 'b.tar']) {
      expect(await errorOf(storage.put(name, source))).toMatchObject({ code: 'refused' })
    }
    // Nor one in the place of what is made ready.
    await symlink(join(elsewhere, 'kept'), join(at, `.c.tar.${source.sha256.slice(0, 16)}.part`))
    await storage.put('c.tar', source)
    expect(await errorOf(storage.verify('b.tar', expectedOf(source)))).toMatchObject({ code: 'damaged' })
    await storage.delete('b.tar')
    expect(await readdir(elsewhere)).toEqual(['kept'])
    expect(await readFile(join(elsewhere, 'kept'), 'utf8')).toBe('kept')
  })

  test('that is full is told, and holds nothing half', async () => {
    // As root alone: a file system of its own.
    if (process.getuid?.() !== 0) return expect(process.getuid?.()).not.toBe(0)
    const at = await own()
    await execText(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', at])
    onTestFinished(async () => {
      await execText(['umount', at])
    })
    const error = await errorOf(storageInFolder(at).put('a.tar', bytesSource(randomBytes(3_000_000))))
    expect(error).toMatchObject({ code: 'failed' })
    expect(error.message).toMatch(/no space/)
    expect(await readdir(at)).toEqual([])
  })
})
