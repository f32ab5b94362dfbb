import { describe, expect, test } from 'vitest'
import { rendered } from '../../../../../src/cli/painted.ts'
import { frame as frameOf, type Size } from '../../../../../src/cli/present/progress/live.ts'
import { advance, unknownRun, type RunView } from '../../../../../src/cli/present/progress/state.ts'
import { widthOf } from '../../../../../src/cli/present/progress/text.ts'
import type { JournalEntry } from '../../../../../src/model/journal.ts'
import { independently, operatorHost } from '../../../../../src/model/plan.ts'
import { deploymentOf, recordsOf } from '../../../../support/fleet-story.ts'
import { step } from '../../../../support/model-world.ts'

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `web${index + 1}`)
const viewOf = (entries: readonly JournalEntry[]): RunView => recordsOf(entries).reduce(advance, unknownRun)
const usual: Size = { columns: 80, rows: 24 }
const narrow: Size = { columns: 40, rows: 24 }
const frame = (...of: Parameters<typeof frameOf>): string[] => frameOf(...of).map(rendered)
const now = Date.parse('2026-11-23T10:20:00Z')

/** A run in its middle: every fifth host done, every seventh rolled back, ten at work in different steps. */
function inTheMiddle(count: number): RunView {
  const hosts = names(count)
  const story = deploymentOf(hosts)
  const entries = hosts.slice(0, Math.ceil(count * 0.8)).flatMap((host, index) => {
    if (index % 7 === 6) return [...story.undoing(host), ...story.rolledBack(host)]
    if (index % 9 === 8) return story.undoing(host)
    if (index % 2 === 1) return story.to(host)
    return story.to(host, [`${host}/release`, `${host}/activate`, 'stop', 'health'][index % 4] ?? '')
  })
  return viewOf([story.start, ...entries])
}

const show = (run: RunView, size: Size): string => frame(run, now, size).join('\n')

describe('a frame', () => {
  const cases = [
    ['20 hosts at 80 columns', 20, usual],
    ['20 hosts at 40 columns', 20, narrow],
    ['50 hosts at 80 columns', 50, usual],
    ['50 hosts at 40 columns', 50, narrow],
  ] as const
  test.each(cases)('shows %s', async (name, count, size) => {
    const lines = frame(inTheMiddle(count), now, size)
    expect(lines.length).toBeLessThan(size.rows)
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(size.columns)
    await expect(lines.join('\n')).toMatchFileSnapshot(`frames/${name.replaceAll(' ', '-')}.txt`)
  })

  test('keeps hosts in the order of the plan where all fit', () => {
    const story = deploymentOf(['a', 'b', 'c'])
    const run = viewOf([story.start, ...story.undoing('c'), ...story.rolledBack('c'), ...story.to('b', 'b/release')])
    expect(frame(run, now, usual).map((line) => line.slice(0, 30).trimEnd())).toEqual([
      'deploy on 3 hosts: 1 rolled ba',
      'a  waiting',
      'b  Push the release (2.0.0-bbb',
      'c  rolled back: not healthy on',
    ])
  })

  test('names what it leaves out, last what is done', () => {
    const run = inTheMiddle(20)
    expect(show(run, { columns: 60, rows: 8 }).split('\n').at(-1)).toMatch(/^\.\.\. and 15 more \(.*\d+ done\)$/)
    expect(frame(run, now, { columns: 60, rows: 2 })).toHaveLength(1)
  })

  test('follows one host from waiting to done', () => {
    const story = deploymentOf(['web1', 'web2'])
    const entries = [story.start]
    const said = (): string => frame(viewOf(entries), now, usual)[1]?.slice(6, 72).trim() ?? ''
    const seen = [said()]
    for (const step of ['web1/release', 'web1/config', 'web1/activate', 'check', 'stop', 'health', undefined]) {
      entries.push(...story.to('web1', step))
      seen.push(said())
    }
    expect(seen).toEqual([
      'waiting',
      'Push the release (2.0.0-bbbbbbbbbbbb)',
      'Push the configuration',
      'Activate it on the host',
      'Check the configuration with the new release',
      'Stop the service gracefully',
      'Verify that the service is healthy',
      'done',
    ])
  })

  test('follows one host through its undo, with the first line of the reason', () => {
    const story = deploymentOf(['web1', 'web2'])
    const entries = [story.start, ...story.undoing('web1')]
    expect(frame(viewOf(entries), now, usual)[1]).toMatch(/^web1 {2}undoing: Start the service +\d+m\d\ds$/)
    entries.push(...story.rolledBack('web1'), ...story.to('web2'), story.end('rolled-back'))
    const run = viewOf(entries)
    expect(frame(run, now, usual)).toEqual(frame(run, now + 60_000, usual))
    expect(frame(run, now, usual)).toEqual([
      expect.stringMatching(/^deploy on 2 hosts: 1 rolled back, 1 done {2}\d+m\d\ds$/),
      expect.stringMatching(/^web1 {2}rolled back: not healthy on 2.0.0-b{12} within 120 s: ht\S*\.\.\. +\S+s$/),
      expect.stringMatching(/^web2 {2}done +\d+s$/),
    ])
  })

  test('cuts long and wide names and titles, and shows no control characters', () => {
    const long = 'a-very-long-name-of-a-host.in.a.very.long.domain.example.org'
    const story = deploymentOf([long, '東京のとても長い名前のサーバー', 'evil\u001b[2Jhost'])
    const entries = [story.start, ...story.to(long, `${long}/release`)]
    for (const columns of [80, 40, 20, 5, 1]) {
      for (const line of frame(viewOf(entries), now, { columns, rows: 24 })) {
        expect(widthOf(line)).toBeLessThanOrEqual(columns)
        expect(line).not.toContain('\u001b')
      }
    }
    expect(show(viewOf(entries), narrow)).toMatchInlineSnapshot(`
      "1 working, 2 waiting  20m00s
      a-ver....org  Push the release... 19m59s
      東京...バー   waiting
      evilhost      waiting"
    `)
  })

  test('paints only what a host is at', () => {
    const story = deploymentOf(['a', 'b'])
    const painted = frame(viewOf([story.start]), now, usual, (state, text) => `<${state}>${text.trimEnd()}`)
    expect(painted[1]).toBe('a  <waiting>waiting')
  })

  test('says below its head that the run pauses, and for how long already', () => {
    const plan = independently('all', [step('a', { host: 'a' }), step('pause', { host: operatorHost })], 1)
    const { start } = deploymentOf(['web1'])
    const run = viewOf([{ ...start, plan } as JournalEntry, { type: 'begin', step: 'pause' }])
    expect(frame(run, Date.parse('2026-11-23T10:01:01Z'), usual)).toEqual([
      'all: 1 waiting  1m01s',
      'Do pause  1m00s',
      'a  waiting',
    ])
    expect(frame(run, now, { columns: 60, rows: 2 })).toHaveLength(1)
  })
})
