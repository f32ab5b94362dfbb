// What a deployment sends: on three systemd hosts, the first one and one of the next release.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import * as z from 'zod'
import { execOnHost } from '../../src/lab/host.ts'
import { hostPaths, releaseId } from '../../src/model/paths.ts'
import { formatBytes } from '../../src/model/units.ts'
import { exec } from '../../src/system/exec.ts'
import { sha256OfFile } from '../../src/system/files.ts'
import { configText } from '../support/fleet.ts'
import { useLab } from '../support/lab.ts'

const names = ['web1', 'web2', 'web3'] as const
const { lab, host } = useLab(...names)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-push-'))
  await writeFile(join(folder, 'config.yaml'), configText(1000))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const document = z.object({
  hosts: z.array(z.object({ host: z.string(), pushed: z.object({ bytes: z.number(), of: z.number() }) })),
})

/** Deploys, and returns what was sent to each host. */
async function deploy(release: string) {
  const { netops } = inject('builds')
  const words = ['--release', release, '--config', join(folder, 'config.yaml'), '--min-healthy-time', '1s', '--json']
  const env = { NETOPS_STATE_DIR: join(folder, 'state') }
  const begun = performance.now()
  const argv = [netops, 'deploy', '--inventory', lab().inventory, ...words]
  const { code, stdout, stderr } = await exec(argv, { env, timeoutMs: 200_000 })
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  const { hosts } = document.parse(JSON.parse(stdout))
  expect(hosts.map((entry) => entry.host)).toEqual(names)
  const sent = hosts.map(({ pushed }) => pushed.bytes)
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  console.log(
    `sent in ${seconds} s: ${sent.map(formatBytes).join(', ')} of ${formatBytes(hosts[0]?.pushed.of ?? 0)} each`,
  )
  console.log(
    stderr
      .split('\n')
      .filter((line) => line.includes(' sent'))
      .join('\n'),
  )
  return sent
}

async function expectInPlace(file: string, version: string): Promise<void> {
  const sha256 = await sha256OfFile(file)
  for (const name of names) {
    const path = `${hostPaths('/').releases}/${releaseId(version, sha256)}/network_server`
    expect((await execOnHost(host(name), ['sha256sum', path])).stdout.slice(0, 64)).toBe(sha256)
  }
}

test('a first deployment sends the Node that both executables share once', async () => {
  const { netops, server1 } = inject('builds')
  const largest = Math.max((await stat(netops)).size, (await stat(server1)).size)
  for (const bytes of await deploy(server1)) expect(bytes).toBeLessThan(1.15 * largest)
  await expectInPlace(server1, '1.0.0')
})

test('the next release sends less than 3% of itself', async () => {
  const { server2 } = inject('builds')
  const { size } = await stat(server2)
  for (const bytes of await deploy(server2)) expect(bytes).toBeLessThan(0.03 * size)
  await expectInPlace(server2, '1.1.0')
})
