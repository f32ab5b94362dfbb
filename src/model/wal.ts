// PostgreSQL's transaction log (WAL): positions in it, the names of its segments, and which of them are missing. Pure.

/** A position in the log, in bytes since its beginning. */
export type Lsn = bigint

const lsnText = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i

/** @returns the position that a text such as `16/B374D848` names; undefined for what is none */
export function parseLsn(text: string): Lsn | undefined {
  const [, high, low] = lsnText.exec(text) ?? []
  return high === undefined || low === undefined ? undefined : (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

/** @returns a position as PostgreSQL writes it */
export const formatLsn = (lsn: Lsn): string =>
  [lsn >> 32n, lsn & 0xffffffffn].map((half) => half.toString(16).toUpperCase()).join('/')

/** One file of the log. */
export interface Segment {
  readonly timeline: number
  /** The segments before it, since the beginning of the log. */
  readonly number: number
}

/** What lies in an archive of the log. */
export interface WalFiles {
  readonly whole: readonly Segment[]
  /** Segments that are still being received: `.partial`. */
  readonly partial: readonly Segment[]
  /** Timelines whose history is there. */
  readonly histories: readonly number[]
}

// xlog_internal.h: XLogFileName; a segment's name is its timeline, and its number in two parts.
const segmentText = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?$/
const historyText = /^([0-9A-F]{8})\.history$/

const perFile = (segmentBytes: number): number => 2 ** 32 / segmentBytes
const eight = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0')

/** @returns a segment's file name */
export function segmentName({ timeline, number }: Segment, segmentBytes: number): string {
  const many = perFile(segmentBytes)
  return `${eight(timeline)}${eight(Math.floor(number / many))}${eight(number % many)}`
}

export const historyName = (timeline: number): string => `${eight(timeline)}.history`

/** @returns the number of the segment in which a position lies */
export const segmentOf = (lsn: Lsn, segmentBytes: number): number => Number(lsn / BigInt(segmentBytes))

/** @returns where a segment begins */
export const startOf = (number: number, segmentBytes: number): Lsn => BigInt(number) * BigInt(segmentBytes)

/**
 * What names in a folder of the log say. Others are passed over.
 * @returns segments in their order, by timeline and number
 */
export function walFilesIn(names: readonly string[], segmentBytes: number): WalFiles {
  const many = perFile(segmentBytes)
  const [whole, partial, histories]: [Segment[], Segment[], number[]] = [[], [], []]
  for (const name of names) {
    const [, timeline, high, low, isPartial] = segmentText.exec(name) ?? []
    const history = historyText.exec(name)?.[1]
    if (history !== undefined) histories.push(Number.parseInt(history, 16))
    if (timeline === undefined || high === undefined || low === undefined) continue
    const within = Number.parseInt(low, 16)
    if (within >= many) continue
    const number = Number.parseInt(high, 16) * many + within
    const segment = { timeline: Number.parseInt(timeline, 16), number }
    if (isPartial === undefined) whole.push(segment)
    else partial.push(segment)
  }
  return { whole: whole.sort(inOrder), partial: partial.sort(inOrder), histories: histories.sort((a, b) => a - b) }
}

const inOrder = (a: Segment, b: Segment): number => a.timeline - b.timeline || a.number - b.number

/** Consecutive segments that are not there. */
export interface WalGap {
  readonly timeline: number
  readonly from: number
  /** The last one that is missing. */
  readonly to: number
}

/**
 * The gaps between the segments of an archive. A new timeline may begin in the segment in which the last one ended, or in the
 * one after it.
 */
export function walGaps({ whole, partial }: WalFiles): readonly WalGap[] {
  const gaps: WalGap[] = []
  let last: Segment | undefined
  for (const segment of [...whole, ...partial].sort(inOrder)) {
    const next = (last?.number ?? segment.number) + 1
    const isMissing = last !== undefined && segment.number > next
    if (isMissing) gaps.push({ timeline: segment.timeline, from: next, to: segment.number - 1 })
    last = segment
  }
  return gaps
}

/** @returns a gap for people: the name that is missing, or the first and the last */
export function showGap({ timeline, from, to }: WalGap, segmentBytes: number): string {
  const name = (number: number): string => segmentName({ timeline, number }, segmentBytes)
  return from === to ? name(from) : `${name(from)} to ${name(to)} (${to - from + 1} segments)`
}

/** Where a timeline left another (timeline history files: `1\t0/3000000\treason`). */
export interface Branch {
  readonly from: number
  readonly at: Lsn
}

/** @returns what a timeline's history says, the oldest first; undefined for a text that is none */
export function parseHistory(text: string): readonly Branch[] | undefined {
  const branches: Branch[] = []
  for (const line of text.split('\n').map((one) => one.replace(/#.*/, '').trim())) {
    if (line === '') continue
    const [timeline = '', position = ''] = line.split(/\s+/)
    const at = parseLsn(position)
    if (!/^\d{1,10}$/.test(timeline) || at === undefined) return undefined
    branches.push({ from: Number(timeline), at })
  }
  return branches
}

/** The file that holds a segment when the log is replayed. */
export interface WalPiece extends Segment {
  readonly isPartial: boolean
}

/** How far the log of an archive can be replayed from a position. */
export interface WalReach {
  /** Without a gap, from the first that is needed. */
  readonly pieces: readonly WalPiece[]
  /** The timeline on which it ends. */
  readonly timeline: number
  /** The first segment that is missing although later ones are there. */
  readonly missing: Segment | undefined
}

interface From {
  readonly timeline: number
  readonly lsn: Lsn
  readonly segmentBytes: number
}

/**
 * What is replayed from a position on, to the end of the newest timeline that comes from there.
 * @param histories what is known of each timeline's past, by timeline
 */
export function walReach(
  files: WalFiles,
  histories: ReadonlyMap<number, readonly Branch[]>,
  { timeline, lsn, segmentBytes }: From,
): WalReach {
  const comesFromHere = (branches: readonly Branch[]): boolean =>
    branches.some(({ from, at }) => from === timeline && at >= lsn)
  const last = Math.max(
    timeline,
    ...[...histories].flatMap(([one, branches]) => (comesFromHere(branches) ? [one] : [])),
  )
  // As recovery looks for them: each segment on the newest timeline that had begun by then.
  const begins = (histories.get(last) ?? []).map(({ at }) => segmentOf(at, segmentBytes))
  const chain = [...(histories.get(last) ?? []).map(({ from }) => from), last]
  const timelineOf = (number: number): number => chain[begins.filter((begin) => begin <= number).length] ?? last
  const key = (one: Segment): string => `${one.timeline}/${one.number}`
  const [whole, partial] = [files.whole, files.partial].map((list) => new Set(list.map(key)))
  const pieces: WalPiece[] = []
  let number = segmentOf(lsn, segmentBytes)
  for (; ; number += 1) {
    const segment = { timeline: timelineOf(number), number }
    const isPartial = whole?.has(key(segment)) !== true
    if (isPartial && partial?.has(key(segment)) !== true) break
    pieces.push({ ...segment, isPartial })
    // What comes after it was not received through it.
    if (isPartial && whole?.has(key({ timeline: timelineOf(number + 1), number: number + 1 })) !== true) {
      number += 1
      break
    }
  }
  const isLater = (one: Segment): boolean => one.number > number && chain.includes(one.timeline)
  const missing = [...files.whole, ...files.partial].some(isLater)
    ? { timeline: timelineOf(number), number }
    : undefined
  return { pieces, timeline: last, missing }
}

/**
 * The segments and histories that no backup needs any more.
 * @param oldest of the backups that are kept, where the log of the one that needs the earliest begins
 * @returns names, each before that position on its own timeline or an earlier one
 */
export function removableWal(
  names: readonly string[],
  oldest: { readonly timeline: number; readonly lsn: Lsn },
  segmentBytes: number,
): readonly string[] {
  const { whole, partial } = walFilesIn(names, segmentBytes)
  const first = segmentOf(oldest.lsn, segmentBytes)
  // A history is small, and tells of every later timeline where it came from: none is removed.
  const isOld = ({ timeline, number }: Segment): boolean => number < first && timeline <= oldest.timeline
  return [
    ...whole.filter(isOld).map((segment) => segmentName(segment, segmentBytes)),
    ...partial.filter(isOld).map((segment) => `${segmentName(segment, segmentBytes)}.partial`),
  ].sort()
}
