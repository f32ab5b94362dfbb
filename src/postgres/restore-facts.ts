// Whether a cluster can be restored from a base backup and the archived log, and how far: found out before anything is written.
import { dirname } from 'node:path'
import * as z from 'zod'
import { manifestFile, parseManifest, type ArchivePlace, type Manifest } from '../archive/manifest.ts'
import { NetopsError } from '../model/errors.ts'
import { formatBytes } from '../model/units.ts'
import {
  historyName,
  parseHistory,
  parseLsn,
  segmentName,
  segmentOf,
  walFilesIn,
  walReach,
  type Branch,
  type WalPiece,
  type WalReach,
} from '../model/wal.ts'
import { refuseDistrusted } from '../system/folder-trust.ts'
import type { RunThere } from './ask.ts'
import { findTools } from './tools.ts'

export const restoreTarget = z.discriminatedUnion('kind', [
  /** Everything that was archived is replayed. */
  z.strictObject({ kind: z.literal('latest') }),
  /** What was committed by then, and nothing later; `at` is in UTC. */
  z.strictObject({ kind: z.literal('time'), at: z.iso.datetime() }),
])
export type RestoreTarget = z.output<typeof restoreTarget>

export interface RestoreWish {
  readonly place: ArchivePlace
  /** Where segments lie; undefined where only the base backup is there. */
  readonly wal: string | undefined
  /** The cluster's folder, which is not there yet. */
  readonly into: string
  readonly port: number
  /** Who it belongs to, and runs it. */
  readonly account: string
  readonly bin: string | undefined
  readonly target: RestoreTarget
}

export interface RestoreFacts {
  readonly bin: string
  readonly segmentBytes: number
  readonly systemId: string
  /** The states that can be restored: from, and up to before; undefined where no transaction is known after the base backup. */
  readonly reach: { readonly from: string; readonly before: string | undefined }
  /** How much of the log is replayed, in segments. */
  readonly segments: number
}

/** What of a host is read with. */
export interface Looking {
  readonly run: RunThere
  readonly readText: (path: string) => Promise<string | undefined>
  readonly list: (path: string) => Promise<readonly string[]>
  readonly host: string
}

/** A command as an account of the host runs it. */
export const asAccount = (account: string, argv: readonly string[]): readonly string[] => [
  ...['sh', '-c', `if [ "$(id -u)" -eq 0 ]; then exec runuser -u "$0" -- "$@"; else exec "$@"; fi`],
  ...[account, ...argv],
]

/** A place that stands in settings of PostgreSQL and in commands of a shell. */
const plainPlace = /^\/[\w./+@:-]+$/

/**
 * @throws NetopsError `refused` with what is in the way, or with what can be restored instead; `damaged` where the manifest is
 */
export async function readRestoreFacts(looking: Looking, wish: RestoreWish): Promise<RestoreFacts> {
  const { run } = looking
  const { place, into, bin: given, account, port } = wish
  const manifest = await manifestOf(looking, place)
  const { cluster } = manifest
  if (cluster === undefined) throw refusal(`${place.name} is no base backup of a database`, 'netops backup list')
  if (!plainPlace.test(into))
    throw refusal(`${into} holds characters that a setting of PostgreSQL cannot`, 'choose another --to')
  const programs = ['pg_ctl', 'postgres', 'pg_controldata', 'pg_verifybackup', 'pg_waldump']
  const { bin } = await findTools(run, programs, { given, major: Math.floor(cluster.version / 10_000) })
  await refuseDistrusted((argv) => run(argv), [bin], looking.host)
  if ((await run(asAccount(account, ['true']))).code !== 0) {
    throw refusal(`there is no account ${account} here that could run the cluster`, 'name another: --account NAME')
  }
  await refuseTaken(run, { into, port, account })
  const reach = await reachOf(looking, wish, cluster)
  const transactions = reach === undefined ? undefined : await lastTransaction(run, bin, { reach, wish, cluster })
  const known = { from: cluster.consistentAt, before: transactions }
  refuseUnreachable(wish.target, known, place)
  const { totals } = manifest
  await refuseNoRoom(run, into, totals.bytes + (reach?.pieces.length ?? 0) * cluster.segmentBytes)
  return {
    ...{ bin, segmentBytes: cluster.segmentBytes, systemId: cluster.systemId },
    reach: known,
    segments: reach?.pieces.length ?? 0,
  }
}

const refusal = (message: string, hint: string): NetopsError =>
  new NetopsError('refused', { message: `${message}; nothing was written`, hint })

async function manifestOf({ readText }: Looking, { folder, name }: ArchivePlace): Promise<Manifest> {
  const path = `${folder}/${manifestFile(name)}`
  const text = await readText(path)
  if (text === undefined) {
    throw new NetopsError('damaged', { message: `there is no manifest ${path}`, hint: 'netops backup list' })
  }
  return parseManifest(Buffer.from(text, 'utf8').toString('latin1'), path, name)
}

interface Taken {
  readonly into: string
  readonly port: number
  readonly account: string
}

async function refuseTaken(run: RunThere, { into, port, account }: Taken): Promise<void> {
  const parent = dirname(into)
  // What is on the way is judged by whom it is written: the account's own folders are no stranger's to it.
  const found = await refuseDistrusted((argv) => run(asAccount(account, argv)), [parent])
  if (found.there.length === 0)
    throw refusal(`there is no folder ${parent}`, `make it: install -d -o ${account} ${parent}`)
  const [isThere, isLink, mayWrite] = await Promise.all([
    run(['test', '-e', into]),
    run(['test', '-L', into]),
    run(asAccount(account, ['test', '-w', parent])),
  ])
  if (isThere.code === 0 || isLink.code === 0) {
    throw refusal(
      `${into} is there already, and a cluster is never restored over another`,
      `choose another --to; or, if a restore that was stopped left it, remove it: rm -rf ${into}`,
    )
  }
  if (mayWrite.code !== 0) {
    throw refusal(`${account} may not write to ${parent}`, `install -d -o ${account} DIR, and --to DIR/NAME`)
  }
  // ss(8) of iproute2; without it the cluster itself says so.
  const { stdout } = await run([
    'sh',
    '-c',
    'command -v ss > /dev/null && ss -Hltn "sport = :$1" || :',
    'sh',
    `${port}`,
  ])
  if (stdout.trim() !== '') throw refusal(`somebody listens on port ${port} already`, 'choose another: --port N')
}

async function refuseNoRoom(run: RunThere, into: string, bytes: number): Promise<void> {
  const { stdout } = await run(['df', '-B1', '--output=avail', '--', dirname(into)])
  const free = Number(stdout.trim().split('\n').at(-1))
  if (!Number.isFinite(free) || free >= bytes) return
  throw refusal(
    `${dirname(into)} has ${formatBytes(free)} free, and the cluster with its log takes ${formatBytes(bytes)}`,
    'choose another --to',
  )
}

type Cluster = NonNullable<Manifest['cluster']>

/** What of the log is replayed after the base backup; undefined where there is no archive of it. */
async function reachOf(looking: Looking, { wal }: RestoreWish, cluster: Cluster): Promise<WalReach | undefined> {
  const reach = wal === undefined ? undefined : await readReach(looking, wal, cluster)
  const last = reach?.pieces.at(-1)
  const needed = segmentOf(lsnOf(cluster.to) - 1n, cluster.segmentBytes)
  if (cluster.hasLog || (last !== undefined && last.number >= needed)) return reach
  const missing = reach?.missing ?? {
    timeline: cluster.timeline,
    number: (last?.number ?? segmentOf(lsnOf(cluster.from), cluster.segmentBytes) - 1) + 1,
  }
  throw refusal(
    `the base backup needs the log up to ${cluster.to}, and ${wal ?? 'no folder with it'} lacks ${segmentName(missing, cluster.segmentBytes)}`,
    'bring that segment there, or choose another base backup: netops backup list',
  )
}

const lsnOf = (text: string): bigint => parseLsn(text) ?? 0n

/**
 * How far the log in a folder can be replayed from the beginning of a base backup.
 * @throws NetopsError `refused` for a history that is none
 */
export async function readReach(
  { list, readText }: Pick<Looking, 'list' | 'readText'>,
  folder: string,
  { timeline, from, segmentBytes }: Pick<Cluster, 'timeline' | 'from' | 'segmentBytes'>,
): Promise<WalReach> {
  const files = walFilesIn(await list(folder), segmentBytes)
  const histories = new Map<number, readonly Branch[]>()
  for (const one of files.histories) {
    const path = `${folder}/${historyName(one)}`
    const branches = parseHistory((await readText(path)) ?? '')
    if (branches === undefined) throw refusal(`${path} is no history of a timeline`, `move it out of ${folder}`)
    histories.set(one, branches)
  }
  return walReach(files, histories, { timeline, lsn: lsnOf(from), segmentBytes })
}

// Goes back from the newest segment to the last transaction that is told of anywhere. pg_waldump(1) wants a segment by its name.
const lastTime = `folder=$1 program=$2; shift 2
link=$(mktemp -d) || exit 1
trap 'rm -rf -- "$link"' EXIT
for name do
  at=$folder
  if [ ! -e "$folder/$name" ]; then ln -s -- "$folder/$name.partial" "$link/$name"; at=$link; fi
  time=$(TZ=UTC LC_ALL=C "$program" --rmgr=Transaction --path="$at" "$name" 2> /dev/null |
    sed -n 's/.*desc: [A-Z_]*\\(COMMIT\\|ABORT\\)[^;]* \\([0-9]\\{4\\}-[0-9-]* [0-9:.]*\\) UTC.*/\\2/p' | tail -n 1)
  if [ -n "$time" ]; then printf '%s\\n' "$time"; exit 0; fi
done`
const atOnce = 1000

async function lastTransaction(
  run: RunThere,
  bin: string,
  { reach, wish, cluster }: { readonly reach: WalReach; readonly wish: RestoreWish; readonly cluster: Cluster },
): Promise<string | undefined> {
  const names = reach.pieces.map((piece: WalPiece) => segmentName(piece, cluster.segmentBytes)).reverse()
  for (let at = 0; at < names.length; at += atOnce) {
    const some = names.slice(at, at + atOnce)
    const { stdout } = await run(['sh', '-c', lastTime, 'sh', wish.wal ?? '', `${bin}/pg_waldump`, ...some])
    const at0 = Date.parse(`${stdout.trim().replace(' ', 'T')}Z`)
    if (!Number.isNaN(at0)) return new Date(at0).toISOString()
  }
  return undefined
}

/** Pure. */
export function refuseUnreachable(
  target: RestoreTarget,
  { from, before }: RestoreFacts['reach'],
  { name }: ArchivePlace,
): void {
  if (target.kind === 'latest') return
  const at = Date.parse(target.at)
  if (at < Date.parse(from)) {
    throw refusal(
      `${target.at} lies before the base backup ${name} was whole (${from})`,
      'choose an older base backup: netops backup list',
    )
  }
  if (before === undefined || at >= Date.parse(before)) {
    const reach = before === undefined ? `only ${from}` : `from ${from} to before ${before}, its last transaction`
    throw refusal(
      `the log does not reach to ${target.at}: what can be restored from ${name} is ${reach}`,
      'name a time within it; without --target-time all of the log is replayed',
    )
  }
}
