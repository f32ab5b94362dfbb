// What can go wrong, as values: one code a kind of failure, one exit code a kind, one rule to join several hosts' codes.

/**
 * Every kind of failure with the exit code a shell sees and what it means.
 * Printed by `netops help exit-codes` and kept equal to docs/exit-codes.md by a test.
 */
export const exitCodes = {
  done: { exit: 0, meaning: 'done, or nothing to do' },
  failed: { exit: 1, meaning: 'failed; undone, or nothing was touched' },
  usage: { exit: 2, meaning: 'bad usage or invalid configuration' },
  partly: { exit: 3, meaning: 'partly done: at least one host is changed and kept, or an undo failed' },
  unreachable: { exit: 4, meaning: 'a host could not be reached' },
  unhealthy: { exit: 5, meaning: 'the service is not healthy' },
  locked: { exit: 6, meaning: 'another run holds the lock, or an unfinished run is in the way' },
  refused: { exit: 7, meaning: 'refused by a safety rule' },
  'rolled-back': { exit: 8, meaning: 'failed, and rolled back to a healthy previous release' },
  damaged: { exit: 9, meaning: 'found damage: a verification failed' },
  interrupted: { exit: 130, meaning: 'interrupted by the operator' },
} as const

/** A kind of outcome; `done` never travels as an error. */
export type Outcome = keyof typeof exitCodes
export type ErrorCode = Exclude<Outcome, 'done'>

export const errorCodes = Object.keys(exitCodes).filter((code): code is ErrorCode => code !== 'done')

export interface ErrorDetail {
  /** What happened and what state things are in. */
  readonly message: string
  /** The next command to run or the thing to change. */
  readonly hint?: string | undefined
  /** The last lines of what the service said, fit to be shown. */
  readonly log?: readonly string[] | undefined
  readonly host?: string | undefined
  /** The id of the step that failed. */
  readonly step?: string | undefined
  /** The run can go on from here: nothing is to be undone, and `runs resume` finishes it. */
  readonly resumable?: boolean | undefined
  readonly cause?: unknown
}

/** A failure that a user can act on. Anything else that is thrown is a defect of netops. */
export class NetopsError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly log: readonly string[]
  readonly host: string | undefined
  readonly step: string | undefined
  readonly resumable: boolean

  constructor(code: ErrorCode, detail: ErrorDetail) {
    super(detail.message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = 'NetopsError'
    this.code = code
    this.hint = detail.hint
    this.log = detail.log ?? []
    this.host = detail.host
    this.step = detail.step
    this.resumable = detail.resumable ?? (code === 'unreachable' || code === 'interrupted')
  }

  get exit(): number {
    return exitCodes[this.code].exit
  }
}

/** The same failure, told with the host and the step where it happened unless it already names them. */
export function locate(error: unknown, place: { host?: string; step?: string }): NetopsError {
  const known = error instanceof NetopsError
  return new NetopsError(known ? error.code : 'failed', {
    message: messageOf(error),
    hint: known ? error.hint : undefined,
    log: known ? error.log : [],
    host: (known ? error.host : undefined) ?? place.host,
    step: (known ? error.step : undefined) ?? place.step,
    resumable: known ? error.resumable : undefined,
    cause: known ? error.cause : error,
  })
}

/** The one-line text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The system error code (`ENOENT`, ...) of anything that was thrown, if it has one. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

/** One host's part of a run, as far as the joint exit code needs it. */
export interface HostOutcome {
  readonly outcome: Outcome
  /** Whether the host was changed and the change was kept. */
  readonly changed: boolean
}

// docs/exit-codes.md explains the order: what the operator must act on first comes first.
const order: readonly ErrorCode[] = [
  'usage',
  'refused',
  'locked',
  'interrupted',
  'partly',
  'damaged',
  'rolled-back',
  'unhealthy',
  'unreachable',
  'failed',
]

/** The outcome of a run over several hosts: the first that applies of the documented order. */
export function joinOutcomes(hosts: readonly HostOutcome[]): Outcome {
  const failures = hosts.map((host) => host.outcome).filter((outcome) => outcome !== 'done')
  if (failures.length === 0) return 'done'
  const present = new Set<Outcome>(failures)
  if (hosts.some((host) => host.changed)) present.add('partly')
  return order.find((code) => present.has(code)) ?? 'failed'
}
