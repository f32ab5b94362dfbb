// Archives as plain tar(1) finds them: whatever happened to the files, each is a whole one.
import { mkdirSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { differences } from '../../src/archive/diff.ts'
import { extractArchive } from '../../src/archive/extract.ts'
import { makeArchive } from '../../src/archive/make.ts'
import { readManifest } from '../../src/archive/manifest.ts'
import { ThreadPool } from '../../src/archive/threads/pool.ts'
import { verifyArchive } from '../../src/archive/verify.ts'
import { execText } from '../../src/system/exec.ts'
import { quickFolder } from '../support/scratch.ts'
import { change, changes, hasAttributes, portrait, type Change } from '../support/trees.ts'

const endurance = process.env.NETOPS_ENDURANCE === '1'
let scratch: string
const pool = new ThreadPool(1)
afterAll(() => pool.end())
beforeEach(async () => (scratch = await quickFolder('archive')))
afterEach(() => rm(scratch, { recursive: true, force: true }))

/** What plain tar makes of an archive, by the command that its manifest gives. */
async function unpackedByTar(restore: string): Promise<string> {
  const into = await mkdtemp(join(scratch, 'tar-'))
  await execText(['sh', '-c', restore.replace(/--directory \S+/, `--directory ${into}`)], { env: { LC_ALL: 'C' } })
  return into
}

test(
  'whatever changes, an archive made from the last one is what tar makes of the files',
  async () => {
    const round = fc.record({
      compression: fc.constantFrom('gzip' as const, 'zstd' as const),
      beginning: fc.array(changes, { minLength: 20, maxLength: 60 }),
      steps: fc.array(fc.array(changes, { maxLength: 4 }), {
        minLength: endurance ? 50 : 4,
        maxLength: endurance ? 50 : 4,
      }),
    })
    let number = 0
    await fc.assert(
      fc.asyncProperty(round, async ({ compression, beginning, steps }) => {
        number += 1
        const base = join(scratch, `base-${number}`)
        const tree = join(base, 'tree')
        mkdirSync(tree, { recursive: true })
        const attributes = hasAttributes(base)
        const apply = (made: Change): void => change(tree, made, { attributes })
        beginning.forEach(apply)
        const folder = join(scratch, `archives-${number}`)
        let last: string | undefined
        for (const [at, step] of [[], ...steps].entries()) {
          step.forEach(apply)
          const place = { folder, name: `a${at}` }
          const { manifest, lastRefused } = await makeArchive(
            { place, base, roots: ['tree'], compression, last },
            { pool },
          )
          expect({ troubles: manifest.troubles, lastRefused }).toEqual({ troubles: [], lastRefused: undefined })
          const now = portrait(tree, attributes)
          const plain = await unpackedByTar(manifest.restore)
          expect(portrait(join(plain, 'tree'), attributes)).toEqual(now)
          const own = join(scratch, 'own')
          await extractArchive({ place, into: own }, { pool })
          expect(portrait(join(own, 'tree'), attributes)).toEqual(now)
          expect(await verifyArchive(place, { pool })).toMatchObject({ damages: [], read: { entries: now.size } })
          const found: unknown[] = []
          const notes = { leave: () => undefined, trouble: (trouble: unknown) => found.push(trouble) }
          for await (const one of differences({ place, manifest }, { base: plain, roots: ['tree'] }, notes))
            found.push(one)
          expect(found).toEqual([])
          rmSync(own, { recursive: true })
          rmSync(plain, { recursive: true })
          last = place.name
        }
        rmSync(base, { recursive: true })
        rmSync(folder, { recursive: true })
      }),
      {
        numRuns: endurance ? 20 : 2,
        endOnFailure: true,
        ...(process.env.NETOPS_SEED === undefined ? {} : { seed: Number(process.env.NETOPS_SEED) }),
      },
    )
  },
  endurance ? 3_600_000 : 120_000,
)

test('the manifest is read back as it was written', async () => {
  mkdirSync(join(scratch, 'base/tree'), { recursive: true })
  const place = { folder: join(scratch, 'archives'), name: 'a' }
  const { manifest } = await makeArchive(
    { place, base: join(scratch, 'base'), roots: ['tree'], compression: 'gzip' },
    { pool },
  )
  expect(await readManifest(place)).toEqual(manifest)
})
