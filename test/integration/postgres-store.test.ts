// Records in a real PostgreSQL: writers side by side, the pool of connections, the data schema.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataSchema } from '../../src/model/data-schema.ts'
import { migratePostgres } from '../../src/server/store/postgres/migrate.ts'
import { migrations } from '../../src/server/store/postgres/schema.ts'
import { openStore, put, reasonFor, settingsFor, versionOf, type Opened } from '../support/postgres-store.ts'
import { findPostgres, startPostgres, type Postgres } from '../support/postgres.ts'
import { eventually } from '../support/server-process.ts'

const programs = await findPostgres()

describe.skipIf(programs === undefined)('a PostgreSQL store', () => {
  let postgres: Postgres
  let folder = ''
  let databases = 0
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'netops-store-'))
    postgres = await startPostgres(programs ?? '')
  })
  afterAll(async () => {
    await postgres.stop()
    await rm(folder, { recursive: true })
  })

  /** Settings for a database of its own. */
  const fresh = async (database: Readonly<Record<string, unknown>> = {}) => {
    databases += 1
    const name = `test_${databases}`
    await postgres.sql(`CREATE DATABASE ${name} LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0`)
    return { name, settings: settingsFor(postgres.port, { name, ...database }) }
  }
  const activity = (name: string): string =>
    `SELECT pid FROM pg_stat_activity WHERE datname = '${name}' AND application_name = 'network_server'`
  const connections = async (name: string): Promise<number> => (await postgres.sql(activity(name))).length

  describe('with many writers', () => {
    it('lets exactly one of a hundred replace a version, and one of a hundred create a record', async () => {
      const { settings } = await fresh()
      await using a = openStore(settings)
      await using b = openStore(settings)
      const race = (condition: Parameters<typeof put>[2]) =>
        Promise.all(
          Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? a : b).store.write(put('one', `${n}`, condition))),
        )
      const created = await race({ condition: { kind: 'absent' } })
      expect(created.filter(({ kind }) => kind === 'created')).toHaveLength(1)
      expect(created.filter(({ kind }) => kind === 'condition-failed')).toHaveLength(99)
      const versions = created.map(versionOf).filter((version) => version > 0)
      const replaced = await race({ condition: { kind: 'versions', versions } })
      expect(replaced.filter(({ kind }) => kind === 'replaced')).toHaveLength(1)
      expect(replaced.filter(({ kind }) => kind === 'condition-failed')).toHaveLength(99)
      expect(await a.store.get({ collection: 'things', key: 'one' })).toMatchObject({
        version: Math.max(...replaced.map(versionOf)),
      })
    })

    it('does a write once that is asked for a hundred times at once under one idempotency key', async () => {
      const { settings } = await fresh()
      await using a = openStore(settings)
      await using b = openStore(settings)
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          // Two of them have the same key for another record.
          (n % 2 === 0 ? a : b).store.write(
            n < 2
              ? put('other', '0', { idempotency: { key: 'k', request: 'other' } })
              : put('same', '1', { idempotency: { key: 'k', request: 'same' } }),
          ),
        ),
      )
      const done = outcomes.filter((outcome) => 'repeated' in outcome && !outcome.repeated)
      expect(done).toHaveLength(1)
      expect(new Set(outcomes.map(versionOf).filter((version) => version > 0)).size).toBe(1)
      expect([2, 98]).toContain(outcomes.filter(({ kind }) => kind === 'key-reused').length)
    })

    it('answers a thousand at once, all rightly, with no more connections than it may have', async () => {
      const { name, settings } = await fresh({ pool_size: 10 })
      await using opened = openStore(settings)
      const keys = Array.from({ length: 1000 }, (_, n) => `key${n}`)
      const outcomes = await Promise.all(keys.map((key) => opened.store.write(put(key, JSON.stringify(key)))))
      expect(new Set(outcomes.map(versionOf)).size).toBe(1000)
      expect(await connections(name)).toBe(10)
      const values = await Promise.all(keys.map((key) => opened.store.get({ collection: 'things', key })))
      expect(values.map((record) => record?.value)).toEqual(keys.map((key) => JSON.stringify(key)))
      expect(await connections(name)).toBe(10)
    })
  })

  it('keeps a deletion of nothing in mind: repeated, it does not delete what came later', async () => {
    const { settings } = await fresh()
    await using opened = openStore(settings)
    const remove = put('late', undefined, { idempotency: { key: 'remove', request: 'remove late' } })
    expect(await opened.store.write(remove)).toEqual({ kind: 'missing' })
    await opened.store.write(put('late', '1'))
    expect(await opened.store.write(remove)).toEqual({ kind: 'missing' })
    expect(await opened.store.get({ collection: 'things', key: 'late' })).toMatchObject({ value: '1' })
  })

  it('restored from a copy gives out no version that clients have seen since that was made', async () => {
    const { name, settings } = await fresh()
    const seen = new Set<number>()
    const write = async ({ store }: Opened) => versionOf(await store.write(put('one', '1')))
    {
      await using opened = openStore(settings)
      await write(opened)
    }
    await eventually(() => postgres.sql(`CREATE DATABASE ${name}_copy TEMPLATE ${name}`))
    {
      await using opened = openStore(settings)
      for (let count = 0; count < 200; count += 1) seen.add(await write(opened))
    }
    await using restored = openStore(settingsFor(postgres.port, { name: `${name}_copy` }))
    const next = await eventually(() => write(restored))
    expect(next).toBeGreaterThan(Math.max(...seen))
    // One that is there is followed by a later one also where the clock was set back.
    const dayMs = 86_400_000
    await postgres.sql(`UPDATE network_service.records SET version = ${next + dayMs * 1000}`, `${name}_copy`)
    expect(await write(restored)).toBe(next + dayMs * 1000 + 1)
  })

  it('lists by the bytes of keys in a database that sorts otherwise', async () => {
    const { settings } = await fresh()
    await using opened = openStore(settings)
    const keys = ['a', 'B', 'b', '-', '_', '~', 'a-b', 'ab', 'aB', 'é', '日', '\u{10ffff}', '\u{ffff}']
    await Promise.all(keys.map((key) => opened.store.write(put(key, '1'))))
    const list = async (prefix: string, after = '') =>
      (await opened.store.list({ collection: 'things', prefix, after, limit: 100 })).records.map(({ key }) => key)
    const sorted = [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
    expect(await list('')).toEqual(sorted)
    expect(await list('a')).toEqual(['a', 'a-b', 'aB', 'ab'])
    expect(await list('a', 'a-b')).toEqual(['aB', 'ab'])
    expect(await list('\u{10ffff}')).toEqual(['\u{10ffff}'])
  })

  it('acknowledges only what is on the disk, whatever the database says of commits', async () => {
    const { name, settings } = await fresh()
    await postgres.sql(`ALTER DATABASE ${name} SET synchronous_commit = off`)
    await postgres.sql(`ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`)
    await using opened = openStore(settings)
    await opened.store.write(put('one', '1'))
    // Writes down the settings of the session that writes.
    await postgres.sql(
      `CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         NEW.value := current_setting('synchronous_commit') || ' ' || current_setting('transaction_isolation');
         RETURN NEW; END $$;
       CREATE TRIGGER told BEFORE UPDATE ON network_service.records FOR EACH ROW EXECUTE FUNCTION told()`,
      name,
    )
    await opened.store.write(put('one', '2'))
    expect(await opened.store.get({ collection: 'things', key: 'one' })).toMatchObject({ value: 'on read committed' })
  })

  it('forgets idempotency keys after their time, in steps', async () => {
    const { name, settings } = await fresh()
    await using opened = openStore(settings, 60_000)
    await opened.store.write(put('one', '1', { idempotency: { key: 'young', request: 'r' } }))
    await postgres.sql(
      `INSERT INTO network_service.idempotency SELECT 'old' || n, 'r', 'deleted', NULL, now() - interval '2 minutes'
       FROM generate_series(1, 2500) n`,
      name,
    )
    await opened.store.clean()
    expect(await postgres.sql('SELECT key FROM network_service.idempotency', name)).toEqual([{ key: 'young' }])
  })

  describe('has connections', () => {
    it('opened before anybody asks, closed when nobody needs them, and never fewer than the least', async () => {
      const { name, settings } = await fresh({ pool_min_idle: 3, pool_size: 8, pool_idle_timeout: '1s' })
      await using opened = openStore(settings)
      await eventually(async () => expect(await connections(name)).toBe(3))
      await Promise.all(Array.from({ length: 50 }, () => opened.store.get({ collection: 'things', key: 'one' })))
      expect(await connections(name)).toBe(8)
      await eventually(async () => expect(await connections(name)).toBe(3))
    })

    it('that are replaced when they are cut, which fails no read', async () => {
      const { name, settings } = await fresh()
      await using opened = openStore(settings)
      await opened.store.write(put('one', '1'))
      const processes = async () => (await postgres.sql(activity(name))).map(({ pid }) => pid)
      await eventually(async () => expect((await processes()).length).toBeGreaterThanOrEqual(5))
      const before = await processes()
      await postgres.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`)
      const reads = Array.from({ length: 20 }, () => opened.store.get({ collection: 'things', key: 'one' }))
      expect((await Promise.all(reads)).map((record) => record?.value)).toEqual(Array<string>(20).fill('1'))
      await eventually(async () => {
        const now = await processes()
        expect(now.length).toBeGreaterThanOrEqual(5)
        expect(now.filter((pid) => before.includes(pid))).toEqual([])
      })
      expect(await opened.store.write(put('one', '2'))).toMatchObject({ kind: 'replaced' })
    })

    it('all in use: who waits too long, or is one too many, is told so, and later all is well', async () => {
      const { name, settings } = await fresh({ pool_size: 2, pool_connect_timeout: '1s' })
      await using opened = openStore(settings)
      await opened.store.write(put('one', '1'))
      const holder = new Client({ host: '127.0.0.1', port: postgres.port, user: 'postgres', database: name })
      await holder.connect()
      await holder.query('BEGIN; LOCK TABLE network_service.records IN ACCESS EXCLUSIVE MODE')
      const held = Array.from({ length: 2 }, () => opened.store.get({ collection: 'things', key: 'one' }))
      const others = Array.from({ length: 5100 }, () =>
        reasonFor(opened.store.get({ collection: 'things', key: 'one' })),
      )
      expect(new Set(await Promise.all(others))).toEqual(new Set(['all connections to the database are in use']))
      expect(opened.store.state().master).toEqual({ open: 2, idle: 0, waiting: 0 })
      await holder.query('COMMIT')
      await holder.end()
      expect(await Promise.all(held)).toMatchObject([{ value: '1' }, { value: '1' }])
      expect(await opened.store.get({ collection: 'things', key: 'one' })).toMatchObject({ value: '1' })
      await opened.store.verify()
    })

    it('that log in with what the password file holds at that time', async () => {
      const { name } = await fresh()
      const file = join(folder, 'password')
      await writeFile(file, 'wrong\n')
      await postgres.sql(`CREATE ROLE keeper LOGIN PASSWORD 'right'; ALTER DATABASE ${name} OWNER TO keeper`)
      await postgres.access('host all keeper 127.0.0.1/32 scram-sha-256')
      const settings = settingsFor(postgres.port, { name, user: 'keeper', password_file: file })
      await using opened = openStore(settings)
      const one = { collection: 'things', key: 'one' }
      expect(await reasonFor(opened.store.get(one))).toBe('the database refuses the login')
      await rm(file)
      await eventually(async () =>
        expect(await reasonFor(opened.store.get(one))).toBe('the database refuses the login'),
      )
      await writeFile(file, 'right\n')
      await eventually(() => opened.store.write(put('one', '1')))
      // Nothing of the password is in what was told.
      expect(JSON.stringify(opened.notices)).not.toContain('right')
    })
  })

  describe('with a data schema', () => {
    it('that two bring up at once', async () => {
      const { name, settings } = await fresh()
      expect(await migratePostgres(settings, { dryRun: true })).toMatchObject({ from: 0, steps: [{ version: 2 }] })
      expect(await postgres.sql(`SELECT to_regnamespace('network_service') AS there`, name)).toEqual([{ there: null }])
      const both = await Promise.all(Array.from({ length: 8 }, () => migratePostgres(settings, { dryRun: false })))
      expect(both.flatMap(({ steps }) => steps)).toHaveLength(migrations.length)
      expect(await migratePostgres(settings, { dryRun: false })).toEqual({ from: dataSchema.writes, steps: [] })
      expect(migrations.at(-1)?.version).toBe(dataSchema.writes)
    })

    it('newer than this release: it is left alone', async () => {
      const { name, settings } = await fresh()
      await migratePostgres(settings, { dryRun: false })
      await postgres.sql(`INSERT INTO network_service.migrations VALUES (99, 99, 'the future', now())`, name)
      await using opened = openStore(settings)
      const reason = `the database has data schema 99, and this release knows only up to ${dataSchema.reads.to}`
      expect(await reasonFor(opened.store.get({ collection: 'things', key: 'one' }))).toBe(reason)
      expect(await reasonFor(migratePostgres(settings, { dryRun: false }))).toBe(reason)
    })

    it('newer than this release, with which it can work: hosts are updated one after the other', async () => {
      const { name, settings } = await fresh()
      await migratePostgres(settings, { dryRun: false })
      await postgres.sql(
        `INSERT INTO network_service.migrations VALUES (99, ${dataSchema.writes}, 'the future', now());
         ALTER TABLE network_service.records ADD COLUMN more text`,
        name,
      )
      await using opened = openStore(settings)
      expect(await opened.store.write(put('one', '1'))).toMatchObject({ kind: 'created' })
      expect(await migratePostgres(settings, { dryRun: false })).toEqual({ from: 99, steps: [] })
    })

    it('that its user may not change: it waits for the administrator', async () => {
      const { name } = await fresh()
      await postgres.sql('CREATE ROLE humble LOGIN')
      await using opened = openStore(settingsFor(postgres.port, { name, user: 'humble' }))
      expect(await reasonFor(opened.store.verify())).toBe(
        `the database has data schema 0, and this release needs ${dataSchema.writes}: run network_server migrate`,
      )
      await migratePostgres(settingsFor(postgres.port, { name }), { dryRun: false })
      await postgres.sql(
        `GRANT USAGE ON SCHEMA network_service TO humble;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA network_service TO humble;
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA network_service TO humble`,
        name,
      )
      await eventually(() => opened.store.verify())
      expect(await opened.store.write(put('one', '1'))).toMatchObject({ kind: 'created' })
    })

    it('in a schema that an administrator has made for its user', async () => {
      const { name } = await fresh()
      await postgres.sql('CREATE ROLE owner LOGIN')
      await postgres.sql('CREATE SCHEMA network_service AUTHORIZATION owner', name)
      await using opened = openStore(settingsFor(postgres.port, { name, user: 'owner' }))
      expect(await opened.store.write(put('one', '1'))).toMatchObject({ kind: 'created' })
    })
  })

  it('says what is in the way', async () => {
    const reason = async (database: Readonly<Record<string, unknown>>) => {
      await using opened = openStore(settingsFor(postgres.port, database))
      return await reasonFor(opened.store.get({ collection: 'things', key: 'one' }))
    }
    expect(await reason({ name: 'nowhere' })).toBe('the database does not exist')
    expect(await reason({ user: 'nobody' })).toBe('the database refuses the login')
    expect(await reason({ host: 'nowhere.invalid' })).toBe('the database cannot be reached')
    await postgres.sql(`CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`)
    expect(await reason({ name: 'latin' })).toBe("the database's encoding is not UTF8")
  })
})
