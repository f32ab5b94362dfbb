import { createHmac, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { applyCommands } from '../../src/drivers/hosts/apply.ts'
import { connectLocal } from '../../src/drivers/hosts/local.ts'
import { connectSsh } from '../../src/drivers/hosts/ssh.ts'
import { start } from '../../src/system/exec.ts'
import { hostContract } from '../unit/drivers/hosts/contract.ts'
import { startSshd, type Sshd } from '../support/sshd.ts'

hostContract('no connection', () => Promise.resolve(connectLocal('web1')))

let folder: string
let shared: Sshd
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-sshd-'))
  shared = await startSshd(folder)
})
afterAll(async () => {
  await shared.stop()
  await rm(folder, { recursive: true, force: true })
})

hostContract('SSH', () => connectSsh(shared.target))

describe('a host key', () => {
  const body = randomBytes(32)
  const otherKey = `ssh-ed25519 ${Buffer.concat([Buffer.from('\0\0\0\x0bssh-ed25519\0\0\0\x20'), body]).toString('base64')}`
  const where = (): string => `[127.0.0.1]:${shared.port}`
  const connectWith = async (known: string) => {
    const knownHosts = join(folder, `known-${randomBytes(4).toString('hex')}`)
    await writeFile(knownHosts, known)
    const host = await connectSsh({ ...shared.target, knownHosts })
    await host.close()
  }

  test('that is on file under a hashed name is accepted', async () => {
    const salt = randomBytes(20)
    const digest = createHmac('sha1', salt).update(where()).digest('base64')
    await connectWith(`|1|${salt.toString('base64')}|${digest} ${shared.hostKey}\n`)
  })

  test.each([
    ['is unknown', () => '', 'is unknown: SHA256:'],
    ['is known for another port only', () => `[127.0.0.1]:1 ${shared.hostKey}\n`, 'is unknown: SHA256:'],
    ['has changed', () => `${where()} ${otherKey}\n`, 'is changed: it presents SHA256:'],
    [
      'is of another type than the one on file',
      () => `${where()} ssh-rsa AAAAB3NzaC1yc2E=\n`,
      'is changed: it presents SHA256:',
    ],
    [
      'is revoked',
      () => `${where()} ${shared.hostKey}\n@revoked * ${shared.hostKey}\n`,
      'is revoked: it presents SHA256:',
    ],
  ])('that %s is refused', async (_, known, message) => {
    await expect(connectWith(known())).rejects.toMatchObject({
      code: 'refused',
      host: 'web1',
      message: expect.stringContaining(message) as unknown,
    })
  })

  test('is asked for when there is no file of known hosts', async () => {
    const target = { ...shared.target, knownHosts: join(folder, 'none') }
    await expect(connectSsh(target)).rejects.toMatchObject({ code: 'refused' })
  })
})

describe('a host that cannot be reached', () => {
  let own: Sshd
  let place: string
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'netops-sshd-'))
    own = await startSshd(place)
  })
  afterEach(async () => {
    await own.stop()
    await rm(place, { recursive: true, force: true })
  })

  test('is named with how to try it by hand', async () => {
    await own.stop()
    await expect(connectSsh(own.target)).rejects.toMatchObject({
      code: 'unreachable',
      host: 'web1',
      hint: `try: ssh -p ${own.port} ${own.target.user}@127.0.0.1 true`,
    })
  })

  test('is one that does not accept the key, also when the agent is gone', async () => {
    await writeFile(join(place, 'authorized_keys'), '')
    for (const agent of [undefined, join(place, 'no agent')]) {
      const env = { ...process.env, SSH_AUTH_SOCK: agent }
      await expect(connectSsh(own.target, { env })).rejects.toMatchObject({ code: 'unreachable' })
    }
  })

  test('is reached with the key when the agent is gone', async () => {
    const host = await connectSsh(own.target, { env: { ...process.env, SSH_AUTH_SOCK: join(place, 'no agent') } })
    expect((await host.run(['true'])).code).toBe(0)
    await host.close()
  })

  test('is one without the private key: that is bad usage', async () => {
    const target = { ...own.target, identity: join(place, 'no key') }
    await expect(connectSsh(target)).rejects.toMatchObject({ code: 'usage' })
  })

  test('ends a command that runs when the connection is lost, and each one after', async () => {
    const host = await connectSsh(own.target)
    const started = Promise.withResolvers<string>()
    const running = host.run(['sh', '-c', 'echo started; exec sleep 30'], { onLine: started.resolve })
    await started.promise
    for (const pid of await own.connections()) process.kill(pid, 'SIGKILL')
    const begun = performance.now()
    await expect(running).rejects.toMatchObject({ code: 'unreachable', host: 'web1' })
    await expect(host.run(['true'])).rejects.toMatchObject({ code: 'unreachable' })
    expect(performance.now() - begun).toBeLessThan(5000)
    await host.close()
  })

  test('leaves out what was to follow in the same call when the connection is lost', async () => {
    const [first, second] = [join(place, 'first'), join(place, 'second')]
    const host = await connectSsh(own.target)
    // What a lost connection leaves behind takes a moment, and then sees that nobody waits for it.
    const slow = `exec > '${first}'; sleep 1; echo ended`
    const running = applyCommands(host, [{ argv: ['sh', '-c', slow] }, { argv: ['touch', second] }])
    running.catch(() => undefined)
    await expect.poll(() => existsSync(first)).toBe(true)
    for (const pid of await own.connections()) process.kill(pid, 'SIGKILL')
    await expect(running).rejects.toMatchObject({ code: 'unreachable' })
    await expect.poll(() => readFile(first, 'utf8'), { timeout: 10_000 }).toBe('ended\n')
    await sleep(200)
    expect(existsSync(second)).toBe(false)
    await host.close()
  })

  test('leaves out what was to follow in the same call when netops itself is killed', async () => {
    const [first, second] = [join(place, 'killed-first'), join(place, 'killed-second')]
    const script = join(place, 'netops.ts')
    const drivers = join(import.meta.dirname, '../../src/drivers/hosts')
    const slow = `exec > '${first}'; sleep 1; echo ended`
    const commands = [{ argv: ['sh', '-c', slow] }, { argv: ['touch', second] }]
    await writeFile(
      script,
      [
        `import { applyCommands } from '${drivers}/apply.ts'`,
        `import { connectLocal } from '${drivers}/local.ts'`,
        `await applyCommands(connectLocal('web1'), ${JSON.stringify(commands)})`,
      ].join('\n'),
    )
    const { pid, ended } = await start([process.execPath, script], { output: join(place, 'said') })
    await expect.poll(() => existsSync(first), { timeout: 20_000 }).toBe(true)
    process.kill(pid, 'SIGKILL')
    expect(await ended).toBe(137)
    await expect.poll(() => readFile(first, 'utf8'), { timeout: 10_000 }).toBe('ended\n')
    await sleep(200)
    expect(existsSync(second)).toBe(false)
  })

  test('ends a command that is being fed when the connection is lost', async () => {
    await writeFile(join(place, 'big'), Buffer.alloc(50_000_000))
    const host = await connectSsh(own.target)
    const started = Promise.withResolvers<string>()
    const feeding = host.run(['sh', '-c', 'echo started; exec sleep 30'], {
      stdin: { file: join(place, 'big') },
      onLine: started.resolve,
    })
    await started.promise
    for (const pid of await own.connections()) process.kill(pid, 'SIGKILL')
    await expect(feeding).rejects.toMatchObject({ code: 'unreachable' })
    await host.close()
  })
})
