// A process that works with a SQLite store, for tests that kill it or start several at once: node store-program.ts FILE HOW.
import { writeSync } from 'node:fs'
import { migrateSqlite } from '../../src/server/store/sqlite/migrate.ts'
import { createSqliteStore } from '../../src/server/store/sqlite/store.ts'

/** How many write at once, each to a record of its own. */
export const writers = 16

/** The value of a record after its n-th write; undefined where that was a deletion. */
export const valueAfter = (n: number): string | undefined =>
  n % 10 === 0 ? undefined : JSON.stringify(`${'x'.repeat(n % 3000)}${n}`)

/** Writes until it is killed, and says on standard output what was acknowledged: `WRITER N`. */
async function write(file: string, from: readonly number[]): Promise<void> {
  const store = createSqliteStore({ file })
  const go = async (writer: number) => {
    for (let n = (from[writer] ?? 0) + 1; ; n += 1) {
      await store.write({ collection: 'c', key: `${writer}`, value: valueAfter(n), condition: { kind: 'always' } })
      writeSync(1, `${writer} ${n}\n`)
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, writer) => go(writer)))
}

if (import.meta.main) {
  const [file = '', how = '', ...from] = process.argv.slice(2)
  if (how === 'write') await write(file, from.map(Number))
  else if (how === 'migrate') writeSync(1, JSON.stringify(migrateSqlite(file, { dryRun: false })))
  else await createSqliteStore({ file }).verify()
}
