// Runs as they lie on a disk once they are over, or as a crash left them: without carrying anything out.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { planHash } from '../../src/engine/journal.ts'
import type { RunFile } from '../../src/engine/run-file.ts'
import type { JournalEntry } from '../../src/model/journal.ts'
import { sequence } from '../../src/model/plan.ts'

export interface OldRun {
  readonly run: string
  /** What its file says; without any, it is of a netops that wrote none. */
  readonly file?: Partial<RunFile> | undefined
  /** The text of its journal, or how many lines it has and how the last one ends it. */
  readonly journal: string | { readonly lines: number; readonly ended: boolean }
  /** The build that its request names. */
  readonly netops?: string
}

export const began = '2026-01-02T03:04:05.000Z'

/** A journal of so many lines: a beginning, steps, and an end if asked. */
export function journalText(
  run: string,
  { lines, ended }: { readonly lines: number; readonly ended: boolean },
): string {
  const plan = sequence('nothing', [])
  const start: JournalEntry = {
    type: 'run',
    run,
    procedure: 'deploy',
    by: 'test',
    input: { release: 'x'.repeat(1000) },
    facts: null,
    plan,
    planSha256: planHash(plan),
  }
  const steps = Array.from({ length: lines - (ended ? 2 : 1) }, (_, index): JournalEntry => {
    const step = `step-${Math.floor(index / 2)}`
    return index % 2 === 0 ? { type: 'begin', step } : { type: 'done', step, changed: true }
  })
  const end: readonly JournalEntry[] = ended ? [{ type: 'end', outcome: 'done', changed: true }] : []
  return [start, ...steps, ...end]
    .map((entry, index) => `${JSON.stringify({ netops: 1, seq: index + 1, at: began, ...entry })}\n`)
    .join('')
}

/** Writes a run down in a folder of runs. */
export async function layDown(runs: string, { run, file, journal, netops }: OldRun): Promise<void> {
  const folder = join(runs, run)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'journal.jsonl'), typeof journal === 'string' ? journal : journalText(run, journal))
  if (netops !== undefined) await writeFile(join(folder, 'order.json'), `${JSON.stringify({ run, netops })}\n`)
  if (file === undefined) return
  const whole: RunFile = {
    schema: 'netops/run/v1',
    run,
    scope: 'host',
    procedure: 'deploy',
    leases: ['release'],
    started: began,
    state: 'ended',
    outcome: 'done',
    changed: true,
    at: began,
    ...file,
  }
  await writeFile(join(folder, 'run.json'), `${JSON.stringify(whole)}\n`)
}

/** Marks a run as open. */
export async function markOpen(runs: string, run: string): Promise<void> {
  const folder = join(dirname(runs), 'open')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, run), '')
}
