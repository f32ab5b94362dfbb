import { appendFile, mkdtemp, readFile, rm, truncate, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ItemLog } from '../../../src/engine/item-log.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-items-'))
  path = join(folder, 'items.jsonl')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('the items of a run', () => {
  test('are known again by the next process, each under its own step', async () => {
    const log = await ItemLog.open(path)
    for (let item = 0; item < 2500; item += 1) log.add('one', `k${item}`)
    log.add('two', 'k1')
    await log.close()
    const again = await ItemLog.open(path)
    expect([again.count('one'), again.count('two')]).toEqual([2500, 1])
    expect([again.isDone('one', 'k2499'), again.isDone('two', 'k2'), again.isDone('one', 'k2500')]).toEqual([
      true,
      false,
      false,
    ])
    await again.close()
  })

  test('are on the disk a moment after they were added, without anybody asking', async () => {
    const log = await ItemLog.open(path)
    log.add('one', 'k')
    await expect.poll(() => readFile(path, 'utf8'), { timeout: 5000 }).toBe('{"step":"one","key":"k"}\n')
    await log.close()
  })

  test('lose what a crash left unfinished, and no more', async () => {
    const log = await ItemLog.open(path)
    for (const key of ['a', 'b', 'c']) log.add('one', key)
    await log.close()
    const { size } = await stat(path)
    for (let cut = 1; cut <= 26; cut += 5) {
      await truncate(path, size - cut)
      const again = await ItemLog.open(path)
      expect(again.count('one')).toBe(cut === 1 ? 3 : 2)
      again.add('one', 'd')
      await again.close()
      const last = await ItemLog.open(path)
      expect(last.isDone('one', 'd')).toBe(true)
      await last.close()
      await rm(path)
      const fresh = await ItemLog.open(path)
      for (const key of ['a', 'b', 'c']) fresh.add('one', key)
      await fresh.close()
    }
  })

  test('end where something else stands in the file', async () => {
    await appendFile(path, '{"step":"one","key":"a"}\nnot one\n{"step":"one","key":"b"}\n')
    const log = await ItemLog.open(path)
    expect(log.count('one')).toBe(1)
    await log.close()
    expect(await readFile(path, 'utf8')).toBe('{"step":"one","key":"a"}\n')
  })

  test('are cut off where they are damaged by the bytes that are there, and no byte is made up', async () => {
    const items = Buffer.from('{"step":"one","key":"a"}\n{"step":"one","key":"b"}\n')
    // The key of the second becomes what is no text.
    items[46] = 0xff
    for (const end of ['', 'no end', '\r\n']) {
      await writeFile(path, Buffer.concat([items, Buffer.from(end)]))
      const log = await ItemLog.open(path)
      expect([log.count('one'), log.isDone('one', 'a')]).toEqual([2, true])
      log.add('one', 'c')
      await log.close()
      expect(await readFile(path)).toEqual(Buffer.concat([items, Buffer.from('{"step":"one","key":"c"}\n')]))
    }
  })

  test('say that the disk takes no more', async () => {
    const log = await ItemLog.open('/dev/full')
    log.add('one', 'k')
    await expect(log.flush()).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(() => log.add('one', 'next')).toThrow(/ENOSPC/)
  })
})
