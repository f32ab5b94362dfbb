// When checkpoints are taken: every so often by the newest one's time, and when somebody asks. Never two at once.
import { statSync } from 'node:fs'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { listCheckpoints } from './files.ts'
import type { TakenCheckpoint } from '../../model/checkpoint.ts'

export interface ScheduleOptions {
  readonly database: string
  readonly folder: string
  /** In ms, as it is now. */
  readonly intervalMs: () => number
  /** Takes one. */
  readonly take: () => Promise<TakenCheckpoint>
  readonly onTaken: (taken: TakenCheckpoint) => void
  readonly onFailure: (reason: string) => void
  /** Whether one may be taken by the clock now: not while the service starts. */
  readonly mayTake: () => boolean
  /** How often it is looked whether one is due, in ms. */
  readonly lookMs?: number
}

/** What is known of checkpoints, for metrics. */
export interface CheckpointFigures {
  /** The newest. */
  readonly last:
    | {
        /** When it was taken, in ms since 1970. */
        readonly lastSuccessMs: number
        /** How long it took; undefined for one of an earlier process. */
        readonly seconds: number | undefined
        readonly bytes: number
      }
    | undefined
  /** Since the start. */
  readonly failures: number
}

export interface CheckpointSchedule {
  /** Takes one that begins after this call. */
  readonly takeNow: () => Promise<TakenCheckpoint>
  /** Undefined where none are taken by this server. */
  readonly figures: () => CheckpointFigures | undefined
  readonly close: () => void
}

// An hour is meant by the hour: half a minute more or less is nobody's loss. A shorter interval is looked at more often.
const usualLookMs = 30_000
// After one that failed (no room, a slow disk): soon enough to matter, and not one attempt after the other.
const retryMs = 5 * 60_000

/** Looks at what is there, and from then on takes checkpoints. */
export async function scheduleCheckpoints(options: ScheduleOptions): Promise<CheckpointSchedule> {
  const { intervalMs, onTaken, onFailure } = options
  const [newest] = await listCheckpoints(options.folder).catch(() => [])
  let figures: CheckpointFigures = {
    last: newest && { lastSuccessMs: newest.takenMs, seconds: undefined, bytes: newest.bytes },
    failures: 0,
  }
  let running: Promise<TakenCheckpoint> | undefined
  let next: Promise<TakenCheckpoint> | undefined
  /** By the clock that never goes back: when one was last taken, or tried, here. */
  let ended: { readonly at: number; readonly well: boolean } | undefined

  const take = async (): Promise<TakenCheckpoint> => {
    try {
      const taken = await options.take()
      const { takenMs, ms, bytes } = taken
      figures = { ...figures, last: { lastSuccessMs: takenMs, seconds: ms / 1000, bytes } }
      ended = { at: performance.now(), well: true }
      onTaken(taken)
      return taken
    } catch (error) {
      figures = { ...figures, failures: figures.failures + 1 }
      ended = { at: performance.now(), well: false }
      onFailure(messageOf(error))
      throw error
    } finally {
      running = undefined
    }
  }
  // Whoever asks while one is being taken wants what was written since: all who do share the next one.
  const takeNow = (): Promise<TakenCheckpoint> => {
    if (running === undefined) return (running = take())
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined
        return (running ??= take())
      })
    return next
  }
  const isDue = (): boolean => {
    if (ended !== undefined) {
      return performance.now() - ended.at >= (ended.well ? intervalMs() : Math.min(intervalMs(), retryMs))
    }
    const since = figures.last?.lastSuccessMs ?? beginningOf(options.database)
    // One from the future: the clock was set back, and when it was taken is not known.
    return since !== undefined && Math.abs(Date.now() - since) >= intervalMs()
  }
  let timer: NodeJS.Timeout | undefined
  const lookLater = () => {
    timer = setTimeout(
      () => {
        if (running === undefined && options.mayTake() && isDue()) takeNow().catch(() => undefined)
        lookLater()
      },
      options.lookMs ?? Math.min(usualLookMs, intervalMs()),
    ).unref()
  }
  lookLater()
  return { takeNow, figures: () => figures, close: () => clearTimeout(timer) }
}

/** When the database was made, in ms since 1970; undefined while there is none. */
function beginningOf(database: string): number | undefined {
  // Not every file system knows (statx(2)): 0 is long ago, so that one is due at once.
  return statSync(database, { throwIfNoEntry: false })?.birthtimeMs
}

/**
 * Where the state is in PostgreSQL: a copy of it belongs to that server, with its log and its replicas.
 * @returns a schedule that takes none, and says why to whoever asks
 */
export const noCheckpoints = (): CheckpointSchedule => ({
  takeNow: () =>
    Promise.reject(
      new NetopsError('failed', {
        message: 'the state is in PostgreSQL, which takes its own copies: no checkpoint was taken',
        hint: 'on the database server: pg_basebackup, or its archive of the write-ahead log',
      }),
    ),
  figures: () => undefined,
  close: () => undefined,
})
