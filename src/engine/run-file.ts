// What is known of each run without its journal, and which runs are open: so that nobody has to read old journals.
import { promises as fs } from 'node:fs'
import { dirname, join } from 'node:path'
import pLimit from 'p-limit'
import * as z from 'zod'
import { NetopsError, systemCode } from '../model/errors.ts'
import { outcome } from '../model/failure.ts'
import type { JournalRecord } from '../model/journal.ts'
import { parseJson } from '../model/json.ts'
import { leaseNames, type LeaseName } from '../model/leases.ts'
import { putAside } from '../model/state-text.ts'
import { listIfAny, syncFolder, writeFileAtomic } from '../system/files.ts'
import { makeStateFolder, readState } from '../system/state-file.ts'
import { readJournal, runState } from './journal.ts'
import { nextNumber } from './sequence.ts'

const runFile = z.strictObject({
  schema: z.literal('netops/run/v1'),
  run: z.string(),
  /** `host`: a run of one host, on that host. `fleet`: an operator's, over hosts. */
  scope: z.enum(['host', 'fleet']),
  /** The fleet run that a host run is part of; one that was started on the host has none. */
  fleet: z.string().exactOptional(),
  /** The operator's fleet file that it was begun with, and what that said its hosts were. */
  fleetFile: z.string().exactOptional(),
  environment: z.string().exactOptional(),
  procedure: z.string(),
  host: z.string().exactOptional(),
  leases: z.array(z.enum(leaseNames)).exactOptional(),
  /** The netops build that carries it out, and would go on with it. */
  netops: z.string().exactOptional(),
  started: z.string(),
  /** Its place among the runs of this machine, by the machine's own count; runs of old have none, and came before. */
  sequence: z.int().positive().exactOptional(),
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
  fleetFile,
  environment,
  procedure,
  host,
  leases,
  netops,
  started,
  sequence,
}: RunDescription): RunDescription => ({
  run,
  scope,
  ...(fleet === undefined ? {} : { fleet }),
  ...(fleetFile === undefined ? {} : { fleetFile }),
  ...(environment === undefined ? {} : { environment }),
  procedure,
  ...(host === undefined ? {} : { host }),
  ...(leases === undefined ? {} : { leases }),
  ...(netops === undefined ? {} : { netops }),
  started,
  ...(sequence === undefined ? {} : { sequence }),
})

export const runFilePath = (runs: string, run: string): string => join(runs, run, 'run.json')

/** Where the runs of a folder are marked as long as they are open. */
const openFolder = (runs: string): string => join(dirname(runs), 'open')

// Files that are open at once: a process may have 1,024 (getrlimit(2)).
const atOnce = 100
const forEach = <T>(runs: readonly string[], look: (run: string) => Promise<T>): Promise<T[]> =>
  pLimit(atOnce).map(runs, look)

/** A run that was not written down before gets its place among the others. */
const placed = async (runs: string, description: RunDescription): Promise<RunDescription> => ({
  ...description,
  sequence: await nextNumber(join(dirname(runs), 'sequence'), () => highestOf(runs)),
})

async function highestOf(runs: string): Promise<number> {
  const files = await forEach(await listIfAny(runs), (run) => readRunFile(runs, run))
  return files.reduce((highest, file) => Math.max(highest, file?.sequence ?? 0), 0)
}

/** A text as a run's file; undefined for one that this netops does not understand. */
export function parseRunFile(text: string): RunFile | undefined {
  const parsed = runFile.safeParse(parseJson(text))
  return parsed.success ? parsed.data : undefined
}

/** A run's file as it is found. */
interface FoundFile {
  readonly file?: RunFile
  /** Why it cannot be read, where there is one. */
  readonly damage?: NetopsError
}

async function findRunFile(runs: string, run: string): Promise<FoundFile> {
  const path = runFilePath(runs, run)
  try {
    const file = await readState(runFile, { path, hint: putAside(path) })
    return file === undefined ? {} : { file }
  } catch (error) {
    if (error instanceof NetopsError) return { damage: error }
    throw error
  }
}

/** Undefined where there is none, as for runs of old, or it is not understood. */
export const readRunFile = async (runs: string, run: string): Promise<RunFile | undefined> =>
  (await findRunFile(runs, run)).file

/**
 * Says that a run is open and what it is, unless that is known. On the disk, in that order, before its first record is. A run
 * that goes on, or back, does so also where it cannot be said: a full disk may be why it stopped.
 */
export async function openRun(runs: string, description: RunDescription, now: Date): Promise<void> {
  const { file: known, damage } = await findRunFile(runs, description.run)
  const goesOn = known !== undefined || damage !== undefined
  try {
    const what = known === undefined ? await placed(runs, description) : descriptionIn(known)
    await markOpen(runs, what.run)
    await write(runs, { schema: 'netops/run/v1', ...what, state: 'running', at: now.toISOString() })
  } catch (error) {
    if (!goesOn || systemCode(error) === undefined) throw error
  }
}

async function markOpen(runs: string, run: string): Promise<void> {
  await makeStateFolder(join(runs, run))
  const folder = openFolder(runs)
  const made = await makeStateFolder(folder)
  await fs.writeFile(join(folder, run), '', { mode: 0o600 })
  await syncFolder(folder)
  if (made) await syncFolder(dirname(folder))
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
  const known = await readRunFile(runs, run)
  const what =
    known !== undefined ? descriptionIn(known) : description === undefined ? undefined : await placed(runs, description)
  if (what === undefined) return
  await write(runs, { ...what, ...standingIn(records), at: records.at(-1)?.at ?? what.started })
  if (runState(records).end !== undefined) await closeRun(runs, run)
}

/** How a run stands by its records. */
function standingIn(
  records: readonly JournalRecord[],
): Pick<RunFile, 'schema' | 'state' | 'outcome' | 'changed' | 'undone'> {
  const { end } = runState(records)
  return {
    schema: 'netops/run/v1',
    state: end !== undefined ? 'ended' : records.at(-1)?.type === 'parked' ? 'parked' : 'running',
    ...(end === undefined ? {} : { outcome: end.outcome, changed: end.changed }),
    ...(end?.undone === true ? { undone: true } : {}),
  }
}

/** Says that a run is over. A power cut may undo that: then its journal tells that it has ended. */
export async function closeRun(runs: string, run: string): Promise<void> {
  await fs.rm(join(openFolder(runs), run), { force: true })
}

/** Takes a run away that never began: nothing of it stays on the disk. */
export async function forgetRun(runs: string, run: string): Promise<void> {
  await closeRun(runs, run)
  await fs.rm(join(runs, run), { recursive: true, force: true })
}

/** The names of runs that are open, or whose process died between their end and saying so. */
export const openRuns = (runs: string): Promise<readonly string[]> => listIfAny(openFolder(runs))

/** A run as far as its files can be read. */
export interface KnownRun extends RunFile {
  /** What is damaged of it; where it is the file, its place among the others is not known. */
  readonly damage?: { readonly what: 'file' | 'journal'; readonly error: NetopsError }
}

/** A run by its file, or where there is none by its journal; one that is damaged too, as far as it can be read. */
export async function describeRun(runs: string, run: string): Promise<KnownRun> {
  const { file, damage } = await findRunFile(runs, run)
  // Its process may have died before it could say how the run ended.
  if (file !== undefined && file.state !== 'running') return file
  const journal = await findJournal(runs, run)
  const { start, end } = runState(journal.records)
  const error = damage ?? journal.damage
  return {
    ...(file ?? {
      run,
      // Runs of old tell by their names: `RUN.web1`.
      scope: run.includes('.') ? ('host' as const) : ('fleet' as const),
      procedure: start?.procedure ?? 'unknown',
      started: start?.at ?? end?.at ?? '',
    }),
    ...standingIn(journal.records),
    at: journal.records.at(-1)?.at ?? file?.at ?? '',
    ...(error === undefined ? {} : { damage: { what: damage === undefined ? 'journal' : 'file', error } }),
  }
}

/** A journal that this netops does not understand is left alone. */
async function findJournal(
  runs: string,
  run: string,
): Promise<{ readonly records: readonly JournalRecord[]; readonly damage?: NetopsError }> {
  try {
    return { records: (await readJournal(runs, run)) ?? [] }
  } catch (error) {
    if (error instanceof NetopsError) return { records: [], damage: error }
    throw error
  }
}

/** All runs of a folder in the order in which they were begun. One whose file is damaged may be the newest. */
export async function describeRuns(runs: string): Promise<readonly KnownRun[]> {
  const files = await forEach(await listIfAny(runs), (run) => describeRun(runs, run))
  return files.sort((a, b) => {
    const [one, other] = [placeAmong(a), placeAmong(b)]
    return one === other ? a.started.localeCompare(b.started) : one - other
  })
}

/** Runs of old are not counted, and came before; where a file is damaged, any place may be right. */
const placeAmong = ({ sequence, damage }: KnownRun): number => (isLost(damage) ? Infinity : (sequence ?? 0))

/** Whether it cannot be told where a run stands among the others. */
export const isLost = (damage: KnownRun['damage']): boolean =>
  damage?.what === 'file' && damage.error.code === 'damaged'

/** The runs of this host itself that are open, were begun and have not ended, of those that need such a lease. */
export async function halfDoneRuns(runs: string, lease: LeaseName): Promise<readonly Pick<RunFile, 'run' | 'fleet'>[]> {
  const found = await forEach(await openRuns(runs), async (run) => {
    const file = await readRunFile(runs, run)
    const { records, damage } = await findJournal(runs, run)
    const { start, end } = runState(records)
    // Where it cannot be told, it may be.
    const half = damage !== undefined || (start !== undefined && end === undefined)
    const isHosts = file === undefined ? run.includes('.') : file.scope === 'host'
    if (!half || !isHosts || file?.leases?.includes(lease) === false) return []
    return [{ run, ...(file?.fleet === undefined ? {} : { fleet: file.fleet }) }]
  })
  return found.flat()
}
