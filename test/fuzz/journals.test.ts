// Journals as they never were written: each is understood or refused by its name, and whoever goes on with one adds nothing but
// its own records.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ItemLog } from '../../src/engine/item-log.ts'
import { JournalTail } from '../../src/engine/journal-tail.ts'
import { Journal, journalPath, readJournal } from '../../src/engine/journal.ts'
import { describeRun } from '../../src/engine/run-file.ts'
import { NetopsError } from '../../src/model/errors.ts'
import type { JournalEntry } from '../../src/model/journal.ts'
import { fuzz } from '../support/fuzz.ts'
import { mutated } from '../support/mutations.ts'
import { began, journalText } from '../support/old-runs.ts'
import { quickFolder } from '../support/scratch.ts'

let runs: string
beforeAll(async () => {
  runs = await quickFolder('fuzz-journals')
  mkdirSync(dirname(journalPath(runs, 'r')), { recursive: true })
})
afterAll(() => rm(runs, { recursive: true, force: true }))

const stamp = { netops: 1, at: began }
const entries: readonly JournalEntry[] = [
  { type: 'begin', step: 'web1/activate' },
  { type: 'relayed', step: 'web1/activate', record: { ...stamp, netops: 1, seq: 1, type: 'begin', step: 'ünïcode' } },
  { type: 'progress', step: 'web1/activate', done: 1, of: 2 },
  { type: 'failed', step: 'web1/activate', error: { code: 'unhealthy', message: 'not healthy: «404» — 界' } },
  { type: 'undo', by: 'test', pid: 1 },
  { type: 'end', outcome: 'rolled-back', changed: false, error: { code: 'unhealthy', message: 'x' } },
]
const lines = (texts: readonly JournalEntry[]): string =>
  texts.map((entry, index) => `${JSON.stringify({ ...stamp, seq: index + 1, ...entry })}\n`).join('')
const journals = [
  journalText('r', { lines: 12, ended: true }),
  journalText('r', { lines: 5, ended: false }),
  lines(entries),
  lines(entries).slice(0, -20),
]

/** What somebody gets of a damaged file: an answer, or an error that names it and says what to do. */
async function answered<T>(path: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof NetopsError)) throw error
    expect(error.message).toContain(path)
    expect(error.hint).toMatch(/\S/)
    return undefined
  }
}

const zeros = (bytes: Buffer): number => bytes.reduce((count, byte) => count + (byte === 0 ? 1 : 0), 0)

test('a journal is understood or refused by its name, and goes on with its own records alone', async () => {
  const path = journalPath(runs, 'r')
  const outside = { now: () => new Date(began), observe: () => undefined }
  await fuzz(mutated(journals), 1000, async (bytes) => {
    await writeFile(path, bytes)
    const read = await answered(path, () => readJournal(runs, 'r'))
    const tail = new JournalTail(path)
    const followed = await answered(path, () => tail.read())
    expect(followed).toEqual(read)
    await describeRun(runs, 'r')
    const journal = await answered(path, () => Journal.open(runs, 'r', outside))
    expect(journal?.records).toEqual(read)
    if (journal === undefined) {
      expect(await readFile(path)).toEqual(bytes)
      return
    }
    journal.append({ type: 'resumed', by: 'ünïcode', pid: 1 })
    journal.close()
    const now = await readFile(path)
    const whole = bytes.lastIndexOf('\n') + 1
    expect(now.subarray(0, whole).equals(bytes.subarray(0, whole))).toBe(true)
    expect(zeros(now)).toBeLessThanOrEqual(zeros(bytes))
    expect(await readJournal(runs, 'r')).toHaveLength(journal.records.length)
    expect(await tail.read()).toHaveLength(1)
  })
})

test('items that work has done are cut off where they are damaged, and what is added is known again', async () => {
  const path = join(runs, 'items.jsonl')
  const items = Array.from(
    { length: 20 },
    (_, index) => `${JSON.stringify({ step: 's', key: `/ünï/${index}` })}\n`,
  ).join('')
  await fuzz(mutated([items, '']), 1000, async (bytes) => {
    await writeFile(path, bytes)
    const log = await ItemLog.open(path)
    const known = log.count('s')
    log.add('s', 'new')
    await log.close()
    const now = await readFile(path)
    const kept = now.length - '{"step":"s","key":"new"}\n'.length
    // The last line may have lacked its end alone.
    const mended = now[kept - 1] === 0x0a && bytes[kept - 1] === undefined
    expect(now.subarray(0, mended ? kept - 1 : kept).equals(bytes.subarray(0, mended ? kept - 1 : kept))).toBe(true)
    const again = await ItemLog.open(path)
    expect(again.isDone('s', 'new')).toBe(true)
    expect(again.count('s')).toBeGreaterThanOrEqual(known)
    await again.close()
  })
})
