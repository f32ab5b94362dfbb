// A fleet file that is a link, as the commands see it: where its paths lead, and what is said where they lead nowhere.
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { fakeConnections } from '../../support/fake-hosts.ts'
import { runCommand } from '../../support/run-in-process.ts'

let top = ''
beforeEach(async () => {
  const made = await realpath(await mkdtemp(join(tmpdir(), 'netops-linked-')))
  top = made
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  await mkdir(join(top, 'real', 'keys'), { recursive: true })
  await mkdir(join(top, 'here'))
})

const put = (name: string, text: string): Promise<void> => writeFile(join(top, name), text)
const host = 'hosts: { web1: { address: 10.0.0.1 } }\n'
const validate = (file: string) => runCommand(['config', 'validate', file], { cwd: join(top, 'here') })

/** The fleet file lies in `real`, and is reached by a link in `here`. */
async function linked(text: string): Promise<void> {
  await put('real/netops.yml', host + text)
  await symlink('../real/netops.yml', join(top, 'here', 'netops.yml'))
}

describe('a fleet file that is a link', () => {
  test('has its paths read beside the link', async () => {
    await linked('config: { file: config.yaml }\n')
    await put('here/config.yaml', 'server: { port: 81 }\nsecurity: { auth: none }\n')
    await put('real/config.yaml', 'server: { port: nonsense }\n')
    expect(await validate('netops.yml')).toMatchObject({ exit: 0, stdout: 'netops.yml: valid\n' })
    const shown = await runCommand('config show --host web1', { cwd: join(top, 'here') })
    expect(shown).toMatchObject({ exit: 0, stdout: expect.stringContaining('port: 81') as string })
  })

  test.each([
    ['config.file', 'config: { file: config.yaml }', 'config.yaml'],
    ['ssh.identity', 'ssh: { identity: keys/id }', 'keys/id'],
    ['ssh.known_hosts', 'ssh: { known_hosts: keys/kh }', 'keys/kh'],
    ['ssh.become_password.file', 'ssh: { become_password: { file: keys/pw } }', 'keys/pw'],
    ['groups.edge.ssh.identity', 'groups: { edge: { hosts: [web1], ssh: { identity: keys/id } } }', 'keys/id'],
    ['files[0].from.file', 'files: [{ from: { file: keys/tls }, to: /etc/network/tls }]', 'keys/tls'],
    ['hosts_from.command[0]', 'hosts_from: { command: [./hosts.sh] }', 'hosts.sh'],
    ['hooks.pre_deploy[0]', 'hooks: { pre_deploy: [./check.sh, now] }', 'check.sh'],
    ['hooks.pre_deploy[1][0]', 'hooks: { pre_deploy: [[true], [./check.sh]] }', 'check.sh'],
  ])('is told where only what it links to has the file of %s', async (key, text, name) => {
    await linked(`${text.replace('[true]', '["true"]')}\n`)
    await put(`real/${name}`, 'x: 1\n')
    const said = `${key}: there is no ${join(top, 'here', name)}; netops.yml is a link, and its paths are read beside the link. There is ${join(top, 'real', name)}: name that, or link it there too`
    expect(await validate('netops.yml')).toMatchObject({ exit: 2, stdout: expect.stringContaining(said) as string })
    const connections = fakeConnections({ web1: {} })
    const listed = await runCommand('inventory list', { cwd: join(top, 'here'), connections })
    expect(listed).toMatchObject({ exit: 2, stderr: expect.stringContaining(said) as string })
  })

  test('is no matter where the file is in neither place, or the folder alone is a link', async () => {
    await linked('config: { file: config.yaml }\n')
    expect((await validate('netops.yml')).stdout).toContain('config.file: cannot be read: ENOENT')
    await symlink('../real', join(top, 'here', 'folder'))
    await put('real/config.yaml', 'server: { port: 81 }\n')
    expect(await validate('folder/netops.yml')).toMatchObject({ exit: 0 })
  })
})
