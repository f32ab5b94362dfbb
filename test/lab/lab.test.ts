// The rehearsal fleet itself: that its hosts are real, that its faults bite, and that it leaves nothing behind.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { labDown } from '../../src/cli/commands/lab-down.ts'
import { rendered } from '../../src/cli/painted.ts'
import { labExec } from '../../src/cli/commands/lab-exec.ts'
import { labList } from '../../src/cli/commands/lab-list.ts'
import { labUp } from '../../src/cli/commands/lab-up.ts'
import type { CommandContext } from '../../src/cli/command.ts'
import { cutNetwork, powerOff, powerOn, restoreNetwork } from '../../src/lab/faults.ts'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import { startLab, stopLab } from '../../src/lab/lab.ts'
import { labFolder } from '../../src/lab/state.ts'
import type { Lab } from '../../src/lab/lab.ts'
import { exec, execText, start } from '../../src/system/exec.ts'
import { contextFor } from '../support/context.ts'
import { tracesOf, uniqueLabName, useLab } from '../support/lab.ts'

const { lab, host } = useLab('web1', 'web2')

const on = async (name: string, ...argv: string[]) => execOnHost(host(name), argv)

/** A login over the network as a fleet procedure does it: the lab's key, only its known hosts. */
const login = async (name: string, command: string, fleet: Lab = lab()) => {
  const address = fleet.hosts.find((candidate) => candidate.name === name)?.address ?? ''
  const options = [
    `UserKnownHostsFile=${fleet.knownHosts}`,
    'StrictHostKeyChecking=yes',
    'BatchMode=yes',
    'ConnectTimeout=2',
  ]
  const words = options.flatMap((option) => ['-o', option])
  return exec(['ssh', '-F', 'none', '-i', fleet.identity, ...words, `root@${address}`, command])
}

/** Asks another host's sshd for its greeting, without any key. */
const greet = async (from: string, to: string) =>
  on(from, 'timeout', '2', 'bash', '-c', 'exec 3<>"/dev/tcp/$1/22"; head -n 1 <&3', 'greet', to)

describe('a host of the lab', () => {
  test.each(['web1', 'web2'])('%s runs systemd as process 1, with every unit started', async (name) => {
    expect((await on(name, 'cat', '/proc/1/comm')).stdout).toBe('systemd\n')
    expect((await on(name, 'systemctl', 'is-system-running')).stdout).toBe('running\n')
    expect((await on(name, 'hostname')).stdout).toBe(`${name}\n`)
  })

  test('lets root in with the key and the known hosts that the fleet file names, and with nothing else', async () => {
    expect(await login('web1', 'id -un')).toMatchObject({ code: 0, stdout: 'root\n' })
    const stranger = await exec([
      'ssh',
      '-F',
      'none',
      '-i',
      '/dev/null',
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      `root@${host('web1').address}`,
      'true',
    ])
    expect(stranger).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('Permission denied (publickey)') as string,
    })
  })

  test('has an ed25519 key and a machine id of its own', async () => {
    const known = (await readFile(lab().knownHosts, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
    expect(known.map(([address, type]) => [address, type])).toEqual(
      lab().hosts.map(({ address }) => [address, 'ssh-ed25519']),
    )
    expect(new Set(known.map(([, , key]) => key)).size).toBe(2)
    const ids = await Promise.all(
      ['web1', 'web2'].map(async (name) => (await on(name, 'cat', '/etc/machine-id')).stdout),
    )
    expect(new Set(ids).size).toBe(2)
    expect(ids.every((id) => /^[0-9a-f]{32}\n$/.test(id))).toBe(true)
  })

  test('starts without netops and without Node, with sudo and ps', async () => {
    const found = await on('web1', 'sh', '-c', 'for name in node netops sudo ps; do command -v $name; done')
    expect(found.stdout).toBe('/usr/bin/sudo\n/usr/bin/ps\n')
  })

  test('reaches the others by address and by name', async () => {
    expect((await greet('web1', host('web2').address)).stdout).toMatch(/^SSH-2.0/)
    expect((await greet('web2', 'web1')).stdout).toMatch(/^SSH-2.0/)
  })

  test('reaches the others although the machine drops what bridges forward', async () => {
    const [table, subnet] = [lab().name.replace('-', '_'), host('web1').address.replace(/\d+$/, '0/24')]
    onTestFinished(async () => {
      await execText(['nft', 'delete', 'table', 'ip', table])
    })
    const chain = `{ type filter hook forward priority 0; ip saddr ${subnet} counter drop; }`
    await execText(['nft', '-f', '-'], { stdin: { text: `table ip ${table} {\n chain forwarded ${chain}\n}\n` } })
    expect((await greet('web1', 'web2')).stdout).toMatch(/^SSH-2.0/)
  })

  test('shows its files to this machine, without proc, sys and run', async () => {
    await on('web1', 'sh', '-c', 'echo here > /srv/file')
    const root = await hostRoot(host('web1'))
    expect(await readFile(join(root, 'srv/file'), 'utf8')).toBe('here\n')
    expect(readdirSync(join(root, 'proc'))).toEqual([])
  })
})

describe('a fault', () => {
  test('cut: nothing gets to or from the host until it is restored, and the host goes on', async () => {
    await cutNetwork(host('web2'))
    expect((await greet('web1', 'web2')).code).toBe(124)
    expect((await greet('web2', 'web1')).code).toBe(124)
    expect((await login('web2', 'true')).code).toBe(255)
    expect((await on('web2', 'hostname')).stdout).toBe('web2\n')
    await restoreNetwork(host('web2'))
    expect((await greet('web1', 'web2')).stdout).toMatch(/^SSH-2.0/)
  })

  test('power off: the host is gone at once, and comes back with its files and its key', async () => {
    await on('web2', 'sh', '-c', 'echo kept > /srv/kept && systemd-run --unit=busy sleep 1000')
    await powerOff(host('web2'))
    await expect(on('web2', 'true')).rejects.toMatchObject({ code: 'unreachable', host: 'web2' })
    expect((await login('web2', 'true')).code).toBe(255)
    await powerOn(host('web2'))
    expect(await login('web2', 'cat /srv/kept; systemctl is-active busy')).toMatchObject({ stdout: 'kept\ninactive\n' })
  })
})

describe('the lab commands', () => {
  test('list shows the lab, its hosts, their addresses and their state', async () => {
    const { data } = await labList.run({ options: {}, args: [] }, contextOf())
    const labs = data.labs as { name: string }[]
    expect(labs.find(({ name }) => name === lab().name)).toEqual({
      name: lab().name,
      state: 'running',
      out: join(lab().inventory, '..'),
      hosts: lab().hosts.map(({ name, address }) => ({ name, address, state: 'running' })),
    })
  })

  test('exec gives the command its words as they are, streams its output and mirrors its exit code', async () => {
    const lines: string[] = []
    const words = ['web1', 'sh', '-c', 'printf "%s\\n" "$@"; exit 3', 'sh', 'two words', '$HOME', "it's; exit"]
    const context = contextOf({ write: (line) => void lines.push(rendered(line)) })
    const result = await labExec.run({ options: { name: lab().name }, args: words }, context)
    expect(lines).toEqual(['two words', '$HOME', "it's; exit"])
    expect(result).toMatchObject({ outcome: 'failed', data: { host: 'web1', code: 3 } })
  })

  test('exec on a host that does not exist names those that do', async () => {
    const unknown = labExec.run({ options: { name: lab().name }, args: ['web9', 'true'] }, contextOf())
    await expect(unknown).rejects.toMatchObject({ code: 'usage', hint: 'its hosts: web1, web2' })
  })

  test('up refuses a name that is taken and says how to free it', async () => {
    const again = labUp.run({ options: { name: lab().name, hosts: '1' }, args: [] }, contextOf())
    await expect(again).rejects.toMatchObject({
      code: 'refused',
      hint: expect.stringContaining(`netops lab down --name ${lab().name}`) as string,
    })
  })

  test('up refuses to replace a fleet file that is already there', async () => {
    const out = join(lab().inventory, '..')
    const over = labUp.run({ options: { name: uniqueLabName(), hosts: '1', out }, args: [] }, contextOf())
    await expect(over).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('netops.yml') as string,
    })
  })

  test('down of a lab that does not exist says so and is no failure', async () => {
    const result = await labDown.run({ options: { name: uniqueLabName() }, args: [] }, contextOf())
    expect(result).toMatchObject({ outcome: 'done', data: { found: false } })
  })
})

describe('a second lab', () => {
  test('runs beside the first under the same host names, and leaves nothing but the first', async () => {
    const { name, out } = await place()
    const before = await tracesOf(name)
    const second = await startLab({ name, hosts: ['web1'], out })
    expect(second.hosts[0]?.address).not.toBe(host('web1').address)
    expect((await login('web1', 'hostname', second)).stdout).toBe('web1\n')
    await stopLab(name)
    expect(await tracesOf(name)).toEqual(before)
    expect(existsSync(out)).toBe(false)
    expect((await login('web1', 'hostname')).stdout).toBe('web1\n')
  })

  test('is removed also when its hosts were killed from outside', async () => {
    const { name, out } = await place()
    const before = await tracesOf(name)
    await startLab({ name, hosts: ['web1'], out })
    process.kill(keeperOf(name, 'web1') ?? NaN, 'SIGKILL')
    await expect.poll(async () => (await statusOf(name))?.state).toBe('dead')
    const again = startLab({ name, hosts: ['web1'], out })
    await expect(again).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('web1 not running') as string,
    })
    await stopLab(name)
    expect(await tracesOf(name)).toEqual(before)
  })

  test('is removed, and keeps no other from being listed, when its files are damaged', async () => {
    const { name, out } = await place()
    const before = await tracesOf(name)
    await startLab({ name, hosts: ['web1'], out })
    const record = join(labFolder(name), 'lab.json')
    await writeFile(record, '')
    await writeFile(join(labFolder(name), 'hosts', 'web1', 'keeper.json'), '{"pid":')
    const listed = await labList.run({ options: {}, args: [] }, contextOf())
    expect(listed.text).toContain(
      `${name}  dead  ${record} is damaged: it is empty\n  hint: remove the lab: netops lab down --name ${name}`,
    )
    expect(listed.text).toContain(`${lab().name}  running`)
    await stopLab(name)
    expect(await tracesOf(name)).toEqual(before)
  })

  test('whose host dies while it boots fails with what the console said, and leaves nothing', async () => {
    const { name, out } = await place()
    const before = await tracesOf(name)
    const starting = startLab({ name, hosts: ['web1'], out })
    const failed = expect(starting).rejects.toMatchObject({
      code: 'failed',
      host: 'web1',
      hint: expect.stringContaining('console') as string,
    })
    process.kill(await until(() => keeperOf(name, 'web1')), 'SIGKILL')
    await failed
    expect(await tracesOf(name)).toEqual(before)
    expect(existsSync(out)).toBe(false)
  })

  test('keeps a fleet file that was edited', async () => {
    const { name, out } = await place()
    const { inventory } = await startLab({ name, hosts: ['web1'], out })
    await exec(['sed', '-i', '$a # edited', inventory])
    expect(await stopLab(name)).toEqual({ found: true, kept: inventory })
    expect(readdirSync(out)).toEqual(['netops.yml'])
  })

  test('whose start is interrupted removes itself and exits with 130', async () => {
    const { name, out } = await place()
    const before = await tracesOf(name)
    const up = await startUp(name, out)
    await until(() => keeperOf(name, 'web2'))
    process.kill(up.pid, 'SIGINT')
    expect(await up.ended).toBe(130)
    expect(await tracesOf(name)).toEqual(before)
    expect(existsSync(out)).toBe(false)
  })

  test.each([
    [
      'has its network',
      (name: string) => readFileSync('/proc/self/mounts', 'utf8').includes(`${name}/net`) || undefined,
    ],
    ['has begun to lay out a host', (name: string) => existsSync(`${folderOf(name)}/hosts/web2/upper`) || undefined],
    ['has started its first host', (name: string) => keeperOf(name, 'web1')],
    ['has started its last host', (name: string) => keeperOf(name, 'web2')],
  ])('whose start is killed when it %s is removed by down without a trace', async (_, reached) => {
    const { name, out } = await place()
    const before = await tracesOf(name)
    const up = await startUp(name, out)
    await until(() => reached(name))
    process.kill(up.pid, 'SIGKILL')
    expect(await up.ended).toBe(137)
    expect(await statusOf(name)).toMatchObject({ name, state: 'dead' })
    expect(await stopLab(name)).toMatchObject({ found: true })
    expect(await tracesOf(name)).toEqual(before)
    expect(existsSync(out)).toBe(false)
  })
})

const contextOf = (changes: Partial<CommandContext> = {}) => contextFor({ cwd: tmpdir(), ...changes })

/** A name and an out folder for one more lab, both gone after the test. */
async function place(): Promise<{ name: string; out: string }> {
  const name = uniqueLabName()
  const folder = await mkdtemp(join(tmpdir(), 'netops-lab-'))
  onTestFinished(async () => {
    await stopLab(name)
    await rm(folder, { recursive: true, force: true })
  })
  return { name, out: join(folder, 'fleet') }
}

const folderOf = (name: string): string => `/var/lib/netops-lab/${name}`

function keeperOf(name: string, hostName: string): number | undefined {
  const file = `${folderOf(name)}/hosts/${hostName}/keeper.json`
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid : undefined
}

async function statusOf(name: string) {
  const { data } = await labList.run({ options: {}, args: [] }, contextOf())
  return (data.labs as { name: string; state: string }[]).find((candidate) => candidate.name === name)
}

async function until<T>(probe: () => T | undefined): Promise<T> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const value = probe()
    if (value !== undefined) return value
    if (Date.now() > deadline) throw new Error('it did not happen within a minute')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** `netops lab up` in a process of its own, for killing. */
const startUp = async (name: string, out: string) => {
  const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
  const words = ['lab', 'up', '--name', name, '--hosts', 'web1,web2', '--out', out]
  return start([process.execPath, main, ...words], { output: '/dev/null' })
}
