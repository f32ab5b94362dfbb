import { describe, expect, test } from 'vitest'
import { rendered } from '../../../../../src/cli/painted.ts'
import { plainLine } from '../../../../../src/cli/present/progress/plain.ts'
import { advance, unknownRun } from '../../../../../src/cli/present/progress/state.ts'
import type { JournalEntry } from '../../../../../src/model/journal.ts'
import { independently, operatorHost } from '../../../../../src/model/plan.ts'
import { deploymentOf, recordsOf } from '../../../../support/fleet-story.ts'
import { step } from '../../../../support/model-world.ts'

function linesOf(entries: readonly JournalEntry[], verbosity = 0): readonly string[] {
  let run = unknownRun
  return recordsOf(entries).flatMap((record) => {
    run = advance(run, record)
    const line = plainLine(run, record, { color: false, verbosity })
    return line === undefined ? [] : rendered(line)
  })
}

describe('plain lines', () => {
  test('tell each step when it ends, and what a host reports in place of the step that started it', () => {
    const story = deploymentOf(['web1'])
    expect(linesOf([story.start, ...story.to('web1')])).toMatchInlineSnapshot(`
      [
        "web1     Push the release (2.0.0-bbbbbbbbbbbb): ok 1.0 s",
        "web1     Push the configuration: ok 1.0 s",
        "web1     Check the configuration with the new release: ok 1.0 s",
        "web1     Back up the current configuration: ok 1.0 s",
        "web1     Deploy the new binaries (2.0.0-bbbbbbbbbbbb): ok 1.0 s",
        "web1     Stop the service gracefully: ok 1.0 s",
        "web1     Switch to 2.0.0-bbbbbbbbbbbb: ok 1.0 s",
        "web1     Update the configuration: ok 1.0 s",
        "web1     Install the systemd unit: ok 1.0 s",
        "web1     Start the service: ok 1.0 s",
        "web1     Verify that the service is healthy: ok 1.0 s",
        "web1     Record the activation: ok 1.0 s",
        "web1     Remove what is no longer needed: ok 1.0 s",
      ]
    `)
  })

  test('tell why a step failed, once, and what is put back', () => {
    const story = deploymentOf(['web1'])
    const entries = [story.start, ...story.undoing('web1'), ...story.rolledBack('web1'), story.end('rolled-back')]
    expect(linesOf(entries).slice(-7)).toMatchInlineSnapshot(`
      [
        "web1     Install the systemd unit: undone 1.0 s",
        "web1     Update the configuration: undone 1.0 s",
        "web1     Switch to 2.0.0-bbbbbbbbbbbb: undone 1.0 s",
        "web1     Stop the service gracefully: undone 1.0 s",
        "web1     Deploy the new binaries (2.0.0-bbbbbbbbbbbb): undone 1.0 s",
        "web1     Check the configuration with the new release: undone 1.0 s",
        "web1     Activate it on the host: FAILED 36.0 s",
      ]
    `)
  })

  test.each([
    [{ bytes: 2_900_000, of: 129_400_000 }, ', 2.9 MB of 129.4 MB sent'],
    [{ bytes: 129_400_000, of: 129_400_000 }, ', 129.4 MB of 129.4 MB sent'],
    [{ bytes: 300, of: 300 }, ''],
  ])('tell what a push sent, unless it is small: %o', (pushed, told) => {
    const { start } = deploymentOf(['web1'])
    const done: JournalEntry = { type: 'done', step: 'web1/release', changed: false, pushed }
    expect(linesOf([start, { type: 'begin', step: 'web1/release' }, done])).toEqual([
      `web1     Push the release (2.0.0-bbbbbbbbbbbb): ok 1.0 s${told}`,
    ])
  })

  test('tell why a host did not begin its part', () => {
    const story = deploymentOf(['web1'])
    const refused: JournalEntry = {
      type: 'failed',
      step: 'web1/activate',
      error: { code: 'locked', message: 'another run\nholds it' },
    }
    expect(linesOf([story.start, ...story.to('web1', 'web1/activate'), refused]).at(-1)).toBe(
      'web1     Activate it on the host: FAILED 1.0 s\n    another run\n    holds it',
    )
  })

  test('tell of steps that found nothing to do when asked to tell more', () => {
    const story = deploymentOf(['web1'])
    const entries = [story.start, ...story.to('web1', 'web1/release')]
    expect(linesOf(entries)).toEqual([])
    expect(linesOf(entries, 1)).toEqual(['web1     Push netops: unchanged', 'web1     Take the host: ok 1.0 s'])
  })

  test('align the names of hosts to the longest', () => {
    const steps = ['web1', 'database-1.example'].map((host) => step(host, { host }))
    const start: JournalEntry = {
      ...{ type: 'run', run: 'r', procedure: 'test', by: 'test', input: null, facts: null },
      plan: independently('all', steps, 2),
      planSha256: '',
    }
    const entries = steps.flatMap(({ id }): JournalEntry[] => [
      { type: 'begin', step: id },
      { type: 'done', step: id, changed: true },
    ])
    expect(linesOf([start, ...entries])).toEqual([
      'web1               Do web1: ok 1.0 s',
      'database-1.example Do database-1.example: ok 1.0 s',
    ])
  })

  test('tell of a pause when it begins', () => {
    const plan = independently('all', [step('a/one', { host: 'a' }), step('pause', { host: operatorHost })], 1)
    const { start } = deploymentOf(['web1'])
    const steps: JournalEntry[] = [
      { type: 'begin', step: 'pause' },
      { type: 'done', step: 'pause', changed: false },
    ]
    expect(linesOf([{ ...start, plan } as JournalEntry, ...steps])).toEqual(['Do pause'])
  })
})
