// The contract of stores against a real PostgreSQL, and against one with a replica that is read from.
import { afterAll, beforeAll, describe } from 'vitest'
import { openStore, readFromReplicas, settingsFor, type Opened } from '../support/postgres-store.ts'
import { findPostgres, startPostgres, type Postgres } from '../support/postgres.ts'
import { storeContract } from '../support/store-contract.ts'

const programs = await findPostgres()

describe.skipIf(programs === undefined)('PostgreSQL', () => {
  let master: Postgres
  let replica: Postgres
  let replicated: Opened
  beforeAll(async () => {
    master = await startPostgres(programs ?? '')
    replica = await master.replica()
    replicated = openStore(settingsFor(master.port, { read_replicas: [`127.0.0.1:${replica.port}`] }))
    await readFromReplicas(replicated, 1)
  })
  afterAll(async () => {
    await replicated.store.close()
    await replica.stop()
    await master.stop()
  })

  storeContract('PostgreSQL', () => Promise.resolve(openStore(settingsFor(master.port)).store))
  // Its clients share one store, as those of one process do: what another process wrote may be seen a moment later.
  storeContract('PostgreSQL with a replica', () =>
    Promise.resolve({ ...replicated.store, close: () => Promise.resolve() }),
  )
})
