// TLS to PostgreSQL: what is trusted and what is not, and that nothing is said in the clear where TLS is required.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificate, type Pair } from '../support/certificates.ts'
import { openStore, put, readFromReplicas, reasonFor, settingsFor, type Opened } from '../support/postgres-store.ts'
import { findPostgres, startPostgres, type Postgres } from '../support/postgres.ts'
import {
  ask,
  baseConfig,
  eventually,
  here,
  runToEnd,
  start,
  startReady,
  useServers,
} from '../support/server-process.ts'
import { storeContract } from '../support/store-contract.ts'
import { tcpRelay } from '../support/tcp-relay.ts'

const programs = await findPostgres()
const one = { collection: 'things', key: 'one' }
const notTrusted = 'the certificate of the database is not trusted'

describe.skipIf(programs === undefined)('a PostgreSQL that speaks TLS', () => {
  useServers()
  let folder = ''
  let master: Postgres
  let replica: Postgres
  let ours: Pair
  let others: Pair
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'netops-store-'))
    ours = makeCertificate(folder, 'ours', { ca: true })
    others = makeCertificate(folder, 'others', { ca: true })
    master = await startPostgres(programs ?? '')
    await serveBy(makeCertificate(folder, 'database', { by: ours }))
    replica = await master.replica()
  })
  afterAll(async () => {
    await replica.stop()
    await master.stop()
    await rm(folder, { recursive: true })
  })

  /** The certificate that the server shows from now on. */
  const serveBy = async (pair: Pair): Promise<void> => {
    await master.write('server.crt', await readFile(pair.cert, 'utf8'))
    await master.write('server.key', await readFile(pair.key, 'utf8'))
    await master.configure('ssl = on\n')
    // A reload is done when the server has read it.
    await eventually(async () => expect(await master.sql('SHOW ssl')).toEqual([{ ssl: 'on' }]))
  }
  const open = (database: Readonly<Record<string, unknown>>, port = master.port): Opened =>
    openStore(settingsFor(port, database))
  const trusting = (pair: Pair) => ({ ssl_ca_file: pair.cert })
  /** Of the connections of servers, how many are encrypted and how many are not. */
  const connections = async (postgres: Postgres) => {
    const rows = await postgres.sql(
      "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'network_server'",
    )
    return { tls: rows.filter(({ ssl }) => ssl === true).length, plain: rows.filter(({ ssl }) => ssl !== true).length }
  }
  const failureOf = async (opened: Opened) => {
    const reason = await reasonFor(opened.store.get(one))
    return [reason, opened.notices.find(({ level }) => level === 'warn')?.reason]
  }

  it('is used by TLS alone, master and replica, where its authority is named', async () => {
    await using opened = open({ ...trusting(ours), read_replicas: [`127.0.0.1:${replica.port}`] })
    await opened.store.write(put('one', '1'))
    await readFromReplicas(opened, 1)
    expect(await opened.store.get(one)).toMatchObject({ value: '1' })
    for (const postgres of [master, replica]) {
      const { tls, plain } = await connections(postgres)
      expect([tls > 0, plain]).toEqual([true, 0])
    }
  })

  it('is not used where another authority is named, or its certificate is for another name', async () => {
    await using stranger = open(trusting(others))
    expect(await failureOf(stranger)).toEqual([
      notTrusted,
      expect.stringMatching(/self.signed certificate in|local issuer|first certificate/),
    ])
    // The certificate is for 127.0.0.1 alone.
    await using named = open({ ...trusting(ours), host: 'localhost' })
    expect(await failureOf(named)).toEqual([
      notTrusted,
      expect.stringContaining("does not match certificate's altnames"),
    ])
    await using replicated = open({ ...trusting(ours), read_replicas: [`localhost:${replica.port}`] })
    await eventually(() =>
      expect(replicated.notices.map(({ message, reason }) => [message, reason])).toContainEqual([
        `read replica localhost:${replica.port} is left out`,
        expect.stringContaining(`${notTrusted}: `),
      ]),
    )
  })

  it('is used by TLS with whoever answers where TLS is required and nothing more', async () => {
    await using opened = open({ ssl_mode: 'require', host: 'localhost' })
    await opened.store.write(put('one', '2'))
    const { tls, plain } = await connections(master)
    expect([tls > 0, plain]).toEqual([true, 0])
  })

  it('is asked by whom the file names at the time, and by nobody where the file names none', async () => {
    const file = join(folder, 'authorities')
    await writeFile(file, '')
    await using opened = open({ ssl_ca_file: file })
    expect(await failureOf(opened)).toEqual([
      'the authorities of the certificate of the database cannot be read',
      'it holds no certificate in PEM form',
    ])
    await writeFile(file, await readFile(ours.cert))
    await eventually(() => opened.store.write(put('one', '3')))
  })

  it('breaks off, falls silent and comes back as without TLS', async () => {
    const relay = await tcpRelay(master.port)
    await using opened = open({ ...trusting(ours), pool_connect_timeout: '2s' }, relay.port)
    await eventually(() => opened.store.write(put('one', '4')))
    relay.lead(master.port, 'break')
    await eventually(async () => expect(await reasonFor(opened.store.write(put('one', '5')))).toBeUndefined())
    relay.swallow(true)
    expect(await reasonFor(opened.store.get(one))).toMatch(/does not answer in time|in use|cannot be reached|broke/)
    relay.swallow(false)
    relay.lead(master.port, 'break')
    await eventually(async () => expect(await reasonFor(opened.store.write(put('one', '6')))).toBeUndefined())
    relay.stop()
  })

  storeContract('PostgreSQL over TLS', () => Promise.resolve(open(trusting(ours)).store))

  describe('for the executable', () => {
    const config = () =>
      `${baseConfig()}database: { driver: postgres, host: 127.0.0.1, port: ${master.port}, name: postgres, user: postgres, ssl_ca_file: /ca.crt }\n`
    const authority = () => join(here.root, 'ca.crt')
    const told = (command: string) =>
      runToEnd([command, '--config', join(here.root, 'config.yaml'), '--root', here.root])

    it('is there where its authority is named, and the records come over TLS', async () => {
      await writeFile(authority(), await readFile(ours.cert))
      await startReady({ config: config() })
      expect((await ask('/v1/records/things/none')).status).toBe(404)
      const { tls, plain } = await connections(master)
      expect([tls > 0, plain]).toEqual([true, 0])
    })

    it('is not used where another authority is named, and all say why', async () => {
      await writeFile(authority(), await readFile(others.cert))
      const server = await start({ config: config() })
      expect(await server.logged(notTrusted)).toMatchObject({ level: 'WARN' })
      await eventually(async () => expect((await ask('/health/ready')).status).toBe(503))
      const migrated = told('migrate')
      expect(migrated.status).toBe(1)
      expect(migrated.stderr).toContain(`/postgres: ${notTrusted}: `)
      expect((await connections(master)).plain).toBe(0)
    })

    it('is not begun with where the file of its authority is not good', async () => {
      const line = `database.ssl_ca_file: ${authority()}: it holds no certificate in PEM form\n`
      await writeFile(authority(), 'none')
      const server = await start({ config: config() })
      expect([await server.exit, server.errors()]).toEqual([2, line])
      expect(told('--check-config')).toMatchObject({ status: 2, stderr: line })
    })
  })

  it('is not used by TLS that it does not speak, and nobody logs in without', async () => {
    const plain = await startPostgres(programs ?? '')
    try {
      for (const database of [{ ssl_mode: 'require' }, trusting(ours)]) {
        await using opened = open(database, plain.port)
        expect(await failureOf(opened)).toEqual([
          'the database does not speak TLS, and it is required',
          'The server does not support SSL connections',
        ])
      }
      expect(await connections(plain)).toEqual({ tls: 0, plain: 0 })
    } finally {
      await plain.stop()
    }
  })

  // These change the server for good.
  it('refuses who comes without TLS, where it asks for it', async () => {
    await master.sql('CREATE ROLE careful LOGIN SUPERUSER')
    await master.access('hostnossl all careful 127.0.0.1/32 reject')
    await using plain = open({ user: 'careful' })
    await eventually(async () =>
      expect(await failureOf(plain)).toEqual([
        'the database refuses the login',
        expect.stringContaining('no encryption'),
      ]),
    )
    await using encrypted = open({ ...trusting(ours), user: 'careful' })
    expect(await encrypted.store.get(one)).toBeDefined()
  })

  it('is not used when its certificate is out of date', async () => {
    await serveBy(makeCertificate(folder, 'database', { by: ours, days: -1 }))
    await eventually(async () => {
      await using opened = open(trusting(ours))
      expect(await failureOf(opened)).toEqual([notTrusted, expect.stringContaining('expired')])
    })
  })
})
