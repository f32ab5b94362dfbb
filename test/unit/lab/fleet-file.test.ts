import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { removeFleetFiles, requireUnused, writeFleetFiles } from '../../../src/lab/fleet-file.ts'
import type { LabRecord } from '../../../src/lab/state.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-fleet-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const record = (): LabRecord => ({
  schema: 'netops/lab/v1',
  name: 'lab',
  created: '2026-01-02T03:04:05.000Z',
  out: folder,
  base: '/base',
  network: { link: 'nolab0', prefix: '10.40.77' },
  hosts: [
    { name: 'web1', address: '10.40.77.11', machine: 'h11' },
    { name: 'lb1', address: '10.40.77.12', machine: 'h12' },
  ],
  ready: true,
})
const keys = new Map([
  ['web1', 'ssh-ed25519 AAAA1 root@web1'],
  ['lb1', 'ssh-ed25519 AAAA2 root@lb1'],
])

describe('the files a lab is reached through', () => {
  test('name each host with its address, and pin its key', async () => {
    await writeFleetFiles(record(), keys)
    expect((await readFile(join(folder, 'netops.yml'), 'utf8')).split('\n').slice(1)).toEqual([
      `ssh: { user: root, identity: "${folder}/id_ed25519", known_hosts: "${folder}/known_hosts" }`,
      'hosts:',
      '  web1: { address: 10.40.77.11, roles: [backend] }',
      '  lb1: { address: 10.40.77.12, roles: [backend] }',
      '',
    ])
    expect(await readFile(join(folder, 'known_hosts'), 'utf8')).toBe(
      '10.40.77.11 ssh-ed25519 AAAA1 root@web1\n10.40.77.12 ssh-ed25519 AAAA2 root@lb1\n',
    )
  })

  test('go with the lab, and so does the folder when nothing else is in it', async () => {
    await writeFleetFiles(record(), keys)
    expect(await removeFleetFiles(record())).toBeUndefined()
    await expect(readdir(folder)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('stay where someone edited or added them', async () => {
    await writeFleetFiles(record(), keys)
    await writeFile(join(folder, 'netops.yml'), 'hosts: {}\n')
    await writeFile(join(folder, 'notes'), '')
    expect(await removeFleetFiles(record())).toBe(join(folder, 'netops.yml'))
    expect(await readdir(folder)).toEqual(['netops.yml', 'notes'])
  })

  test('never replace a fleet file, a key or known hosts', async () => {
    await writeFile(join(folder, 'notes'), '')
    await expect(requireUnused(folder)).resolves.toBeUndefined()
    await writeFile(join(folder, 'known_hosts'), '')
    await expect(requireUnused(folder)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('known_hosts') as string,
    })
  })
})
