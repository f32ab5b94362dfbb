// A run on several hosts as one screenful: a line of counts, then a line a host; what matters most where not all fit. Pure.
import { painted, type Line, type Piece } from '../../painted.ts'
import type { HostView, RunView, HostState } from './state.ts'
import { cut, cutMiddle, firstLine, pad, widthOf } from './text.ts'

/** How a piece of a line is to look; where there are no colours it stays as it is. */
export type Paint = (state: HostState, text: string) => string | Piece

export interface Size {
  readonly columns: number
  readonly rows: number
}

interface Look {
  readonly label: string
  /** What an operator must see first where not all hosts fit. */
  readonly rank: number
}

const looks: Readonly<Record<HostState, Look>> = {
  failed: { label: 'FAILED', rank: 0 },
  'rolled-back': { label: 'rolled back', rank: 0 },
  parked: { label: 'parked', rank: 0 },
  undone: { label: 'undone', rank: 0 },
  unfinished: { label: 'not finished', rank: 0 },
  undoing: { label: 'undoing', rank: 1 },
  working: { label: 'working', rank: 2 },
  waiting: { label: 'waiting', rank: 3 },
  'not-begun': { label: 'not begun', rank: 3 },
  done: { label: 'done', rank: 4 },
  unchanged: { label: 'unchanged', rank: 4 },
}

/** The lines to show now; none is wider than the columns, and they leave one row for the cursor. */
export function frame(run: RunView, now: number, size: Size, paint: Paint = (_, text) => text): readonly Line[] {
  const hosts = run.hosts.values()
  const between = betweenLine(run, now, size.columns)
  const room = Math.max(1, size.rows - 1 - between.length)
  const shown = hosts.length < room ? hosts : byRank(hosts).slice(0, Math.max(0, room - 2))
  const rest = hosts.length < room ? [] : byRank(hosts).slice(shown.length)
  const names = Math.min(Math.max(...hosts.map(({ name }) => widthOf(name)), 0), Math.floor(size.columns * 0.3))
  const lines = [
    headerLine(run, now, size.columns),
    ...between,
    ...shown.map((host) => hostLine(host, now, { names, columns: size.columns, paint })),
    ...(rest.length === 0 ? [] : [cut(`... and ${rest.length} more (${counts(rest)})`, size.columns)]),
  ]
  return lines.slice(0, Math.max(1, size.rows - 1))
}

/** What the run itself does now, such as a pause between batches, and for how long already. */
const betweenLine = ({ betweenNow }: RunView, now: number, columns: number): readonly string[] =>
  betweenNow === undefined ? [] : [cut(`${betweenNow.title}  ${shortTime(now - betweenNow.since)}`, columns)]

const byRank = (hosts: readonly HostView[]): readonly HostView[] =>
  hosts.toSorted((a, b) => looks[a.state].rank - looks[b.state].rank)

function headerLine(run: RunView, now: number, columns: number): string {
  const hosts = run.hosts.values()
  const time = run.since === undefined ? '' : `  ${shortTime((run.until ?? now) - run.since)}`
  const ended = hosts.filter(({ until }) => until !== undefined)
  const broken = ended.filter(({ state }) => looks[state].rank === looks.failed.rank).length
  const brief = `${ended.length} of ${hosts.length} ended${broken === 0 ? '' : `, ${broken} failed`}${time}`
  const candidates = [`${firstLine(run.title)}: ${counts(hosts)}${time}`, `${counts(hosts)}${time}`, brief]
  return cut(candidates.find((text) => widthOf(text) <= columns) ?? brief, columns)
}

/** `1 failed, 12 done, 3 waiting`: the hosts of each state, what an operator must see first at the front. */
function counts(hosts: readonly HostView[]): string {
  const states = (Object.keys(looks) as HostState[]).map((state) => ({
    label: looks[state].label.toLowerCase(),
    count: hosts.filter((host) => host.state === state).length,
  }))
  return states
    .filter(({ count }) => count > 0)
    .map(({ label, count }) => `${count} ${label}`)
    .join(', ')
}

interface Columns {
  /** The width of the column of names. */
  readonly names: number
  readonly columns: number
  readonly paint: Paint
}

const timeColumns = 7
// In fewer columns there is room for a name and a few words at most.
const fewest = 30
function hostLine(host: HostView, now: number, { names, columns, paint }: Columns): Line {
  const since = columns < fewest ? undefined : host.since
  const time = since === undefined ? '' : shortTime((host.until ?? now) - since).padStart(timeColumns)
  const room = columns - names - 2 - (columns < fewest ? 0 : timeColumns)
  const name = pad(cutMiddle(firstLine(host.name), names), names)
  const said = paint(host.state, pad(cut(textOf(host), room), room))
  return typeof said === 'string' ? `${name}  ${said}${time}`.trimEnd() : painted(`${name}  `, said, time)
}

/** What a host is at, or how it ended and why. */
function textOf({ state, phase, reason }: HostView): string {
  const { label, rank } = looks[state]
  if (state === 'working') return firstLine(phase)
  const more = state === 'undoing' ? phase : state === 'unfinished' ? (reason ?? phase) : reason
  return rank > looks.undoing.rank || more === undefined ? label : `${label}: ${firstLine(more)}`
}

/** `12s`, `3m05s`, `2h07m`: a time that runs, in whole seconds so that it stands still in between. */
function shortTime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60]
  const two = (value: number): string => String(value).padStart(2, '0')
  if (hours > 0) return `${hours}h${two(minutes)}m`
  return minutes > 0 ? `${minutes}m${two(seconds % 60)}s` : `${seconds}s`
}
