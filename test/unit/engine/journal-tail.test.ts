import { appendFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JournalTail } from '../../../src/engine/journal-tail.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-tail-'))
  path = join(folder, 'journal.jsonl')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const line = (seq: number, step = `s${seq}`): string =>
  `${JSON.stringify({ netops: 1, seq, at: '2026-01-02T03:04:05.000Z', type: 'begin', step })}\n`
const seqs = async (tail: JournalTail): Promise<readonly number[]> => (await tail.read()).map(({ seq }) => seq)

describe('the tail of a journal', () => {
  test('is empty where there is no journal yet, and gives each record once as they come', async () => {
    const tail = new JournalTail(path)
    expect(await seqs(tail)).toEqual([])
    await writeFile(path, line(1) + line(2))
    expect(await seqs(tail)).toEqual([1, 2])
    expect(await seqs(tail)).toEqual([])
    await appendFile(path, line(3))
    expect(await seqs(tail)).toEqual([3])
  })

  test('leaves a line that is not whole for later, wherever it is cut', async () => {
    const whole = line(1, 'ünïcode') + line(2)
    for (let at = 1; at < Buffer.byteLength(whole); at += 7) {
      await writeFile(path, Buffer.from(whole).subarray(0, at))
      const tail = new JournalTail(path)
      const first = await seqs(tail)
      await appendFile(path, Buffer.from(whole).subarray(at))
      expect([...first, ...(await seqs(tail))]).toEqual([1, 2])
    }
  })

  test('goes on after a torn line was cut off and written anew', async () => {
    await writeFile(path, line(1) + line(2).slice(0, 20))
    const tail = new JournalTail(path)
    expect(await seqs(tail)).toEqual([1])
    await writeFile(path, line(1) + line(2) + line(3))
    expect(await seqs(tail)).toEqual([2, 3])
  })

  test('reads lines that are longer than what is read at once', async () => {
    const long = 'x'.repeat(3 << 20)
    await writeFile(path, line(1, long) + line(2))
    expect(await seqs(new JournalTail(path))).toEqual([1, 2])
  })

  test('is named where there is no file to read, or a line without end', async () => {
    await mkdir(path)
    await expect(new JournalTail(path).read()).rejects.toMatchObject({
      code: 'damaged',
      message: `${path} is damaged: it is a folder`,
    })
    await rm(path, { recursive: true })
    await writeFile(path, line(1))
    await truncate(path, 130 << 20)
    await expect(new JournalTail(path).read()).rejects.toMatchObject({
      code: 'damaged',
      message: `${path} is damaged: line 2 has no end`,
    })
  })

  test('refuses what is no record, and one that is out of turn, with its line', async () => {
    await writeFile(path, line(1) + 'not one\n')
    await expect(new JournalTail(path).read()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(`${path}:2`) as string,
    })
    await writeFile(path, line(1) + line(3))
    await expect(new JournalTail(path).read()).rejects.toMatchObject({ code: 'refused' })
    expect(await readFile(path, 'utf8')).toContain('s3')
  })
})
