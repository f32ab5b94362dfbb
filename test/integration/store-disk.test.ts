// The store on a disk that fills up.
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createSqliteStore } from '../../src/server/store/sqlite/store.ts'
import { execText } from '../../src/system/exec.ts'

it.runIf(process.getuid?.() === 0)(
  'a full disk fails the writes that do not fit and no read, loses nothing, and is over when there is room again',
  async () => {
    const disk = await mkdtemp(join(tmpdir(), 'netops-store-disk-'))
    await execText(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'netops-test', disk])
    try {
      const file = join(disk, 'state.db')
      const store = createSqliteStore({ file })
      const write = (key: number) =>
        store.write({
          ...{ collection: 'c', key: `k${key}`, condition: { kind: 'always' } },
          value: JSON.stringify('x'.repeat(10_000)),
        })
      await write(0)
      const { bavail, bsize } = await statfs(disk)
      await writeFile(join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 2 ** 20))
      const written = [0]
      const faults = new Set<unknown>()
      // The log is written into the file every 4 MB, so the disk fills up in either.
      for (let n = 1; n <= 300; n += 1) {
        await write(n).then(
          () => written.push(n),
          (error: unknown) => faults.add((error as { reason?: unknown }).reason ?? error),
        )
      }
      expect([...faults]).toEqual(['the disk of the database is full'])
      expect(written.length).toBeGreaterThan(10)
      const keys = async () => {
        const page = await store.list({ collection: 'c', prefix: '', after: '', limit: 1000 })
        return page.records.map(({ key }) => key)
      }
      const expected = () => written.map((n) => `k${n}`).sort()
      expect(await keys()).toEqual(expected())
      await rm(join(disk, 'ballast'))
      expect(await write(1000)).toMatchObject({ kind: 'created' })
      written.push(1000)
      await store.verify()
      expect(await keys()).toEqual(expected())
      await store.close()
    } finally {
      await execText(['umount', '-l', disk])
      await rm(disk, { recursive: true })
    }
  },
)
