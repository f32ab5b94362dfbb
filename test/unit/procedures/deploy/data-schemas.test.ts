import { expect, test } from 'vitest'
import type { DataSchemas } from '../../../../src/model/release-traits.ts'
import { schemaIn } from '../../../../src/procedures/deploy/data-schemas.ts'
import { refuseImpossible } from '../../../../src/procedures/deploy/facts.ts'
import type { ActivationRecord, ActivationRequest } from '../../../../src/procedures/deploy/request.ts'
import { input, recordOf, runningHost } from '../../../support/activation.ts'

const two: DataSchemas = { reads: { from: 1, to: 2 }, writes: 2 }
const three: DataSchemas = { reads: { from: 2, to: 3 }, writes: 3 }
const release = (data?: DataSchemas, checksConfig = true): ActivationRequest =>
  input({ release: { ...input().release, checksConfig, ...(data === undefined ? {} : { traits: { data } }) } })
const served = (data?: DataSchemas, checksConfig = true): readonly ActivationRecord[] => {
  const record = recordOf('run1', '1.0.0', 'a')
  return [
    { ...record, checksConfig, release: { ...record.release, ...(data === undefined ? {} : { traits: { data } }) } },
  ]
}

test.each<[string, ActivationRequest, Partial<Parameters<typeof refuseImpossible>[1]>]>([
  ['a release that reads what was written', release(two), { activations: served(two) }],
  ['one that reads older data', release(two), { activations: served() }],
  ['one of old over one of old', release(), { activations: served(), dataSchema: 1 }],
  ['any where there is nothing yet', release(three), { activations: [], busyPorts: [] }],
  ['a program that is not ours, of which nobody knows', release(undefined, false), { activations: served(two) }],
  [
    'one of old where the server’s data was only added to',
    release(two),
    { activations: served(three), database: { schema: 3, needs: 2 } },
  ],
  ['any where the server has no data yet', release(three), { database: { schema: 0, needs: 0 } }],
  [
    'one that reads what was written, where the server cannot be asked',
    release(two),
    { activations: served(two), database: { unasked: 'it is away' } },
  ],
  [
    'any where the server cannot be asked, and that is accepted',
    { ...release(), unasked: true },
    { activations: served(two), database: { unasked: 'it is away' } },
  ],
  ['one over such a program', release(three), { activations: served(undefined, false) }],
])('%s may come', (_, given, facts) => {
  expect(() => refuseImpossible(given, runningHost(facts))).not.toThrow()
})

test.each<
  [string, ActivationRequest, Partial<Parameters<typeof refuseImpossible>[1]>, readonly [string, string | RegExp]]
>([
  [
    'a release of old after one that writes newer data',
    release(),
    { activations: served(two) },
    [
      '2.0.0-bbbbbbbbbbbb reads data schema 1 alone, and the data here may be of schema 2 (1.0.0-aaaaaaaaaaaa was in service)',
      // The record goes on saying so, whichever checkpoint is restored.
      /^choose a release that reads schema 2: netops deploy --release FILE$/,
    ],
  ],
  [
    'one that the database itself is too new for, whatever the records say',
    release(two),
    { activations: [], dataSchema: 3 },
    [
      'reads data schemas 1 to 2 alone, and the data here may be of schema 3 (the database says so)',
      /restore a checkpoint from before it$/,
    ],
  ],
  [
    'one that the data of the server is too new for, although nobody here wrote it',
    release(two),
    { activations: served(two), database: { schema: 3, needs: 3 } },
    [
      'reads data schemas 1 to 2 alone, and the data here is of schema 3 (the database says so)',
      /^choose a release that reads schema 3: netops deploy --release FILE$/,
    ],
  ],
  [
    'the same where nobody minds that the server is not asked, for it was',
    { ...release(two), unasked: true },
    { activations: served(two), database: { schema: 3, needs: 3 } },
    ['the data here is of schema 3', 'choose a release that reads schema 3'],
  ],
  [
    'one of old where the server cannot be asked',
    release(),
    { activations: served(two), database: { unasked: 'it is away' } },
    [
      'may be of schema 2 (1.0.0-aaaaaaaaaaaa was in service); the database could not be asked: it is away',
      'or go on without asking it: --without-data-check',
    ],
  ],
  [
    'one that no longer reads data so old',
    release(three),
    { activations: served() },
    ['reads data schemas 2 to 3 alone, and the data here may be of schema 1', /^deploy a release in between first/],
  ],
])('%s is refused, with what each reads and writes and a way out', (_, given, facts, [message, hint]) => {
  expect(() => refuseImpossible(given, runningHost(facts))).toThrow(
    expect.objectContaining({
      ...{ code: 'refused', exit: 7, host: 'web1' },
      message: expect.stringContaining(message) as unknown,
      hint: expect.stringMatching(hint) as unknown,
    }),
  )
})

test('the schema of a database is its user version', () => {
  const header = (version: string): string => {
    const bytes = `53514c69746520666f726d6174203300${'00'.repeat(44)}${version}`.match(/../g) ?? []
    return ` ${bytes.slice(0, 16).join(' ')}\n ${bytes.slice(16).join(' ')}\n`
  }
  expect(schemaIn(header('00000002'))).toBe(2)
  expect(schemaIn(header('00000000'))).toBeUndefined()
  expect(schemaIn('')).toBeUndefined()
  expect(schemaIn(` ${'00 '.repeat(64)}`)).toBeUndefined()
})
