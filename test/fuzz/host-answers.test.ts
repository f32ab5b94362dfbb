// Whatever a host answers: commands end with an exit code, and neither the terminal nor a document gets anything but text.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { NetopsError } from '../../src/model/errors.ts'
import { RelayedRecords } from '../../src/runs/relayed-records.ts'
import { fakeConnections, type FakeHost } from '../support/fake-hosts.ts'
import { deploymentOf, recordsOf } from '../support/fleet-story.ts'
import { fuzz } from '../support/fuzz.ts'
import { runCommand } from '../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '\u001b[2J',
    '\u009b31m',
    '\u202e',
    '\u2028',
    '\n',
    '\r',
    '\u0000',
    '',
    '-1',
    '1e999',
    'aaaa',
    '../../x',
  ),
)
const names = [
  'ok',
  'hosts',
  'locks',
  'lease',
  'run',
  'reason',
  'user',
  'from',
  'since',
  'status',
  'headers',
  'body',
  'error',
  'code',
  'message',
  'release',
  'endpoints',
  'schema',
  '__proto__',
]
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.double(),
    fc.constantFrom<unknown>(null, true, 0, 200, 'failed', 'locked', 'held', 'at work', 'netops/activation/v1'),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc
      .array(fc.tuple(fc.constantFrom(...names), tie('tree')), { maxLength: 5 })
      .map((pairs) => Object.fromEntries(pairs)),
  ),
}))
const locks = fc.record({
  hosts: fc.tuple(
    fc.record({
      locks: fc.array(
        fc.record({
          ...{ lease: word, run: word, reason: word, user: word, from: word, since: word, silentSeconds: fc.nat() },
          ...{
            standing: fc.constantFrom('held', 'silent', 'dead'),
            state: fc.constantFrom('at work', 'unfinished', 'over'),
          },
        }),
        { maxLength: 3 },
      ),
    }),
  ),
})
const text = fc.oneof(
  word,
  tree.map((value) => JSON.stringify(value)),
  locks.map((value) => JSON.stringify(value)),
  fc
    .array(fc.tuple(fc.constantFrom('LoadState', 'ActiveState', 'MainPID', 'NRestarts'), word), { maxLength: 4 })
    .map((pairs) => pairs.map(([name, value]) => `${name}=${value}\n`).join('')),
)
const reply = fc.record({
  code: fc.constantFrom(0, 0, 0, 1, 127, 255),
  stdout: text,
  stderr: fc.oneof(fc.constant(''), word),
})
const commands = [
  ['status'],
  ['health'],
  ['lock', 'status'],
  ['inventory', 'check'],
  ['preflight'],
  ['logs'],
  ['tune', 'verify'],
]

test('any answer of a host ends a command with an exit code, and is shown as text alone', async () => {
  const input = fc.record({
    words: fc.constantFrom(...commands),
    json: fc.boolean(),
    replies: fc.array(reply, { minLength: 1, maxLength: 6 }),
  })
  await fuzz(input, 300, async ({ words, json, replies }) => {
    let next = 0
    const answer = () => replies[next++ % replies.length] ?? {}
    const host: FakeHost = {
      commands: [
        [/^ls -1t /, { stdout: 'aaaa\n' }],
        [/./s, answer],
      ],
    }
    const connections = fakeConnections({ web1: host, web2: host, db1: host })
    const { exit, stdout, stderr } = await runCommand(json ? [...words, '--json'] : words, {
      cwd: fleet.cwd,
      connections,
    })
    expect([0, 1, 2, 3, 4, 5, 6, 7, 9]).toContain(exit)
    expect(`${stderr}${stdout}`).not.toContain('a defect of netops')
    if (json) expect(JSON.parse(stdout)).toMatchObject({ schema: 'netops/v1' })
    expect(stderr).not.toMatch(unsafe)
    // Lines of a log are bytes to whatever is no terminal.
    if (json || words[0] !== 'logs') expect(stdout).not.toMatch(unsafe)
  })
})

/** The records of a whole deployment as a host sends them, with some places replaced. */
const stream = recordsOf([deploymentOf(['web1']).start, ...deploymentOf(['web1']).to('web1')])
  .flatMap((record) => (record.type === 'relayed' ? [record.record] : []))
  .map((record, index) => JSON.stringify({ ...record, seq: index + 1 }))
const forged = fc.array(
  fc.tuple(
    fc.constantFrom(...stream),
    fc.nat(),
    fc.nat(12),
    fc.oneof(word, fc.constantFrom('"seq":2', '"step":"web2/stop"', '}')),
  ),
  { maxLength: 8 },
)

test('any stream of records of a host is read in order or refused by name', async () => {
  await fuzz(forged, 1000, (lines) => {
    const records = new RelayedRecords({ host: 'web1', run: '20261123T104501Z-deploy-3f9a.web1', from: 1 })
    let last = 0
    try {
      for (const [line, at, less, put] of lines) {
        const start = at % (line.length + 1)
        const record = records.read(at % 3 === 0 ? line : line.slice(0, start) + put + line.slice(start + less))
        if (record !== undefined) expect(record.seq).toBe((last += 1))
      }
    } catch (error) {
      expect(error).toBeInstanceOf(NetopsError)
      expect(error).toMatchObject({ code: 'damaged', host: 'web1' })
    }
  })
})
