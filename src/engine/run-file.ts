// What is known of each run without its journal, and which runs are open: so that nobody has to read old journals.
import { promises as fs } from 'node:fs'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { NetopsError, systemCode } from '../model/errors.ts'
import { outcome } from '../model/failure.ts'
import type { JournalRecord } from '../model/journal.ts'
import { parseJson } from '../model/json.ts'
import { leaseNames } from '../model/leases.ts'
import { listIfAny, readTextIfAny, syncFolder, writeFileAtomic } from '../system/files.ts'
import { readJournal, runState } from './journal.ts'

const runFile = z.strictObject({
  schema: z.literal('netops/run/v1'),
  run: z.string(),
  /** `host`: a run of one host, on that host. `fleet`: an operator's, over hosts. */
  scope: z.enum(['host', 'fleet']),
  /** The fleet run that a host run is part of; one that was started on the host has none. */
  fleet: z.string().exactOptional(),
  procedure: z.string(),
  host: z.string().exactOptional(),
  leases: z.array(z.enum(leaseNames)).exactOptional(),
  /** The netops build that carries it out, and would go on with it. */
  netops: z.string().exactOptional(),
  started: z.string(),
  state: z.enum(['running', 'parked', 'ended']),
  outcome: outcome.exactOptional(),
  changed: z.boolean().exactOptional(),
  undone: z.literal(true).exactOptional(),
  /** When it was last written. */
  at: z.string(),
})
export type RunFile = z.infer<typeof runFile>

/** What a run is, before it is known how it goes. */
export type RunDescription = Omit<RunFile, 'schema' | 'state' | 'outcome' | 'changed' | 'undone' | 'at'>

/** What a file says of what its run is, without how it goes. */
const descriptionIn = ({
  run,
  scope,
  fleet,
  procedure,
  host,
  leases,
  netops,
  started,
}: RunDescription): RunDescription => ({
  run,
  scope,
  ...(fleet === undefined ? {} : { fleet }),
  procedure,
  ...(host === undefined ? {} : { host }),
  ...(leases === undefined ? {} : { leases }),
  ...(netops === undefined ? {} : { netops }),
  started,
})

export const runFilePath = (runs: string, run: string): string => join(runs, run, 'run.json')

/** Where the runs of a folder are marked as long as they are open. */
const openFolder = (runs: string): string => join(dirname(runs), 'open')

/** A text as a run's file; undefined for one that this netops does not understand. */
export function parseRunFile(text: string): RunFile | undefined {
  const parsed = runFile.safeParse(parseJson(text))
  return parsed.success ? parsed.data : undefined
}

/** Undefined where there is none, as for runs of old, or it is not understood. */
export async function readRunFile(runs: string, run: string): Promise<RunFile | undefined> {
  const text = await readTextIfAny(runFilePath(runs, run))
  return text === undefined ? undefined : parseRunFile(text)
}

/**
 * Says that a run is open and what it is, unless that is known. On the disk, in that order, before its first record is. A run
 * that goes on, or back, does so also where it cannot be said: a full disk may be why it stopped.
 */
export async function openRun(runs: string, description: RunDescription, now: Date): Promise<void> {
  const known = await readRunFile(runs, description.run)
  const what = known === undefined ? description : descriptionIn(known)
  try {
    await markOpen(runs, what.run)
    await write(runs, { schema: 'netops/run/v1', ...what, state: 'running', at: now.toISOString() })
  } catch (error) {
    if (known === undefined || systemCode(error) === undefined) throw error
  }
}

async function markOpen(runs: string, run: string): Promise<void> {
  await fs.mkdir(join(runs, run), { recursive: true, mode: 0o700 })
  const folder = openFolder(runs)
  const made = await fs.mkdir(folder, { recursive: true, mode: 0o700 })
  await fs.writeFile(join(folder, run), '', { mode: 0o600 })
  await syncFolder(folder)
  if (made !== undefined) await syncFolder(dirname(folder))
}

const write = (runs: string, file: RunFile): Promise<void> =>
  writeFileAtomic(runFilePath(runs, file.run), `${JSON.stringify(file)}\n`, 0o600)

/**
 * Says how a run stands by its records: after its end it is open no more.
 * @param description what it is where no file says so; without one nothing is done then
 */
export async function settleRun(
  runs: string,
  run: string,
  records: readonly JournalRecord[],
  description?: RunDescription,
): Promise<void> {
  const known = (await readRunFile(runs, run)) ?? description
  if (known === undefined) return
  const { end } = runState(records)
  const last = records.at(-1)
  const what = descriptionIn(known)
  const file: RunFile = {
    ...what,
    schema: 'netops/run/v1',
    state: end !== undefined ? 'ended' : last?.type === 'parked' ? 'parked' : 'running',
    ...(end === undefined ? {} : { outcome: end.outcome, changed: end.changed }),
    ...(end?.undone === true ? { undone: true } : {}),
    at: last?.at ?? what.started,
  }
  await write(runs, file)
  if (end !== undefined) await closeRun(runs, run)
}

/** Says that a run is over. A power cut may undo that: then its journal tells that it has ended. */
export async function closeRun(runs: string, run: string): Promise<void> {
  await fs.rm(join(openFolder(runs), run), { force: true })
}

/** The names of runs that are open, or whose process died between their end and saying so. */
export const openRuns = (runs: string): Promise<readonly string[]> => listIfAny(openFolder(runs))

/** A journal that this netops does not understand is left alone. */
const ignoreDamage = (error: unknown): undefined => {
  if (error instanceof NetopsError) return undefined
  throw error
}

/** A run by its file, or where there is none by its journal. */
export async function describeRun(runs: string, run: string): Promise<RunFile> {
  const file = await readRunFile(runs, run)
  // Its process may have died before it could say how the run ended.
  if (file !== undefined && file.state !== 'running') return file
  const records = (await readJournal(runs, run).catch(ignoreDamage)) ?? []
  const { start, end } = runState(records)
  const last = records.at(-1)
  return {
    ...(file ?? {
      run,
      // Runs of old tell by their names: `RUN.web1`.
      scope: run.includes('.') ? ('host' as const) : ('fleet' as const),
      procedure: start?.procedure ?? 'unknown',
      started: start?.at ?? end?.at ?? '',
    }),
    schema: 'netops/run/v1',
    state: end !== undefined ? 'ended' : last?.type === 'parked' ? 'parked' : 'running',
    ...(end === undefined ? {} : { outcome: end.outcome, changed: end.changed }),
    ...(end?.undone === true ? { undone: true } : {}),
    at: last?.at ?? file?.at ?? '',
  }
}

/** All runs of a folder, oldest first. */
export async function describeRuns(runs: string): Promise<readonly RunFile[]> {
  const names = await listIfAny(runs)
  const files = await Promise.all(names.map((run) => describeRun(runs, run)))
  return files.sort((a, b) => a.started.localeCompare(b.started))
}
