// The plug of a whole host is pulled while clients write: its disk loses all that was not brought to it for good, and
// what the service has answered for is there when it is on again.
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { cutNetwork, powerOff, powerOn, restoreNetwork } from '../../src/lab/faults.ts'
import { execOnHost } from '../../src/lab/host.ts'
import { hostFolder } from '../../src/lab/state.ts'
import { hostPaths } from '../../src/model/paths.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { useLab } from '../support/lab.ts'
import { recordWriters } from '../support/record-writers.ts'
import { eventually } from '../support/server-process.ts'

const { lab, host } = useLab('web1')
const cuts = process.env.NETOPS_ENDURANCE === '1' ? 5 : 2
const paths = hostPaths('/')
const files = ['upper', 'work']

let folder = ''
let disk = ''

// The host's own files move to a file system of their own, on a device that the test can take away.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-power-'))
  const ref = host('web1')
  await powerOff(ref)
  disk = join(hostFolder(ref), 'disk')
  await mkdir(disk)
  await execText(['truncate', '--size=2G', join(folder, 'image')])
  await execText(['mkfs.ext4', '-q', join(folder, 'image')])
  await mountDisk()
  for (const name of files) {
    const at = join(hostFolder(ref), name)
    await execText(['cp', '--archive', at, join(disk, name)])
    await rename(at, `${at}.before`)
    await symlink(join(disk, name), at)
  }
  // The host itself is an old one: what it is made of is on the disk.
  await execText(['sync', '--file-system', disk])
  await powerOn(ref)
})
afterAll(async () => {
  await powerOff(host('web1')).catch(() => undefined) // it may be off
  await unmountDisk()
  await rm(folder, { recursive: true, force: true })
})

const mountDisk = () => execText(['mount', '-o', 'loop', join(folder, 'image'), disk])

/** Mounts of a host that has just ended take a moment to go. */
async function unmountDisk(): Promise<void> {
  for (let tries = 0; tries < 100 && (await exec(['mountpoint', '-q', disk])).code === 0; tries += 1) {
    if ((await exec(['umount', disk])).code !== 0) await sleep(100)
  }
}

// ext4's own way to stop at once, without writing out its journal: linux/ext4.h, EXT4_IOC_SHUTDOWN and
// EXT4_GOING_FLAGS_NOLOGFLUSH.
const shutdown = 'open(my $f, "<", $ARGV[0]) or die $!; my $how = pack("L", 2); ioctl($f, 0x8004587d, $how) // die $!'

/** From one moment to the next nothing more reaches the disk; then the host is off, and on again with what the disk has. */
async function cutPower(): Promise<void> {
  // First nobody hears from it any more: a kernel that goes on while its disk is gone may call a write done that is not.
  await cutNetwork(host('web1'))
  await execText(['perl', '-e', shutdown, disk])
  await powerOff(host('web1'))
  await unmountDisk()
  await mountDisk()
  await restoreNetwork(host('web1'))
  await powerOn(host('web1'))
}

const on = (...argv: string[]) => execOnHost(host('web1'), argv)

test(
  `${cuts} times, no write that was answered is lost`,
  async () => {
    const config = join(folder, 'config.yaml')
    await writeFile(config, 'security: { auth: none }\n')
    const words = ['--release', inject('builds').server1, '--config', config, '--inventory', lab().inventory]
    const env = { NETOPS_STATE_DIR: join(folder, 'state') }
    const deployed = await exec([inject('builds').netops, 'deploy', ...words, '--min-healthy-time', '500ms'], {
      env,
      timeoutMs: 120_000,
    })
    expect(deployed).toMatchObject({ code: 0 })
    // What a deployment brought is there for good when it says so.
    const { address } = host('web1')
    const clients = recordWriters({ host: address, port: 8080 }, 3000)
    for (let cut = 1; cut <= cuts; cut += 1) {
      expect(await clients.check(), `before cut ${cut}`).toEqual([])
      // A new file each time: what is written into an old one in its place, ext4 brings to the disk by itself.
      const unsynced = `${paths.dataDir}/unsynced-${cut}`
      expect((await on('sh', '-c', 'echo gone > "$1"', 'sh', unsynced)).code).toBe(0)
      let over: Promise<void> | undefined
      const enough = 400 * cut
      const count = await clients.write((done) => {
        if (done === enough) over = cutPower()
      })
      await over
      expect(count).toBeGreaterThanOrEqual(enough)
      // The cut was one: what nobody had brought to the disk is gone.
      expect((await on('cat', unsynced)).stdout).not.toContain('gone')
      await eventually(async () => {
        const answer = await fetch(`http://${address}:8080/health/ready`)
        expect(answer.status).toBe(200)
      })
    }
    expect(await clients.check(), 'after the last cut').toEqual([])
    expect((await on('ls', paths.dataDir)).stdout).toContain('state.db')
  },
  120_000 + cuts * 60_000,
)
