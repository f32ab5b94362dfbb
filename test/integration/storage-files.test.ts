// Copies in a folder of this machine, and of another by a real SSH server.
import { mkdir, mkdtemp, open, readdir, rm } from "node:fs/promises"
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll } from "vitest"
import { SshHosts } from '../../src/drivers/hosts/ssh.ts'
import { storageInFolder } from '../../src/drivers/storage/folder.ts'
import { storageOverSftp } from '../../src/drivers/storage/sftp.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'
import { storageContract, type TestedPlace } from '../support/storage-contract.ts'

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

const local = { ...seenIn(() => join(folder, 'local')), open: () => Promise.resolve(storageInFolder(join(folder, 'local'))) }
const large = 5_500_000

storageContract('a folder', () => local, large)
storageContract('an account with a shell', () => overSsh(() => sshd, 'remote'), large)
storageContract('an account for SFTP alone', () => overSsh(() => sftpOnly, 'locked'), large)
