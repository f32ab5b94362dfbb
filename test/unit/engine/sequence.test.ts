import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nextNumber } from '../../../src/engine/sequence.ts'

let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'netops-sequence-')), 'sequence')
})
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }))

const never = () => Promise.reject(new Error('the count is there'))
const none = () => Promise.resolve(0)

describe('the count of runs', () => {
  test('gives each that asks a number of its own, larger than all before, however many ask at once', async () => {
    const numbers: number[] = []
    for (let round = 0; round < 5; round += 1) {
      const got = await Promise.all(Array.from({ length: 10 }, () => nextNumber(folder, none)))
      expect(Math.min(...got)).toBeGreaterThan(Math.max(0, ...numbers))
      numbers.push(...got)
    }
    expect(new Set(numbers).size).toBe(50)
    expect(await readdir(folder)).toHaveLength(1)
  })

  test('goes on after what is known where it was lost, and looks nowhere else where it was not', async () => {
    expect(await nextNumber(folder, () => Promise.resolve(41))).toBe(42)
    expect(await nextNumber(folder, never)).toBe(43)
    await writeFile(join(folder, 'something else'), '')
    expect(await nextNumber(folder, never)).toBe(44)
    await writeFile(join(folder, '999999999999'), '')
    expect(await nextNumber(folder, never)).toBe(1e12)
    expect(await nextNumber(folder, never)).toBe(1e12 + 1)
  })

  test('is named, with the way out, where something else lies in its place', async () => {
    await writeFile(folder, '')
    await expect(nextNumber(folder, none)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(folder) as string,
      hint: `put it aside: mv -- ${folder} ${folder}.aside`,
    })
  })
})
