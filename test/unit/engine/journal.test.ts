import { appendFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { begin, Journal, journalPath, readJournal } from '../../../src/engine/journal.ts'
import { sequence } from '../../../src/model/plan.ts'
import { execText } from '../../../src/system/exec.ts'
import { step } from '../../support/model-world.ts'

let runs: string
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'netops-journal-'))
})
afterEach(() => rm(runs, { recursive: true, force: true }))

const outside = { now: () => new Date('2026-01-02T03:04:05Z'), observe: () => undefined }

/** Writes a run of three records and returns its journal's path. */
async function write(run = 'r1'): Promise<string> {
  const journal = await Journal.open(runs, run, outside)
  const plan = sequence('ünïcode', [step('one')])
  begin(journal, { run, procedure: 'test', by: 'test', input: null, facts: null, plan })
  journal.append({ type: 'begin', step: 'one' })
  journal.append({ type: 'unchanged', step: 'one' })
  journal.close()
  return journalPath(runs, run)
}
const seqs = async (): Promise<unknown> => (await readJournal(runs, 'r1'))?.map(({ seq }) => seq)

describe('a journal', () => {
  test('numbers and stamps its records in order, and goes on counting when it is opened again', async () => {
    await write()
    const journal = await Journal.open(runs, 'r1', outside)
    journal.append({ type: 'resumed', by: 'test', pid: 1 })
    journal.close()
    const records = await readJournal(runs, 'r1')
    expect(records?.map(({ seq, type, at }) => [seq, type, at])).toEqual(
      ['run', 'begin', 'unchanged', 'resumed'].map((type, index) => [index + 1, type, '2026-01-02T03:04:05.000Z']),
    )
  })

  test.each([
    ['half a record', '{"netops":1,"seq":4,"type":"beg'],
    ['half a letter', Buffer.from('{"netops":1,"step":"ü').subarray(0, -1)],
    [
      'a whole record without its line end',
      '{"netops":1,"seq":4,"at":"2026-01-02T03:04:05.000Z","type":"done","step":"one"}',
    ],
  ])('cuts off a torn last line: %s', async (_, torn) => {
    const path = await write()
    const whole = await readFile(path, 'utf8')
    await appendFile(path, torn)
    expect(await seqs()).toEqual([1, 2, 3])
    const journal = await Journal.open(runs, 'r1', outside)
    expect(await readFile(path, 'utf8')).toBe(whole)
    journal.append({ type: 'resumed', by: 'test', pid: 1 })
    journal.close()
    expect(await seqs()).toEqual([1, 2, 3, 4])
  })

  test.each([
    ['is no JSON', (lines: string[]) => lines.with(1, 'garbage'), 2],
    ['is of another kind', (lines: string[]) => lines.with(1, '{"netops":1,"seq":2,"type":"hm"}'), 2],
    ['is missing', (lines: string[]) => lines.toSpliced(1, 1), 2],
    ['stands twice', (lines: string[]) => lines.toSpliced(2, 0, lines[1] ?? ''), 3],
  ])('is refused by path and line where a line %s', async (_, damage, line) => {
    const path = await write()
    await writeFile(path, damage((await readFile(path, 'utf8')).split('\n')).join('\n'))
    const refused = { code: 'refused', message: expect.stringContaining(`${path}:${line}: `) as unknown }
    await expect(readJournal(runs, 'r1')).rejects.toMatchObject(refused)
    await expect(Journal.open(runs, 'r1', outside)).rejects.toMatchObject(refused)
  })

  test.each([
    ['a letter became no text', 0xff],
    ['a letter became another', 0x41],
  ])('goes on where %s, and nothing but its own records is ever written', async (_, flipped) => {
    const path = await write()
    const bytes = await readFile(path)
    bytes[bytes.lastIndexOf('one') + 1] = flipped
    await writeFile(path, bytes)
    for (const torn of ['', '{"netops":1']) {
      await appendFile(path, torn)
      const journal = await Journal.open(runs, 'r1', outside)
      journal.append({ type: 'resumed', by: 'test', pid: 1 })
      journal.close()
    }
    const now = await readFile(path)
    expect(now.subarray(0, bytes.length)).toEqual(bytes)
    expect(now.includes(0)).toBe(false)
    expect(await seqs()).toEqual([1, 2, 3, 4, 5])
  })

  test.each([
    ['a folder', (path: string) => mkdir(path)],
    ['a pipe', (path: string) => execText(['mkfifo', path])],
    ['larger than any', (path: string) => writeFile(path, '').then(() => truncate(path, 1 << 30))],
  ])('that is %s is named, with the way out', async (_, make) => {
    const path = await write()
    await rm(path)
    await make(path)
    const damaged = {
      code: 'damaged',
      message: expect.stringContaining(path) as unknown,
      hint: expect.stringContaining(`mv -- ${join(runs, 'r1')} ${join(runs, 'r1')}.aside`) as unknown,
    }
    await expect(readJournal(runs, 'r1')).rejects.toMatchObject(damaged)
    await expect(Journal.open(runs, 'r1', outside)).rejects.toMatchObject(damaged)
  })

  test('that does not exist is no run', async () => {
    expect(await readJournal(runs, 'none')).toBeUndefined()
  })

  test('shows a record to its observer before it is on the disk and after', async () => {
    const seen: [string, number][] = []
    const journal = await Journal.open(runs, 'r1', { ...outside, observe: (_, when) => seen.push([when, lines()]) })
    const { readFileSync } = await import('node:fs')
    const lines = (): number => readFileSync(journalPath(runs, 'r1'), 'utf8').split('\n').length - 1
    journal.append({ type: 'resumed', by: 'test', pid: 1 })
    journal.close()
    expect(seen).toEqual([
      ['before', 0],
      ['after', 1],
    ])
  })
})
