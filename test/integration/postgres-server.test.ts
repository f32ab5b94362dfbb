// network_server with its records in PostgreSQL, through the executable: what a configuration, a client and an operator see.
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { findPostgres, startNetworkPostgres, type Postgres } from '../support/postgres.ts'
import {
  baseConfig,
  eventually,
  here,
  runToEnd,
  serverFile,
  startReady,
  useServers,
} from '../support/server-process.ts'

useServers()
const endurance = process.env.NETOPS_ENDURANCE === '1'
const programs = await findPostgres()

describe.skipIf(programs === undefined)('network_server with PostgreSQL', () => {
  let master: Postgres
  let replica: Postgres
  beforeAll(async () => {
    master = await startNetworkPostgres(programs ?? '')
    replica = await master.replica()
  })
  afterAll(async () => {
    await replica.stop()
    await master.stop()
  })

  const config = () =>
    [
      baseConfig(),
      `database: { driver: postgres, host: 127.0.0.1, port: ${master.port}, read_replicas: ["127.0.0.1:${replica.port}"] }`,
      '',
    ].join('\n')
  const migrate = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(
      serverFile(),
      ['migrate', '--config', join(here.root, 'config.yaml'), ...args],
      { encoding: 'utf8', env: {} },
    )
    return { status, lines: `${stdout}${stderr}`.trimEnd().split('\n') }
  }
  const ask = async (method: string, path: string, body?: string) => {
    const answer = await fetch(`http://127.0.0.1:${here.ports.server}${path}`, {
      method,
      ...(body === undefined ? {} : { body, headers: { 'Content-Type': 'application/json' } }),
    })
    return { status: answer.status, etag: answer.headers.get('etag'), body: await answer.text() }
  }

  it('is migrated by hand, and only told what would be done by a dry run', async () => {
    await writeFile(join(here.root, 'config.yaml'), config())
    const place = `127.0.0.1:${master.port}/network`
    const what = 'records, idempotency keys, the beats that replicas are measured by'
    const would = { status: 0, lines: [`${place}: would be migrated from data schema 0 to 2`, `  would add ${what}`] }
    expect(migrate('--dry-run')).toEqual(would)
    expect(migrate('--dry-run')).toEqual(would)
    expect(migrate()).toEqual({ status: 0, lines: [`${place}: migrated from data schema 0 to 2`, `  added ${what}`] })
    expect(migrate()).toEqual({ status: 0, lines: [`${place}: has data schema 2, nothing to migrate`] })
    const nowhere = migrate('--set', 'database.name=nowhere')
    expect(nowhere.status).toBe(1)
    expect(nowhere.lines[0]).toContain('the database does not exist')
  })

  it('serves records, is not ready while the master is away, and is again when it is back', async () => {
    const server = await startReady({ config: config() })
    const path = '/v1/records/people/ada'
    const made = await ask('PUT', path, '{"born":1815}')
    expect(made.status).toBe(201)
    expect(await ask('GET', path)).toMatchObject({ status: 200, body: '{"born":1815}', etag: made.etag })
    await server.logged(`read replica 127.0.0.1:${replica.port} is read from`)
    expect((await ask('GET', '/health/ready')).status).toBe(200)

    await master.halt()
    await eventually(async () => expect((await ask('GET', '/health/ready')).status).toBe(503))
    const refused = await ask('PUT', path, '{"born":1816}')
    expect(refused.status).toBe(503)
    expect(refused.body).toMatch(/the database cannot be reached|the database is starting or stopping/)
    expect(refused.body).not.toContain(`${master.port}`)

    await master.resume()
    await eventually(async () => expect((await ask('GET', '/health/ready')).status).toBe(200))
    expect((await ask('PUT', path, '{"born":1816}')).status).toBe(200)
    expect(await ask('GET', path)).toMatchObject({ status: 200, body: '{"born":1816}' })
    server.child.kill('SIGTERM')
    expect(await server.exit).toBe(0)
    await server.logged('the database can be used')

    await startReady({ config: config() })
    expect(await ask('GET', path)).toMatchObject({ status: 200, body: '{"born":1816}' })
  })

  it('takes no checkpoints, tells whoever asks for one, and is not told to lack them', async () => {
    await startReady({ config: config() })
    const reason = 'the state is in PostgreSQL, which takes its own copies: no checkpoint was taken'
    const hint = 'on the database server: pg_basebackup, or its archive of the write-ahead log'
    const own = runToEnd(['checkpoint', '--root', here.root])
    expect([own.status, own.stdout]).toEqual([1, ''])
    expect(own.stderr).toBe(`${reason}\n  hint: ${hint}\n`)
    await mkdir(join(here.root, 'usr/local/bin'), { recursive: true })
    await symlink(serverFile(), join(here.root, 'usr/local/bin/network_server'))
    const asked = spawnSync(inject('builds').netops, ['checkpoint', '--root', here.root], { encoding: 'utf8' })
    expect(asked.status).toBe(1)
    expect(asked.stdout).toContain(reason)
    expect(asked.stdout).toContain(hint)
    // An alert of checkpoints that are too old needs it.
    const metrics = await fetch(`http://127.0.0.1:${here.ports.metrics}/metrics`)
    expect(await metrics.text()).not.toMatch(/^network_checkpoint_interval_seconds /m)
  })

  it('answers many clients at once rightly, or tells them to come again', async () => {
    await startReady({
      config: config()
        .replace('server: { ', 'server: { max_connections: 2000, ')
        .replace('driver: postgres', 'driver: postgres, pool_size: 4, pool_min_idle: 1'),
    })
    const clients = Array.from({ length: endurance ? 1000 : 250 }, async (_, n) => {
      const path = `/v1/records/clients/${n}`
      const put = await ask('PUT', path, `${n}`)
      if (put.status === 503) return 'told'
      expect(put.status).toBe(201)
      const got = await ask('GET', path)
      if (got.status === 503) return 'told'
      expect(got).toMatchObject({ status: 200, body: `${n}`, etag: put.etag })
      return 'answered'
    })
    expect((await Promise.all(clients)).filter((end) => end === 'answered').length).toBeGreaterThan(clients.length / 2)
    expect((await ask('GET', '/health')).status).toBe(200)
  })

  it('killed under writes has all that it acknowledged', { timeout: 600_000 }, async () => {
    const rounds = endurance ? 50 : 1
    for (let round = 0; round < rounds; round += 1) {
      const server = await startReady({ config: config() })
      const accepted = new Map<string, number>()
      const writer = async (path: string): Promise<void> => {
        for (let n = 1; ; n += 1) {
          // Refused before it was answered: the server is gone.
          const answer = await ask('PUT', path, `${n}`).catch(() => undefined)
          if (answer === undefined) return
          expect([200, 201]).toContain(answer.status)
          accepted.set(path, n)
        }
      }
      const paths = Array.from({ length: 20 }, (_, n) => `/v1/records/killed/${round}-${n}`)
      const writers = Promise.all(paths.map(writer))
      const many = randomInt(100, 1000)
      await eventually(() => expect([...accepted.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(many))
      server.child.kill('SIGKILL')
      await writers
      const again = await startReady({ config: config() })
      for (const [path, n] of accepted) expect([`${n}`, `${n + 1}`]).toContain((await ask('GET', path)).body)
      again.child.kill('SIGKILL')
      await again.exit
    }
  })

  it('starts when the database is there, also where it comes later', async () => {
    await master.halt()
    const starting = startReady({ config: config() })
    await eventually(async () => {
      const { status } = await ask('GET', '/health/live')
      expect(status).toBe(200)
    })
    await master.resume()
    await starting
    expect((await ask('PUT', '/v1/records/people/bea', '1')).status).toBe(201)
  })
})
