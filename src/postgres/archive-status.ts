// How the archive of a database's log stands: what has come, how far it is behind, and what is missing. Read by plain commands.
import { NetopsError } from '../model/errors.ts'
import { formatLsn, segmentName, showGap, startOf, walFilesIn, walGaps, type Lsn, type Segment } from '../model/wal.ts'
import type { ArchiveRecord } from './archive-record.ts'
import { placeOf, type Asking, type RunThere } from './ask.ts'
import { readServerFacts, type ServerFacts } from './server-facts.ts'

export interface ArchiveStatus {
  readonly mode: ArchiveRecord['mode']
  readonly folder: string
  readonly server: string
  /** Whether the log comes right now; undefined where the server could not be asked. */
  readonly streaming: boolean | undefined
  /** Why the server could not be asked. */
  readonly unasked: string | undefined
  readonly slot:
    | {
        readonly name: string
        readonly active: boolean
        /** Bytes of the log that the server keeps for it. */
        readonly keptBytes: number
        readonly walStatus: string | undefined
      }
    | undefined
  /** The newest segment, whole or not, and how long ago anything was written to it, in ms. */
  readonly last: { readonly name: string; readonly ageMs: number; readonly isPartial: boolean } | undefined
  /** Up to where the log is here. */
  readonly received: string | undefined
  /** How far that is behind the server: at most so many bytes, and for so long, in ms. */
  readonly lag: { readonly bytes: number; readonly ms: number } | undefined
  /** Segments that are missing between others, by name. */
  readonly gaps: readonly string[]
  readonly segments: number
  /** What is wrong, a sentence each, with what to do; none where all is well. */
  readonly problems: readonly string[]
}

export interface Bounds {
  /** How long what is archived may be behind, in ms. */
  readonly rpoMs: number
  /** How many bytes of the log the server may keep for the slot. */
  readonly mostKept: number
}

/** How much a server may keep for the slot, in bytes, unless somebody says otherwise. */
export const usualMostKept = 2 ** 30

/** A record of the log may end in zeros, and pages of 8 KB begin with what is none: so it is known to a page. */
const pageBytes = 8192

/**
 * @param now the clock of the host with the archive, in ms since 1970
 * @throws NetopsError where the folder cannot be read
 */
export async function readArchiveStatus(asking: Asking, record: ArchiveRecord, bounds: Bounds): Promise<ArchiveStatus> {
  const { folder, segmentBytes, mode, slot } = record
  const [{ names, newest, nowMs }, asked] = await Promise.all([
    readFolder(asking.run, folder, segmentBytes),
    readServerFacts(asking, slot).then(
      (server) => ({ server }),
      (error: unknown) => {
        if (error instanceof NetopsError) return { error }
        throw error
      },
    ),
  ])
  const files = walFilesIn(names, segmentBytes)
  const server = 'server' in asked ? asked.server : undefined
  const last = newest === undefined ? undefined : lastOf(newest, nowMs, segmentBytes)
  const received = newest === undefined ? undefined : await receivedIn(asking.run, record, newest.segment)
  const lag = server === undefined ? undefined : lagOf(server, received, last?.ageMs)
  const status: Omit<ArchiveStatus, 'problems'> = {
    ...{ mode, folder, server: placeOf(record.login), last, lag },
    streaming: server === undefined ? undefined : isComing(mode, server),
    unasked: 'error' in asked ? asked.error.message : undefined,
    slot: slotOf(record, server),
    received: received === undefined ? undefined : formatLsn(received),
    gaps: walGaps(files).map((gap) => showGap(gap, segmentBytes)),
    segments: files.whole.length,
  }
  return { ...status, problems: problemsOf(status, { bounds, server }) }
}

const slotOf = ({ mode, slot: name }: ArchiveRecord, server: ServerFacts | undefined): ArchiveStatus['slot'] => {
  const slot = server?.slot
  if (mode !== 'stream' || slot === undefined || slot === null) return undefined
  return { name, active: slot.active, keptBytes: Math.max(0, slot.kept ?? 0), walStatus: slot.walStatus ?? undefined }
}

const isComing = (mode: ArchiveRecord['mode'], { slot, archive }: ServerFacts): boolean =>
  mode === 'stream'
    ? slot?.active === true
    : archive.mode !== 'off' && (archive.failedAt === null || (archive.at ?? 0) >= archive.failedAt)

interface Newest {
  readonly name: string
  readonly segment: Segment
  readonly isPartial: boolean
  readonly writtenMs: number
}

const lastOf = (
  { name, isPartial, writtenMs }: Newest,
  nowMs: number,
  segmentBytes: number,
): ArchiveStatus['last'] => ({
  name: segmentBytes > 0 ? name : '',
  ageMs: Math.max(0, Math.round(nowMs - writtenMs)),
  isPartial,
})

// A year of segments that are never removed: 64 bytes each, of hundreds of thousands.
const mostOfList = { most: 64 << 20 }

/** What lies in the folder: names, which one is the newest, and the host's clock. */
async function readFolder(run: RunThere, folder: string, segmentBytes: number) {
  const find = ['find', '-H', folder, '-mindepth', '1', '-maxdepth', '1', '-type', 'f', '-printf', '%T@ %f\\n']
  const [{ stdout, code, stderr }, clock] = await Promise.all([run(find, mostOfList), run(['date', '+%s.%N'])])
  if (code !== 0) {
    throw new NetopsError('damaged', {
      message: `cannot read ${folder}: ${stderr.trim()}`,
      hint: 'set it up again: netops db archive setup',
    })
  }
  const entries = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({
      writtenMs: Number(line.slice(0, line.indexOf(' '))) * 1000,
      name: line.slice(line.indexOf(' ') + 1),
    }))
  let newest: Newest | undefined
  for (const { name, writtenMs } of entries) {
    const { whole, partial } = walFilesIn([name], segmentBytes)
    const segment = whole[0] ?? partial[0]
    if (segment === undefined) continue
    const isLater =
      newest === undefined ||
      segment.timeline > newest.segment.timeline ||
      (segment.timeline === newest.segment.timeline && segment.number > newest.segment.number)
    if (isLater) newest = { name, segment, isPartial: partial.length > 0, writtenMs }
  }
  return { names: entries.map(({ name }) => name), newest, nowMs: Number(clock.stdout) * 1000 }
}

// How many pages of a segment hold anything: each page that was received begins with a mark that is not zero, and they come in
// order (xlog_internal.h, XLOG_PAGE_MAGIC).
const countPages = `f=$1; low=0; high=$2
while [ "$low" -lt "$high" ]; do
  middle=$(( (low + high) / 2 ))
  case $(od -An -v -tx1 -j $(( middle * 8192 )) -N 2 -- "$f" | tr -d ' \\n') in 0000 | '') high=$middle ;; *) low=$(( middle + 1 )) ;; esac
done
echo "$low"
[ "$low" -eq 0 ] || od -An -v -tx1 -w8192 -j $(( (low - 1) * 8192 )) -N 8192 -- "$f" | tr -d ' \\n'`

/** Up to where a segment that is being received is filled. */
async function receivedIn(run: RunThere, record: ArchiveRecord, { timeline, number }: Segment): Promise<Lsn> {
  const { folder, segmentBytes } = record
  const start = startOf(number, segmentBytes)
  const file = `${folder}/${segmentName({ timeline, number }, segmentBytes)}.partial`
  const { stdout } = await run(['sh', '-c', countPages, 'sh', file, String(segmentBytes / pageBytes)])
  const [pages = '', page = ''] = stdout.split('\n')
  // No such file: it was whole.
  if (!/^\d+$/.test(pages)) return start + BigInt(segmentBytes)
  if ((await run(['test', '-e', file])).code !== 0) return start + BigInt(segmentBytes)
  const filled = page.replace(/(?:00)+$/, '').length
  return start + BigInt(Math.max(0, Number(pages) - 1) * pageBytes + Math.ceil(filled / 2))
}

/** @param ageMs how long ago anything came */
function lagOf(server: ServerFacts, received: Lsn | undefined, ageMs: number | undefined): ArchiveStatus['lag'] {
  if (received === undefined || ageMs === undefined) return undefined
  const bytes = server.lsn > received ? Number(server.lsn - received) : 0
  return bytes <= pageBytes ? { bytes: 0, ms: 0 } : { bytes, ms: ageMs }
}

interface Judged {
  readonly bounds: Bounds
  readonly server: ServerFacts | undefined
}

/** Pure. */
export function problemsOf(status: Omit<ArchiveStatus, 'problems'>, { bounds, server }: Judged): readonly string[] {
  const problems: string[] = []
  const { mode, slot, lag, gaps, folder, last } = status
  if (server === undefined) problems.push(`the server cannot be asked: ${status.unasked ?? 'no answer'}`)
  else if (mode === 'stream' && slot === undefined) {
    problems.push(
      'the replication slot is gone, so the server keeps nothing for this archive; set it up again: netops db archive setup',
    )
  } else if (slot?.walStatus === 'lost') {
    problems.push(
      'the replication slot is lost: the server removed what had not been received; set it up anew, and make a base backup: netops db archive remove; netops db archive setup',
    )
  } else if (status.streaming === false) {
    problems.push(
      mode === 'stream'
        ? 'the log is not being received; see what the receiver says: netops db archive setup starts it again'
        : 'the server does not archive its log: see archive_mode, and what its own log says of archive_command',
    )
  }
  if (server !== undefined && last === undefined) problems.push(`nothing has come into ${folder} yet`)
  if (lag !== undefined && lag.ms > bounds.rpoMs) {
    problems.push(`what is archived is ${lag.bytes} bytes behind, and nothing came for ${Math.round(lag.ms / 1000)} s`)
  }
  for (const gap of gaps) {
    problems.push(
      `missing: ${gap}; nothing after it can be replayed, so make a base backup: netops backup --only database`,
    )
  }
  if (slot !== undefined && slot.keptBytes > bounds.mostKept) {
    problems.push(
      `the server keeps ${Math.round(slot.keptBytes / 2 ** 20)} MiB of its log for the slot ${slot.name}, and its disk fills; have the receiver run, or give the slot up: netops db archive remove`,
    )
  }
  return problems
}
