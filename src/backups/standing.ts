// How a host's backups stand beside what is promised (guide: Recovery Point Objective). Pure.
import { latest } from '../model/backup-config.ts'
import { isGood, type BackupEntry } from '../model/backup.ts'
import { formatDuration } from '../model/units.ts'
import { bytesOnDisk } from './catalogue.ts'

/** What is promised, in ms. */
export interface Promised {
  readonly configurationMs: number
  readonly stateMs: number
  readonly logMs: number
  readonly verifiedMs: number
  /** The places of which each is to have a copy as young as the configuration's backup; none where no copies are asked for. */
  readonly places?: readonly string[] | undefined
}

export interface HostBackups {
  /** The host's clock, in ms since 1970. */
  readonly nowMs: number
  /** The newest first. */
  readonly entries: readonly BackupEntry[]
  /** Why entries of the catalogue cannot be read. */
  readonly unreadable: readonly string[]
  /** The newest checkpoint on the host itself; undefined where there is none. */
  readonly checkpointMs: number | undefined
  /** Where the service keeps its state; undefined where it keeps none. */
  readonly state: 'sqlite' | 'postgres' | undefined
  /** How the archive of PostgreSQL's log stands; undefined where there is none. */
  readonly log?: LogArchive | undefined
}

export interface LogArchive {
  /** How long what is archived is behind; undefined where nobody knows. */
  readonly behindMs: number | undefined
  /** What is wrong with it, for people; none where all is well. */
  readonly problems: readonly string[]
}

export interface Point {
  readonly of: 'configuration' | 'state' | 'log' | 'verified' | 'copies'
  readonly promisedMs: number
  /** Undefined where there is nothing that could have an age. */
  readonly ageMs: number | undefined
  /** `unjudged`: it is not promised on this host, or not kept by netops. */
  readonly stands: 'in time' | 'behind' | 'unjudged'
  /** For people: what it is the age of. */
  readonly what: string
}

export interface BackupStanding {
  readonly points: readonly Point[]
  readonly behind: boolean
  readonly backups: number
  readonly good: number
  readonly bytes: number
  /** What is known to be damaged, for people. */
  readonly damaged: readonly string[]
}

/** Holds what is there against what is promised. */
export function judgeBackups(host: HostBackups, promised: Promised): BackupStanding {
  const { entries, unreadable } = host
  const points = [
    ...[configurationPoint, statePoint, logPoint, verifiedPoint].map((point) => point(host, promised)),
    ...(promised.places ?? []).map((place) => copiesPoint(host, promised, place)),
  ]
  return {
    points,
    behind: points.some(({ stands }) => stands === 'behind'),
    backups: entries.length,
    good: entries.filter(isGood).length,
    bytes: bytesOnDisk(entries),
    damaged: [
      ...unreadable,
      ...entries.flatMap(({ id, damage }) => (damage === null ? [] : [`${id}: ${damage.what[0] ?? ''}`])),
    ],
  }
}

const ageOf = (host: HostBackups, atMs: number | undefined): number | undefined =>
  atMs === undefined ? undefined : Math.max(0, host.nowMs - atMs)

const judged = (of: Point['of'], promisedMs: number, ageMs: number | undefined, what: string): Point => ({
  ...{ of, promisedMs, ageMs, what },
  stands: ageMs === undefined || ageMs > latest(promisedMs) ? 'behind' : 'in time',
})

/** What was not read back, or is damaged, is no backup to count on. */
function configurationPoint(host: HostBackups, { configurationMs }: Promised): Point {
  const good = host.entries.find((entry) => entry.kind === 'config' && isGood(entry))
  const newest = host.entries.find(({ kind }) => kind === 'config')
  const madeMs = good === undefined ? undefined : Date.parse(good.madeAt)
  const whyNot = newest?.damage === null ? 'not verified' : 'damaged'
  const none = newest === undefined ? 'no backup' : `no good backup (${newest.id} is ${whyNot})`
  const what = good?.id ?? none
  return judged('configuration', configurationMs, ageOf(host, madeMs), what)
}

/** A checkpoint on the host counts: it is the snapshot that the guide asks for. One that is in a good backup does too. */
function statePoint(host: HostBackups, { stateMs }: Promised): Point {
  const { state, entries, checkpointMs } = host
  if (state === undefined) return unjudged('state', stateMs, 'no state here')
  const archived = entries.find((entry) => isGood(entry) && (entry.checkpoint !== null || entry.kind === 'database'))
  const archivedMs = archived === undefined ? undefined : Date.parse(archived.checkpoint?.takenAt ?? archived.madeAt)
  const here = state === 'sqlite' ? checkpointMs : undefined
  const isHere = here !== undefined && here >= (archivedMs ?? -Infinity)
  const what = isHere ? 'checkpoint' : archived === undefined ? 'no copy of the state' : archived.id
  const { log } = host
  // All that was written since a base backup is in the log.
  if (
    state === 'postgres' &&
    archived?.kind === 'database' &&
    log?.behindMs !== undefined &&
    log.problems.length === 0
  ) {
    return judged('state', stateMs, log.behindMs, `${archived.id} and the log since`)
  }
  return judged('state', stateMs, ageOf(host, isHere ? here : archivedMs), what)
}

function logPoint({ state, log }: HostBackups, { logMs }: Promised): Point {
  if (state === 'sqlite') return unjudged('log', logMs, 'SQLite: its log is not copied, only checkpoints are')
  if (state === 'postgres') {
    if (log === undefined) return judged('log', logMs, undefined, 'it is not archived: netops db archive setup')
    const [problem] = log.problems
    return judged('log', logMs, problem === undefined ? log.behindMs : undefined, problem ?? 'it is received')
  }
  return unjudged('log', logMs, 'no state here')
}

const unjudged = (of: Point['of'], promisedMs: number, what: string): Point => ({
  ...{ of, promisedMs, ageMs: undefined, what, stands: 'unjudged' },
})

function verifiedPoint(host: HostBackups, { verifiedMs }: Promised): Point {
  const read = host.entries
    .filter(isGood)
    .map(({ id, verified }) => ({ id, atMs: Date.parse(verified?.at ?? '') }))
    .toSorted((a, b) => b.atMs - a.atMs)
  return judged('verified', verifiedMs, ageOf(host, read[0]?.atMs), read[0]?.id ?? 'none was read back')
}

/** A copy is as old as what it is a copy of. */
function copiesPoint(host: HostBackups, { configurationMs }: Promised, place: string): Point {
  const copied = host.entries.find(({ kind, copies }) => kind === 'config' && copies.some(({ to }) => to === place))
  const madeMs = copied === undefined ? undefined : Date.parse(copied.madeAt)
  const what = copied === undefined ? `nothing in ${place}` : `${copied.id} in ${place}`
  return judged('copies', configurationMs, ageOf(host, madeMs), what)
}

/** `3 h`, `12 min`: how old something is, roughly, for people. */
export function formatAge(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return formatDuration(ms)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`
}
