import { describe, expect, it } from 'vitest'
import { problemsOf, type ArchiveStatus } from '../../../src/postgres/archive-status.ts'
import type { ServerFacts } from '../../../src/postgres/server-facts.ts'

const well: Omit<ArchiveStatus, 'problems'> = {
  ...{ mode: 'stream', folder: '/b/wal', server: 'db:5432/network', streaming: true, unasked: undefined },
  slot: { name: 'netops_wal', active: true, keptBytes: 1 << 20, walStatus: 'reserved' },
  last: { name: '000000010000000000000003.partial', ageMs: 500, isPartial: true },
  ...{ received: '0/3000100', lag: { bytes: 0, ms: 0 }, gaps: [], segments: 2 },
}
const server = {} as ServerFacts
const bounds = { rpoMs: 10_000, mostKept: 1 << 30 }
const problems = (differences: Partial<typeof well>, asked: ServerFacts | undefined = server) =>
  problemsOf({ ...well, ...differences }, { bounds, server: asked })

describe('the archive of a log', () => {
  it('is well where the log comes without a gap, and nothing is behind for long', () => {
    expect(problems({})).toEqual([])
    expect(problems({ lag: { bytes: 1 << 20, ms: 9000 } })).toEqual([])
  })
  it.each([
    ['nobody receives it', { streaming: false }, /is not being received/],
    ['the slot is gone', { slot: undefined }, /slot is gone.*netops db archive setup/],
    [
      'the slot is lost',
      { slot: { name: 's', active: false, keptBytes: 0, walStatus: 'lost' } },
      /slot is lost.*base backup/,
    ],
    ['it is behind', { lag: { bytes: 5, ms: 11_000 } }, /5 bytes behind, and nothing came for 11 s/],
    ['segments are missing', { gaps: ['000000010000000000000002'] }, /missing: 000000010000000000000002/],
    [
      'the server keeps too much',
      { slot: { name: 's', active: false, keptBytes: 2 ** 31, walStatus: 'extended' } },
      /keeps 2048 MiB of its log for the slot s/,
    ],
    ['nothing has come', { last: undefined }, /nothing has come into \/b\/wal yet/],
    ['the server fails to copy', { mode: 'archive_command', streaming: false, slot: undefined }, /archive_command/],
  ] satisfies readonly [string, Partial<typeof well>, RegExp][])('is not well where %s', (_, differences, problem) => {
    expect(problems(differences)).toEqual([expect.stringMatching(problem)])
  })
  it('is not well where the server cannot be asked, for then nobody knows', () => {
    const found = problemsOf(
      { ...well, streaming: undefined, slot: undefined, unasked: 'refused' },
      { bounds, server: undefined },
    )
    expect(found).toEqual(['the server cannot be asked: refused'])
  })
})
