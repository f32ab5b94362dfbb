// A host that has lost its configuration and its data is restored over SSH while another one serves, and both are drilled.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { execOnHost } from '../../src/lab/host.ts'
import { exec } from '../../src/system/exec.ts'
import { configText, servedBy, unitOf } from '../support/fleet.ts'
import { useLab } from '../support/lab.ts'

const { lab, host } = useLab('web1', 'web2')
const quick = ['--min-healthy-time', '500ms', '--healthy-deadline', '30s']

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-lab-restore-'))
  const { identity, knownHosts, hosts } = lab()
  const lines = hosts.map(({ name, address }) => `  ${name}: { address: ${address} }`)
  await writeFile(join(folder, 'config.yaml'), `${configText(500)}security: { auth: none }\n`)
  await writeFile(
    join(folder, 'netops.yml'),
    `config: { file: config.yaml }
ssh: { user: root, identity: ${identity}, known_hosts: ${knownHosts} }
hosts:
${lines.join('\n')}
`,
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function netops(...words: string[]) {
  const argv = [inject('builds').netops, ...words, '--inventory', join(folder, 'netops.yml'), '--json']
  const env = { NETOPS_STATE_DIR: join(folder, 'state') }
  const { code, stdout } = await exec(argv, { env, timeoutMs: 240_000 })
  const document = JSON.parse(stdout) as Readonly<Record<string, unknown>>
  return { code, ...document }
}

const on = async (name: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await execOnHost(host(name), ['bash', '-c', script])
  expect({ name, script, code, stderr }).toMatchObject({ code: 0 })
  return stdout
}

/** Sends a request to the service of a host, from the host itself; returns what came. */
const send = (name: string, request: string): Promise<string> =>
  on(name, `exec 3<>/dev/tcp/127.0.0.1/8080; printf '${request}' >&3; timeout 10 cat <&3`)
const put = (name: string, value: string): Promise<string> => {
  const body = JSON.stringify(value)
  const head = 'PUT /v1/records/things/one HTTP/1.0\\r\\nContent-Type: application/json\\r\\n'
  return send(name, `${head}Content-Length: ${body.length}\\r\\n\\r\\n${body}`)
}
const recordOn = async (name: string): Promise<string> =>
  (await send(name, 'GET /v1/records/things/one HTTP/1.0\\r\\n\\r\\n')).trim().split('\n').at(-1) ?? ''

test('what was lost is brought back, with its owners, while the other host goes on', async () => {
  expect(await netops('deploy', ...quick, '--release', inject('builds').server1)).toMatchObject({ code: 0 })
  for (const name of ['web1', 'web2']) expect(await put(name, 'before')).toContain(' 201 ')
  expect(await netops('backup')).toMatchObject({ code: 0 })
  await put('web1', 'after')
  const owners =
    'stat -c "%U:%G %a %n" /etc/network_system/config.yaml /var/lib/network_system /var/lib/network_system/checkpoints'
  const before = await on('web1', owners)
  const [other, served] = [await unitOf(host('web2')), await servedBy(host('web2'))]

  await on(
    'web1',
    'systemctl stop network_service.socket network_service.service; rm -rf /etc/network_system /var/lib/network_system',
  )
  expect(await netops('restore', '--hosts', 'web1', '--dry-run')).toMatchObject({ code: 0 })
  const restored = await netops('restore', '--hosts', 'web1', '--yes', ...quick)
  expect(restored).toMatchObject({ code: 0, hosts: [{ host: 'web1', outcome: 'done' }] })
  expect(await on('web1', owners)).toBe(before)
  expect(await recordOn('web1')).toBe('"before"')
  expect(await servedBy(host('web1'))).toMatchObject({ answering: served.answering })
  expect(await on('web1', 'find / -xdev -name ".netops-restore-*" 2> /dev/null | wc -l')).toBe('0\n')
  expect(await unitOf(host('web2'))).toEqual(other)
  expect(await recordOn('web2')).toBe('"before"')
})

test('a damaged configuration and newer records are taken back; what cannot be healthy is not left in place', async () => {
  await put('web1', 'after')
  await on('web1', 'echo "broken: [" > /etc/network_system/config.yaml')
  expect(await netops('restore', '--hosts', 'web1', '--yes', '--only', 'config', ...quick)).toMatchObject({ code: 0 })
  expect(await recordOn('web1')).toBe('"after"')
  expect(await netops('restore', '--hosts', 'web1', '--yes', ...quick)).toMatchObject({ code: 0 })
  expect(await recordOn('web1')).toBe('"before"')
})

test('both hosts are drilled, and their services do not hear of it', async () => {
  const before = [await unitOf(host('web1')), await unitOf(host('web2'))]
  const drilled = await netops('backup', 'drill')
  expect(drilled).toMatchObject({
    code: 0,
    drills: [
      { host: 'web1', met: true, records: { checkpoint: 1, restored: 1 } },
      { host: 'web2', met: true, records: { checkpoint: 1, restored: 1 } },
    ],
  })
  expect([await unitOf(host('web1')), await unitOf(host('web2'))]).toEqual(before)
  expect(await on('web1', 'ls /var/tmp')).not.toContain('netops-drill')
})
