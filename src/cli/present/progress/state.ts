// How far a run has come, host by host, from its journal's records alone: what every view of a run is drawn from. Pure.
import type { ErrorCode } from '../../../model/errors.ts'
import type { EndRecord, Failure, JournalRecord, OwnRecord, RunRecord } from '../../../model/journal.ts'
import { operatorHost, stepsOf, waitedText, type Step, type Wait } from '../../../model/plan.ts'
import { SharedMap } from './shared-map.ts'
import { progressText } from './amount.ts'
import { widthOf } from './text.ts'

/** How one host stands; `unfinished` and `not-begun` are what the end of the run left in the middle or untouched. */
export type HostState =
  | 'waiting'
  | 'working'
  | 'undoing'
  | 'done'
  | 'unchanged'
  | 'undone'
  | 'rolled-back'
  | 'failed'
  | 'parked'
  | 'unfinished'
  | 'not-begun'

export interface StepView {
  readonly title: string
  /** A host's part, whose own records are relayed. */
  readonly hostRun: boolean
  /** It only takes the host or gives it back: no work on the host by itself. */
  readonly quiet: boolean
  readonly undoable: boolean
  readonly commits: boolean
  /** What it waits for, where that may end in several ways. */
  readonly wait: Wait | undefined
  readonly state: 'waiting' | 'begun' | Exclude<StepRecord['type'], 'begin'>
  /** When it, or its undo, began; by the clock of the machine that wrote the record. */
  readonly begun: number | undefined
}

export interface HostView {
  readonly name: string
  readonly state: HostState
  /** The title of the step that was begun last. */
  readonly phase: string
  /** Why it failed. */
  readonly reason: string | undefined
  /** When its first step began and when its state became final; by the clock of the machine that keeps the journal. */
  readonly since: number | undefined
  readonly until: number | undefined
  readonly changed: boolean
  /** Its steps by their keys: those of the plan, then those that its part reported. */
  readonly steps: SharedMap<StepView>
  /** How many of them have to be done yet until the host is. */
  readonly left: number
  /** The steps whose host runs have told of their own steps. */
  readonly reporting: readonly string[]
}

export interface RunView {
  readonly title: string
  readonly since: number | undefined
  readonly until: number | undefined
  /** In the order of the plan. */
  readonly hosts: SharedMap<HostView>
  /** How many columns the longest name of a host takes. */
  readonly nameWidth: number
  /** The host of each step, by the step's key. */
  readonly hostOf: SharedMap<string>
  /** What the run itself does between its hosts, such as a pause: the title of each such step, by its id. */
  readonly between: ReadonlyMap<string, string>
  /** The one of these that is under way. */
  readonly betweenNow: { readonly title: string; readonly since: number } | undefined
}

const stepTypes = ['begin', 'done', 'unchanged', 'skipped', 'failed', 'undoing', 'undone', 'undo-failed'] as const
/** The records that move a step from one state to the next. */
type StepRecord = Extract<OwnRecord, { type: (typeof stepTypes)[number] }>
const isStepRecord = (record: OwnRecord): record is StepRecord => stepTypes.some((type) => type === record.type)

export const unknownRun: RunView = {
  title: '',
  since: undefined,
  until: undefined,
  hosts: SharedMap.empty(),
  nameWidth: 0,
  hostOf: SharedMap.empty(),
  between: new Map(),
  betweenNow: undefined,
}

/** Where a record comes from: the journal itself, or the part of a host that a step started. */
interface Origin {
  readonly hostRun: string | undefined
  /** When the journal got it. */
  readonly at: number
}

/** The run after one more record; a record of a kind that is not known here changes nothing. */
export function advance(run: RunView, record: JournalRecord): RunView {
  const at = Date.parse(record.at)
  return record.type === 'relayed'
    ? take(run, record.record, { hostRun: record.step, at })
    : take(run, record, { hostRun: undefined, at })
}

function take(run: RunView, record: OwnRecord, origin: Origin): RunView {
  switch (record.type) {
    case 'run':
      return learn(run, record, origin)
    case 'resumed':
    case 'undo':
      return reopen(run, origin)
    case 'parked':
      return overHosts(run, origin, (host) => parked(host, record.error, origin.at))
    case 'progress':
      return takeProgress(run, record, origin)
    case 'end':
      return end(run, record, origin)
    default:
      return isStepRecord(record) ? takeStep(run, record, origin) : run
  }
}

/** Steps of different journals may have the same name. */
const keyOf = (id: string, { hostRun }: Pick<Origin, 'hostRun'>): string =>
  hostRun === undefined ? id : `${hostRun}>${id}`

function learn(run: RunView, { plan }: RunRecord, origin: Origin): RunView {
  const steps = Map.groupBy(stepsOf(plan), ({ host }) => (host === operatorHost ? 'between' : 'hosts'))
  let { hostOf, hosts, nameWidth } = run
  // A host speaks of itself alone, whatever it says.
  const speaker = origin.hostRun === undefined ? undefined : (hostOf.get(origin.hostRun) ?? '')
  for (const step of steps.get('hosts') ?? []) {
    if (speaker !== undefined && step.host !== speaker) continue
    const key = keyOf(step.id, origin)
    const host = hosts.get(step.host) ?? untouched(step.host)
    hostOf = hostOf.with(key, step.host)
    hosts = hosts.with(step.host, withPlanned(host, key, step, origin))
    nameWidth = Math.max(nameWidth, widthOf(step.host))
  }
  const learnt = { ...run, hosts, nameWidth, hostOf }
  if (origin.hostRun !== undefined) return learnt
  const between = new Map(steps.get('between')?.map(({ id, title }) => [id, title]))
  return { ...learnt, title: plan.title, since: origin.at, until: undefined, between }
}

function withPlanned(host: HostView, key: string, step: Step, { hostRun }: Origin): HostView {
  const reporting =
    hostRun === undefined || host.reporting.includes(hostRun) ? host.reporting : [...host.reporting, hostRun]
  if (host.steps.get(key) !== undefined) return { ...host, reporting }
  return withStep({ ...host, reporting }, key, planned(step))
}

/** A host with one more step, or a step in another state. */
function withStep(host: HostView, key: string, step: StepView): HostView {
  const before = host.steps.get(key)
  const left = host.left + Number(isLeft(step)) - Number(before !== undefined && isLeft(before))
  return { ...host, steps: host.steps.with(key, step), left }
}

const untouched = (name: string): HostView => ({
  name,
  state: 'waiting',
  phase: '',
  reason: undefined,
  since: undefined,
  until: undefined,
  changed: false,
  steps: SharedMap.empty(),
  left: 0,
  reporting: [],
})

const planned = ({ title, act, undo, until, undoUntil, commits }: Step): StepView => ({
  title,
  hostRun: act.some((effect) => effect.kind === 'host-run'),
  quiet: act.length > 0 && act.every((effect) => effect.kind === 'lease'),
  undoable: undo.length > 0 || undoUntil !== undefined,
  commits: commits === true,
  wait: until?.onDeadline === 'go-on' ? until : undefined,
  state: 'waiting',
  begun: undefined,
})

/** A record about a step, with what is known of that step and its host. */
export interface StepNews {
  readonly record: StepRecord
  readonly key: string
  readonly step: StepView
  readonly host: HostView
}

/** What a record tells about a step; undefined where it tells of something else, or of a step that no plan named. */
export function stepNews(run: RunView, record: JournalRecord): StepNews | undefined {
  const [own, hostRun] = record.type === 'relayed' ? [record.record, record.step] : [record, undefined]
  return isStepRecord(own) ? find(run, own, hostRun) : undefined
}

function find(run: RunView, record: StepRecord, hostRun: string | undefined): StepNews | undefined {
  const found = stepOf(run, record, hostRun)
  return found === undefined ? undefined : { record, ...found }
}

/** The step that a record is about, and its host. */
export function stepOf(
  run: RunView,
  { step: id }: { readonly step: string },
  hostRun: string | undefined,
): Omit<StepNews, 'record'> | undefined {
  const key = keyOf(id, { hostRun })
  const host = run.hosts.get(run.hostOf.get(key) ?? '')
  const step = host?.steps.get(key)
  return host === undefined || step === undefined ? undefined : { key, step, host }
}

function takeStep(run: RunView, record: StepRecord, origin: Origin): RunView {
  const news = find(run, record, origin.hostRun)
  if (news === undefined) return origin.hostRun === undefined ? takeBetween(run, record, origin) : run
  const { step, host, key } = news
  const starts = record.type === 'begin' || record.type === 'undoing'
  const next = withStep(host, key, {
    ...step,
    state: record.type === 'begin' ? 'begun' : record.type,
    begun: starts ? Date.parse(record.at) : step.begun,
  })
  const since = step.quiet ? host.since : (host.since ?? origin.at)
  return withHost(run, moved({ ...next, since }, news, origin.at))
}

function takeBetween(run: RunView, record: StepRecord, { at }: Origin): RunView {
  const title = run.between.get(record.step)
  if (title === undefined) return run
  return { ...run, betweenNow: record.type === 'begin' ? { title, since: at } : undefined }
}

function moved(host: HostView, { record, step, key }: StepNews, at: number): HostView {
  // Whether it is given back says nothing about how its work went.
  if (step.quiet && (record.type !== 'failed' || host.state === 'failed')) return host
  switch (record.type) {
    case 'begin':
      return { ...host, state: 'working', phase: step.title, until: undefined }
    case 'done':
      return finished({ ...host, changed: host.changed || record.changed }, at)
    case 'unchanged':
    case 'skipped':
      return finished(host, at)
    case 'undoing':
      return { ...host, state: 'undoing', phase: step.title, until: undefined }
    case 'failed': {
      // What the host's part itself told is closer to the cause.
      const reason = (hasReported(host, key) ? host.reason : undefined) ?? record.error.message
      return { ...host, state: stateAfter(record.error.code), reason, until: at }
    }
    case 'undone':
      return putBack(host, at)
    case 'undo-failed':
      return putBack({ ...host, reason: record.error.message }, at)
  }
}

/** Whether a host's part has told of its steps itself. */
export const hasReported = (host: HostView, hostRun: string): boolean => host.reporting.includes(hostRun)

const stateAfter = (code: ErrorCode | 'done'): HostState => (code === 'rolled-back' ? 'rolled-back' : 'failed')

const isLeft = ({ state, quiet }: StepView): boolean =>
  !quiet && state !== 'done' && state !== 'unchanged' && state !== 'skipped'

/** The host is done once all its steps are. */
function finished(host: HostView, at: number): HostView {
  if (host.left > 0) return { ...host, state: 'working' }
  return { ...host, state: host.changed ? 'done' : 'unchanged', until: at }
}

/** The undo of a host is over when no step is left that it would undo: back to the last one that commits. */
function putBack(host: HostView, at: number): HostView {
  const ran = host.steps
    .values()
    .filter(({ state, quiet }) => !quiet && state !== 'waiting' && state !== 'unchanged' && state !== 'skipped')
  const undone = ran.slice(ran.findLastIndex(({ commits, state }) => commits && state === 'done') + 1)
  const over = ({ undoable, state }: StepView): boolean => !undoable || state === 'undone' || state === 'undo-failed'
  if (!undone.every(over)) return { ...host, state: 'undoing' }
  return { ...host, state: undone.some(({ state }) => state === 'undo-failed') ? 'failed' : 'undone', until: at }
}

/** How far the work of a step is. */
function takeProgress(run: RunView, record: Extract<OwnRecord, { type: 'progress' }>, origin: Origin): RunView {
  const found = stepOf(run, record, origin.hostRun)
  if (found === undefined) return run
  const { host, step } = found
  return withHost(run, { ...host, phase: progressText(step, record) })
}

/** The run stopped: what was in the middle can go on later. */
const parked = (host: HostView, error: Failure, at: number): HostView =>
  host.state === 'working' || host.state === 'undoing'
    ? { ...host, state: 'parked', reason: error.message, until: at }
    : host

function end(run: RunView, record: EndRecord, origin: Origin): RunView {
  const { hostRun, at } = origin
  if (hostRun === undefined)
    return { ...overHosts(run, origin, (host) => atEnd(host, record, at)), until: at, betweenNow: undefined }
  // The step that started the part says when the host is done.
  if (record.outcome === 'done') return run
  const state = stateAfter(record.outcome)
  return overHosts(run, origin, (host) => ({
    ...host,
    state,
    reason: host.reason ?? record.error?.message,
    until: at,
  }))
}

/** How the end of the run leaves a host. */
function atEnd(host: HostView, { outcome }: EndRecord, at: number): HostView {
  const until = host.until ?? at
  switch (host.state) {
    case 'waiting':
      return { ...host, state: 'not-begun' }
    case 'working':
    case 'parked':
      return { ...host, state: 'unfinished', until }
    case 'undoing':
    case 'undone':
      return { ...host, state: outcome === 'rolled-back' ? 'rolled-back' : 'undone', until }
    default:
      return host
  }
}

/** What was left in the middle is at work again. */
function reopen(run: RunView, origin: Origin): RunView {
  const reopened = overHosts(run, origin, reopenHost)
  return origin.hostRun === undefined ? { ...reopened, until: undefined } : reopened
}

function reopenHost(host: HostView): HostView {
  if (host.state === 'not-begun') return { ...host, state: 'waiting' }
  const stopped = host.state === 'parked' || host.state === 'unfinished'
  return stopped ? { ...host, state: 'working', until: undefined } : host
}

/** Changes the hosts that a record about a whole run is about: all of them, or the one whose part it was. */
function overHosts(run: RunView, { hostRun }: Origin, change: (host: HostView) => HostView): RunView {
  const only = hostRun === undefined ? undefined : run.hosts.get(run.hostOf.get(hostRun) ?? '')
  const about = hostRun === undefined ? run.hosts.values() : only === undefined ? [] : [only]
  return about.reduce((changed, host) => withHost(changed, change(host)), run)
}

const withHost = (run: RunView, host: HostView): RunView => ({ ...run, hosts: run.hosts.with(host.name, host) })

/** How a step's wait ended, for people; undefined where that says nothing. */
export const waitEndOf = ({ wait }: StepView, record: StepRecord): string | undefined =>
  record.type === 'done' && record.waited !== undefined && wait !== undefined
    ? waitedText(wait, record.waited)
    : undefined
