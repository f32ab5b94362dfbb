// The contract of the HTTP interface through the executable: over HTTP and HTTPS, with SQLite and with PostgreSQL that has a
// replica which is read from.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiContract, contractConfig } from '../support/api-contract.ts'
import { client } from '../support/api.ts'
import { makeCertificate } from '../support/certificates.ts'
import { findPostgres, startNetworkPostgres, type Postgres } from '../support/postgres.ts'
import { eventually, here, startReady, useServers } from '../support/server-process.ts'

const programs = await findPostgres()

/** One server for a block of tests, which are asked over each of its two ports. */
function serves(
  database: () => string,
  whenReady: (server: Awaited<ReturnType<typeof startReady>>) => Promise<unknown>,
) {
  useServers('block')
  let ca: Buffer
  let server: Awaited<ReturnType<typeof startReady>>
  beforeAll(async () => {
    ca = readFileSync(makeCertificate(join(here.root, 'tls'), 'server').cert)
    const config = [
      `server: { host: 127.0.0.1, port: ${here.ports.server}, tls_port: ${here.ports.tls} }`,
      `metrics: { port: ${here.ports.metrics} }`,
      'security: { ssl_enabled: true, cert_file: /tls/server.crt, key_file: /tls/server.key }',
      `${contractConfig}${database()}`,
    ].join('\n')
    server = await startReady({ config })
    await whenReady(server)
  })

  describe.each(['HTTP', 'HTTPS'] as const)('over %s', (scheme) => {
    let asked: ReturnType<typeof client>
    beforeAll(() => {
      asked = scheme === 'HTTP' ? client(here.ports.server) : client(here.ports.tls, ca)
    })
    afterAll(() => asked.close())
    apiContract(() => asked.ask, 25)
  })

  it('has logged no fault of its own', () => {
    expect(server.lines().filter(({ level }) => level === 'ERROR' || level === 'FATAL')).toEqual([])
    expect(server.errors()).toBe('')
  })
}

describe('network_server with SQLite', () => {
  serves(
    () => '',
    () => Promise.resolve(),
  )
})

describe.skipIf(programs === undefined)('network_server with PostgreSQL and a replica', () => {
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

  serves(
    () =>
      `database: { driver: postgres, host: 127.0.0.1, port: ${master.port}, read_replicas: ["127.0.0.1:${replica.port}"] }\n`,
    (server) => server.logged(`read replica 127.0.0.1:${replica.port} is read from`),
  )

  it('has read records from the replica', async () => {
    const reads = "SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'records'"
    // Told by a session when it has been idle for a moment.
    await eventually(async () => expect(Number((await replica.sql(reads, 'network'))[0]?.idx_scan)).toBeGreaterThan(0))
  })
})
