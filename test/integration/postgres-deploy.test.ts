// Releases whose records are in PostgreSQL: another one comes into service only where it can read what lies there, whoever
// brought it to where it is.
import { readFile, readlink, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataSchema } from '../../src/model/data-schema.ts'
import { findPostgres, startNetworkPostgres, type Postgres } from '../support/postgres.ts'
import { runToEnd } from '../support/server-process.ts'
import { makeSite, smallRelease, type Called } from '../support/site.ts'

const programs = await findPostgres()

describe.skipIf(programs === undefined)('a release whose records are in PostgreSQL', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startNetworkPostgres(programs ?? '')
  })
  afterAll(() => postgres.stop())
  const sql = (text: string) => postgres.sql(text, 'network')

  it(
    'comes into service only where it can read what is there, and where that cannot be asked only when told to',
    { timeout: 400_000 },
    async () => {
      const site = await makeSite()
      const config = await site.config()
      const database = `database: { driver: postgres, host: 127.0.0.1, port: ${postgres.port} }\n`
      await writeFile(config, `${await readFile(config, 'utf8')}${database}`)
      // The first data schema is all that this one says it knows; it is the same server.
      const old = await smallRelease(site, '0.9.0', '', { data: { reads: { from: 1, to: 1 }, writes: 1 } })
      const traits = { data: dataSchema, tellsSchema: true }
      const [first, second] = [
        await smallRelease(site, '1.0.0', '', traits),
        await smallRelease(site, '1.1.0', '', traits),
      ]
      const done = async (called: Promise<Called>) => expect((await called).code).toBe(0)
      const rollback = (...words: readonly string[]) => site.netops(['rollback', '--json', ...words])
      const refused = async (called: Promise<Called>, message: string, hint: string) => {
        const pid = await site.mainPid()
        const { code, stdout } = await called
        expect([code, stdout]).toEqual([7, expect.stringContaining(message)])
        expect(stdout).toContain(hint)
        expect(await site.mainPid()).toBe(pid)
      }
      const current = async () => basename(await readlink(site.paths.current))

      // Nobody is in service yet who could ask.
      await done(site.deploy(old, ['--config', config]))
      await done(site.deploy(first))
      expect(await site.answering()).toBe(first.id)
      const asked = runToEnd(['data-schema', '--config', site.paths.config, '--root', site.root])
      expect(JSON.parse(asked.stdout)).toEqual({
        ...{ database: `127.0.0.1:${postgres.port}/network`, schema: dataSchema.writes, needs: dataSchema.writes },
      })
      const reads = `${old.id} reads data schema 1 alone, and the data here`
      await refused(
        rollback(),
        `${reads} is of schema 2 (the database says so)`,
        'choose a release that reads schema 2: netops deploy --release FILE',
      )

      // Another host of the fleet has brought the data further.
      await sql("INSERT INTO network_service.migrations VALUES (3, 3, 'the future', now())")
      await refused(
        site.deploy(second, ['--dry-run']),
        `${second.id} reads data schemas 1 to 2 alone, and the data here is of schema 3 (the database says so)`,
        'choose a release that reads schema 3',
      )
      await sql('DELETE FROM network_service.migrations WHERE version = 3')

      await postgres.halt()
      await refused(
        rollback(),
        `${reads} may be of schema 2 (${first.id} was in service); the database could not be asked: cannot ask 127.0.0.1:${postgres.port}/network: the database cannot be reached`,
        'go on without asking it: --without-data-check',
      )
      await done(rollback('--dry-run', '--without-data-check'))
      await postgres.resume()
      expect(await current()).toBe(first.id)

      // What was added does not keep an older release from its work.
      await sql('UPDATE network_service.migrations SET needs = 1')
      await done(rollback('--min-healthy-time', '500ms'))
      expect(await site.answering()).toBe(old.id)
    },
  )

  it('is not asked for where they are in a file, which says it by itself', () => {
    const told = runToEnd(['data-schema', '--root', '/nowhere'])
    expect(told.status).toBe(7)
    expect(told.stderr).toMatch(/^the header of .*state\.db says which one it has\n/)
  })
})
