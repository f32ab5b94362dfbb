// Backups of two hosts at once, over SSH: made by their own netops, listed, proven and compared from here, and found when damaged.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { execOnHost } from '../../src/lab/host.ts'
import type { BackupEntry } from '../../src/model/backup.ts'
import { hostPaths } from '../../src/model/paths.ts'
import { exec } from '../../src/system/exec.ts'
import { writeConfig } from '../support/fleet.ts'
import { useLab } from '../support/lab.ts'

const { lab, host } = useLab('web1', 'web2')
const { backups, catalogue } = hostPaths('/')

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-lab-backup-'))
  const { identity, knownHosts, hosts } = lab()
  const lines = hosts.map(({ name, address }) => `  ${name}: { address: ${address} }`)
  await writeFile(
    join(folder, 'netops.yml'),
    `ssh: { user: root, identity: ${identity}, known_hosts: ${knownHosts} }
hosts:
${lines.join('\n')}
backup: { compression: zstd, exclude: ['*.tmp'], keep: { within: 0s, last: 1 }, textfile: /var/lib/metrics }
`,
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface HostResult {
  readonly host: string
  readonly outcome?: string
  readonly backups?: readonly BackupEntry[]
  readonly [field: string]: unknown
}

async function netops(...words: string[]) {
  const argv = [inject('builds').netops, ...words, '--inventory', join(folder, 'netops.yml'), '--json']
  const env = { NETOPS_STATE_DIR: join(folder, 'state') }
  const { code, stdout } = await exec(argv, { env, timeoutMs: 120_000 })
  const document = JSON.parse(stdout) as { readonly hosts?: readonly HostResult[]; readonly error?: object }
  return { code, hosts: document.hosts ?? [], error: document.error }
}

const on = async (name: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await execOnHost(host(name), ['sh', '-c', script])
  expect({ name, script, code, stderr }).toMatchObject({ code: 0 })
  return stdout
}

test('two hosts are backed up at once, by units of their own, and proven', async () => {
  const config = await writeConfig(folder, 'config.yaml', 500)
  const deployed = ['deploy', '--config', config, '--release', inject('builds').server1]
  // On the other host there is only a configuration.
  expect(await netops(...deployed, '--min-healthy-time', '500ms', '--hosts', 'web1')).toMatchObject({ code: 0 })
  for (const name of ['web1', 'web2']) {
    await on(name, 'mkdir -p /etc/network_system /etc/network /var/lib/metrics && echo key > /etc/network/server.key')
    await on(name, 'chmod 600 /etc/network/server.key && echo x > /etc/network_system/left.tmp')
  }
  expect(await netops('backup', 'status')).toMatchObject({ code: 5, hosts: [{ behind: true }, { behind: true }] })
  const made = await netops('backup')
  expect(made).toMatchObject({ code: 0, hosts: [{ outcome: 'done' }, { outcome: 'done' }] })
  const listed = await netops('backup', 'list')
  for (const { host: name, backups: entries = [] } of listed.hosts) {
    const [entry] = entries
    expect(entry).toMatchObject({ compression: 'zstd', verified: { share: 1 }, damage: null })
    expect(entry?.dataSchema).toBe(name === 'web1' ? 2 : null)
    const modes = await on(name, `stat -c '%a %U' ${backups} ${backups}/* ${catalogue}/*`)
    expect(modes.trim().split('\n')).toEqual(['700 root', ...Array<string>(4).fill('600 root')])
    const names = await on(name, `zstd -dc ${backups}/${entry?.file} 2> /dev/null | tar -t || true`)
    if (names !== '') expect(names).toContain('etc/network/server.key')
    expect(names).not.toMatch(/left\.tmp|state\.db/)
    expect(await on(name, 'cat /var/lib/metrics/netops_backup.prom')).toContain('netops_backup_last_success')
  }
  expect(await netops('backup', 'status')).toMatchObject({ code: 0, hosts: [{ behind: false }, { behind: false }] })
})

test('what has changed since is seen from here, and the rules leave one', async () => {
  await on('web2', 'echo more >> /etc/network/server.key')
  const { code, hosts } = await netops('backup', 'diff')
  expect(code).toBe(0)
  expect(hosts[0]).toMatchObject({ host: 'web1', counts: { added: 0, removed: 0, changed: 0 } })
  expect(hosts[1]).toMatchObject({ host: 'web2', counts: { changed: 1 } })
  expect(hosts[1]?.differences).toMatchObject([{ kind: 'changed', name: 'etc/network/server.key' }])
  const again = await netops('backup', '--hosts', 'web2')
  expect(again).toMatchObject({ code: 0 })
  const [web2] = (await netops('backup', 'list', '--hosts', 'web2')).hosts
  expect(web2?.backups).toHaveLength(1)
})

test('damage on one host is named, and the other is whole', async () => {
  const [web1] = (await netops('backup', 'list', '--hosts', 'web1')).hosts
  const entry = web1?.backups?.[0]
  await on('web1', `printf X | dd of=${backups}/${entry?.file} bs=1 seek=600 conv=notrunc status=none`)
  const verified = await netops('backup', 'verify', '--all')
  expect(verified).toMatchObject({
    code: 9,
    hosts: [
      { host: 'web1', outcome: 'damaged', results: { verify: { damaged: [{ id: entry?.id }] } } },
      { host: 'web2', outcome: 'done' },
    ],
  })
  expect(await netops('backup', 'status')).toMatchObject({ code: 5, hosts: [{ behind: true }, { behind: false }] })
  // A rollback is not in its way, nor are locks.
  expect(await netops('lock', 'status')).toMatchObject({ code: 0 })
})
