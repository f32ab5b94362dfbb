import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readable } from '../../../../src/cli/present/log-lines.ts'
import { LastLines, mergeByTime, SeenLines } from '../../../../src/procedures/logs/lines.ts'
import { onlyFile, readLog } from '../../../../src/procedures/logs/source.ts'
import { parseSince } from '../../../../src/procedures/logs/since.ts'
import { serverConfigSchema } from '../../../../src/model/server-config.ts'

const at = (second: number, msg = 'x'): string =>
  JSON.stringify({
    level: 'INFO',
    time: new Date(Date.UTC(2026, 0, 2, 3, 4, second)).toISOString(),
    release: 'r1',
    msg,
  })

describe('a line for people', () => {
  const now = new Date(2026, 0, 2, 12)
  const time = new Date(2026, 0, 2, 10, 3, 1).toISOString()
  const line = JSON.stringify({ level: 'INFO', time, release: 'r1', msg: 'ready', address: '::1' })

  test('has time, level, message and the rest', () => {
    expect(readable(line, { verbosity: 0, now })).toBe('10:03:01 INFO  ready  {"address":"::1"}')
    expect(readable(line, { verbosity: 1, now })).toBe('10:03:01 INFO  ready  {"release":"r1","address":"::1"}')
    expect(readable(line, { verbosity: 0, now: new Date(2026, 0, 3) })).toMatch(/^2026-01-02 10:03:01 INFO/)
  })

  test('is the line itself where it is no JSON with a time', () => {
    for (const other of ['plain', '{"msg":"no time"}', '{broken', '[]', '']) {
      expect(readable(other, { verbosity: 0, now })).toBe(other)
    }
  })

  test('stays one line whatever the message holds', () => {
    const two = JSON.stringify({ level: 'INFO', time, msg: 'a\nweb9 | b\u001b[0m' })
    expect(readable(two, { verbosity: 0, now })).toBe('10:03:01 INFO  a\\x0aweb9 | b\\x1b[0m')
  })
})

describe('lines of several hosts', () => {
  test('are merged by time; those without one stay behind the line before them', () => {
    const merged = mergeByTime([
      { host: 'a', lines: ['banner', at(1), 'stack 1', 'stack 2', at(5)] },
      { host: 'b', lines: [at(2), at(1, 'late'), at(4)] },
      { host: 'c', lines: ['nothing but this'] },
    ])
    expect(merged).toEqual([
      { host: 'a', line: 'banner' },
      { host: 'a', line: at(1) },
      { host: 'a', line: 'stack 1' },
      { host: 'a', line: 'stack 2' },
      { host: 'b', line: at(2) },
      { host: 'b', line: at(1, 'late') },
      { host: 'b', line: at(4) },
      { host: 'a', line: at(5) },
      { host: 'c', line: 'nothing but this' },
    ])
  })

  test('keep the order of each host, and none is lost', () => {
    const line = fc.oneof(
      fc.integer({ min: 0, max: 59 }).map((second) => at(second)),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(fc.array(line), { maxLength: 4 }), (given) => {
        const logs = given.map((lines, index) => ({ host: `h${index}`, lines }))
        const merged = mergeByTime(logs)
        for (const { host, lines } of logs) {
          expect(merged.filter((one) => one.host === host).map((one) => one.line)).toEqual(lines)
        }
      }),
    )
  })
})

test('only the last lines are kept, and what is missing is counted', () => {
  const last = new LastLines({ lines: 20, bytes: 1000 })
  for (let index = 0; index < 100; index += 1) last.push(String(index))
  expect(last.lines().at(-1)).toBe('99')
  expect(last.lines().length).toBeLessThanOrEqual(20)
  expect(last.lines().length + last.dropped).toBe(100)
})

describe('after a lost connection', () => {
  const first = [at(1), at(2, 'a'), at(2, 'b'), 'stack']
  const seen = (): SeenLines => {
    const lines = new SeenLines()
    expect(first.every((line) => lines.isNew(line))).toBe(true)
    lines.again()
    return lines
  }

  test('what was seen comes no second time, what is new does, also of the same moment', () => {
    const lines = seen()
    const again = ['from before', ...first, at(2, 'c'), 'stack', at(3), at(3), 'text']
    expect(again.filter((line) => lines.isNew(line))).toEqual([at(2, 'c'), 'stack', at(3), at(3), 'text'])
    expect(lines.since).toBe(Date.UTC(2026, 0, 2, 3, 4, 3))
  })

  test('all is new where nothing had a time', () => {
    const lines = new SeenLines()
    lines.isNew('text')
    lines.again()
    expect([lines.since, lines.isNew('text')]).toEqual([undefined, true])
  })
})

describe('the log', () => {
  const excerpt = { lines: 5, follow: true, since: 1_700_000_000_500 }

  test('is read by these commands', () => {
    expect(readLog({ kind: 'journal' }, excerpt).join(' ')).toBe(
      'journalctl --quiet -u network_service -o cat --no-pager -n 5 -f --since @1700000000',
    )
    expect(readLog({ kind: 'file', path: '/l' }, excerpt).join(' ')).toBe('tail -n 5 -F -- /l')
    expect(readLog({ kind: 'file', path: '/l' }, { ...excerpt, follow: false }).join(' ')).toBe('tail -n 5 -- /l')
  })

  test.each([
    [{ file: '/l' }, undefined],
    [{ file: '/l', outputs: [{ type: 'console' }] }, undefined],
    [{ file: '/l', outputs: [{ type: 'file', path: '/o' }] }, '/l'],
    [{ outputs: [{ type: 'file', path: '/o' }] }, '/o'],
  ])('of %j is the file %s', (logging, file) => {
    expect(onlyFile(serverConfigSchema.parse({ logging }))).toBe(file)
  })
})

describe('--since', () => {
  const now = new Date('2026-11-23T12:00:00Z')

  test('is how long ago, or a moment', () => {
    expect(parseSince('10m', now)).toBe(Date.parse('2026-11-23T11:50:00Z'))
    expect(parseSince('2026-11-23T10:00:00Z', now)).toBe(Date.parse('2026-11-23T10:00:00Z'))
    expect(parseSince('2026-11-23', now)).toBe(new Date(2026, 10, 23).getTime())
    expect(parseSince('2026-11-23 10:00', now)).toBe(new Date(2026, 10, 23, 10).getTime())
  })

  test.each(['yesterday', '10', '', '2026-99-99'])('is not %j', (text) => {
    expect(() => parseSince(text, now)).toThrow(expect.objectContaining({ code: 'usage' }))
  })
})
