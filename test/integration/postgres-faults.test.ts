// What befalls PostgreSQL's servers while records are read and written: right answers, or quickly none; and then all is
// well again without anybody's help.
import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../src/server/store/port.ts'
import type { PostgresStore } from '../../src/server/store/postgres/store.ts'
import { openStore, put, readFromReplicas, reasonFor, settingsFor } from '../support/postgres-store.ts'
import { findPostgres, startPostgres, type Postgres } from '../support/postgres.ts'
import { eventually } from '../support/server-process.ts'
import { tcpRelay } from '../support/tcp-relay.ts'

const programs = await findPostgres()
const one = { collection: 'things', key: 'one' }
const valueOf = async (store: PostgresStore, key: string) => (await store.get({ collection: 'things', key }))?.value

describe.skipIf(programs === undefined)('a PostgreSQL with replicas', () => {
  let master: Postgres
  let replicas: readonly Postgres[] = []
  beforeAll(async () => {
    // What is acknowledged must outlive kill -9; the replicas may forget.
    master = await startPostgres(programs ?? '', { fsync: 'on' })
    replicas = await Promise.all([master.replica({ fsync: 'off' }), master.replica({ fsync: 'off' })])
  })
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()))
    await master.stop()
  })

  const withReplicas = (database: Readonly<Record<string, unknown>> = {}) =>
    openStore(settingsFor(master.port, { ...database, read_replicas: replicas.map(({ port }) => `127.0.0.1:${port}`) }))
  const at = (index: number): Postgres => replicas[index] ?? master

  it('is read from both in turn, and from the master alone what has just been written', async () => {
    await using opened = withReplicas()
    const { store } = opened
    await Promise.all(Array.from({ length: 30 }, (_, n) => store.write(put(`turn${n}`, `${n}`))))
    await readFromReplicas(opened, 2)
    const reads = async (postgres: Postgres) => {
      const rows = await postgres.sql(
        `SELECT FROM pg_stat_activity WHERE application_name = 'network_server' AND query LIKE '%LATERAL%'`,
      )
      return rows.length > 0
    }
    await eventually(async () => {
      expect(await Promise.all(Array.from({ length: 30 }, (_, n) => valueOf(store, `turn${n}`)))).toEqual(
        Array.from({ length: 30 }, (_, n) => `${n}`),
      )
      expect(await Promise.all(replicas.map(reads))).toEqual([true, true])
    })
    for (let n = 0; n < 200; n += 1) {
      await store.write(put('turn0', `again ${n}`))
      expect(await valueOf(store, 'turn0')).toBe(`again ${n}`)
    }
  })

  it('with one replica paused and one stopped never shows the past, and takes both back', async () => {
    await using opened = withReplicas()
    const { store } = opened
    await store.write(put('one', 'old'))
    await readFromReplicas(opened, 2)
    await at(0).sql('SELECT pg_wal_replay_pause()')
    await at(1).halt()
    let newest = 0
    // The store still holds the first for well: it shows beats that are young enough, but not this write.
    while (store.stats().replicasUsed > 0) {
      newest += 1
      await store.write(put('one', `${newest}`))
      expect(await valueOf(store, 'one')).toBe(`${newest}`)
      expect((await store.list({ ...one, prefix: 'one', after: '', limit: 1 })).records[0]?.value).toBe(`${newest}`)
    }
    expect(newest).toBeGreaterThan(1)
    const told = opened.notices.filter(({ level }) => level === 'warn').map(({ message }) => message)
    expect(new Set(told)).toEqual(new Set(replicas.map(({ port }) => `read replica 127.0.0.1:${port} is left out`)))
    expect(store.state().replicas[0]?.out).toBe('it is too far behind the master')
    expect(await valueOf(store, 'one')).toBe(`${newest}`)
    await at(0).sql('SELECT pg_wal_replay_resume()')
    await at(1).resume()
    await readFromReplicas(opened, 2)
    expect(await valueOf(store, 'one')).toBe(`${newest}`)
  })

  it('leaves out a server that is no replica of the master', async () => {
    const stranger = await startPostgres(programs ?? '')
    try {
      await using opened = openStore(settingsFor(master.port, { read_replicas: [`127.0.0.1:${stranger.port}`] }))
      await opened.store.verify()
      await eventually(() => expect(opened.store.state().replicas[0]?.out).toMatch(/has no data schema/))
      await using own = openStore(settingsFor(master.port, { read_replicas: [`127.0.0.1:${master.port}`] }))
      await eventually(() => expect(own.store.state().replicas[0]?.out).toBe('it is not a replica'))
      expect(await valueOf(own.store, 'nothing')).toBeUndefined()
    } finally {
      await stranger.stop()
    }
  })

  it('whose master is away answers reads from replicas, refuses writes at once, and goes on when it is back', async () => {
    await using opened = withReplicas()
    await using alone = openStore(settingsFor(master.port))
    const { store } = opened
    for (const key of ['away1', 'away2', 'away3']) await store.write(put(key, key))
    await readFromReplicas(opened, 2)
    await alone.store.verify()
    // Asks the master for a beat, which the replicas show soon.
    await store.verify()
    await master.halt()
    const begun = performance.now()
    const written = await Promise.all(Array.from({ length: 100 }, () => reasonFor(store.write(put('one', 'lost?')))))
    expect(written).not.toContain(undefined)
    expect(await reasonFor(alone.store.get(one))).toMatch(/cannot be reached|is starting or stopping/)
    expect(await reasonFor(alone.store.verify())).toMatch(/cannot be reached|is starting or stopping/)
    expect(performance.now() - begun).toBeLessThan(5000)
    await eventually(async () => expect(await valueOf(store, 'away1')).toBe('away1'))
    expect((await store.list({ ...one, prefix: 'away', after: 'away1', limit: 1 })).records[0]?.key).toBe('away2')
    expect(await valueOf(store, 'nothing')).toBeUndefined()
    await master.resume()
    await eventually(() => Promise.all([store.write(put('one', 'after')), alone.store.verify()]))
    expect(await valueOf(alone.store, 'one')).toBe('after')
    expect(await valueOf(store, 'one')).toBe('after')
    await readFromReplicas(opened, 2)
  })

  it('restarted under a thousand requests at once: right answers or none, and then all is well', async () => {
    await using opened = withReplicas()
    const { store } = opened
    const accepted = new Map<string, number>()
    const reasons = new Set<string>()
    let stopped = false
    const client = async (index: number): Promise<void> => {
      const key = `client${index}`
      for (let n = 1; !stopped; n += 1) {
        const reason = await reasonFor(store.write(put(key, `${n}`)))
        if (reason === undefined) accepted.set(key, n)
        else reasons.add(reason)
        // The newest attempt may have happened, also where nothing was said of it; older than what was accepted is wrong.
        const found = await store.get({ collection: 'things', key }).catch((error: unknown) => {
          if (error instanceof StoreUnavailable) return undefined
          throw error
        })
        if (found !== undefined) expect(Number(found.value)).toBeGreaterThanOrEqual(accepted.get(key) ?? 0)
        if (reason !== undefined) await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const clients = Promise.all(Array.from({ length: 1000 }, (_, index) => client(index)))
    await eventually(() => expect(accepted.size).toBe(1000))
    await master.halt()
    await eventually(() => expect(reasons.size).toBeGreaterThan(0))
    await master.resume()
    const before = [...accepted.values()].reduce((sum, n) => sum + n, 0)
    await eventually(() => expect([...accepted.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(before + 2000))
    stopped = true
    await clients
    for (const reason of reasons) expect(reason).toMatch(/^(?:the database|the connection to the database) /)
    for (const [key, n] of accepted) expect(Number(await valueOf(store, key))).toBeGreaterThanOrEqual(n)
  })

  it('killed under writes has all that it acknowledged', { timeout: 600_000 }, async () => {
    const rounds = process.env.NETOPS_ENDURANCE === '1' ? 50 : 2
    await using opened = openStore(settingsFor(master.port))
    const { store } = opened
    await store.verify()
    for (let round = 0; round < rounds; round += 1) {
      const accepted = new Map<string, number>()
      let stopped = false
      const writers = Array.from({ length: 20 }, async (_, index) => {
        for (let n = 1; !stopped; n += 1) {
          const reason = await reasonFor(store.write(put(`kill${round}-${index}`, `${n}`)))
          if (reason === undefined) accepted.set(`kill${round}-${index}`, n)
          else return
        }
      })
      const many = randomInt(40, 400)
      await eventually(() => expect([...accepted.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(many))
      await master.halt('SIGKILL')
      await Promise.all(writers)
      stopped = true
      await master.resume()
      await eventually(() => store.verify())
      for (const [key, n] of accepted) {
        expect([`${n}`, `${n + 1}`]).toContain(await valueOf(store, key))
      }
    }
  })

  it('behind a network that swallows everything: soon no answer takes long, and all is well again by itself', async () => {
    const relay = await tcpRelay(master.port)
    try {
      await using opened = openStore(settingsFor(relay.port, { pool_connect_timeout: '1s' }))
      const { store } = opened
      await store.write(put('one', '1'))
      relay.swallow(true)
      expect(await reasonFor(store.verify())).toBeDefined()
      await eventually(async () => {
        const begun = performance.now()
        expect(await reasonFor(store.get(one))).toBeDefined()
        expect(performance.now() - begun).toBeLessThan(1000)
      })
      relay.swallow(false)
      await eventually(async () => expect(await valueOf(store, 'one')).toBe('1'))
    } finally {
      relay.stop()
    }
  })

  it('whose address leads to a replica that is promoted: it takes writes when that is the master', async () => {
    const relay = await tcpRelay(master.port)
    try {
      await using opened = openStore(settingsFor(relay.port))
      const { store } = opened
      await store.write(put('promoted', 'before'))
      await eventually(async () =>
        expect(await at(0).sql(`SELECT value FROM network_service.records WHERE key = 'promoted'`)).toEqual([
          { value: 'before' },
        ]),
      )
      relay.lead(at(0).port, 'break')
      await eventually(async () =>
        expect(await reasonFor(store.write(put('promoted', 'lost')))).toBe('the database takes no writes now'),
      )
      await at(0).sql('SELECT pg_promote()')
      await eventually(() => store.write(put('promoted', 'after')))
      expect(await valueOf(store, 'promoted')).toBe('after')
      // Nobody follows the old master who also follows the new one.
      await using split = openStore(settingsFor(relay.port, { read_replicas: [`127.0.0.1:${at(1).port}`] }))
      await split.store.verify()
      await eventually(() => expect(split.store.state().replicas[0]?.out).toBe('it is too far behind the master'))
      // It takes no writes any more while its connections live on.
      await at(0).configure('default_transaction_read_only = on\n')
      await eventually(async () =>
        expect(await reasonFor(store.write(put('promoted', 'lost')))).toBe('the database takes no writes now'),
      )
      await at(0).configure('default_transaction_read_only = off\n')
      await eventually(() => store.write(put('promoted', 'again')))
    } finally {
      relay.stop()
    }
  })
})
