// Removes what netops left on a host and nobody needs any more: old journals, old netops builds, temporary files.
import { basename, dirname, join } from 'node:path'
import * as z from 'zod'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { journalPath, lastWholeLine } from '../../engine/journal.ts'
import { parseRunFile, type RunFile } from '../../engine/run-file.ts'
import { journalRecord, type JournalRecord } from '../../model/journal.ts'
import { parseJson } from '../../model/json.ts'
import { leftAlone } from '../left-alone.ts'
import { removingTrees } from './remove-trees.ts'
import type { CleanUpRequest } from './request.ts'
import { hostPaths, type HostPaths } from '../../model/paths.ts'
import { sequence, type Group, type Step } from '../../model/plan.ts'

/** A run as far as cleaning up is concerned. */
export interface OldRun {
  readonly run: string
  /** When it ended or its journal was last written to, in ms since 1970; undefined where it has none. */
  readonly at: number | undefined
  /** Its place among the runs of its machine, where they were counted. */
  readonly sequence?: number | undefined
  readonly over: boolean
  /** The netops build that carried it out, and would resume it. */
  readonly netops: string | undefined
}

export interface CleanUpFacts {
  /** The host's clock, in ms since 1970. */
  readonly now: number
  readonly runs: readonly OldRun[]
  /** Folders of pushed files by the run they are for. */
  readonly incoming: readonly { readonly run: string; readonly at: number }[]
  readonly builds: readonly string[]
  /** Those with nothing in them: a push made the folder, and broke off. */
  readonly emptyBuilds: readonly string[]
  /** The build that `netops` on the host is. */
  readonly linked: string | undefined
  /** Half-written files, by path. */
  readonly litter: readonly { readonly path: string; readonly at: number }[]
}

/** Where half-written files of netops can lie: beside what it writes. */
const littered = (paths: HostPaths): readonly string[] => [
  dirname(paths.current),
  paths.releases,
  paths.netopsBuilds,
  paths.incoming,
  paths.configDir,
  paths.state,
  paths.history,
  ...['unit', 'tmpfiles', 'netopsLink'].map((name) => dirname(paths[name as 'unit'])),
]
// Names that netops gives to files until they are whole (commands.ts, files.ts, lease-file.ts).
const litterName =
  /^(\..+\.netops-new(-.+|\.part)?|\.[0-9a-f]{12}\.tmp|(fleet-)?lease(-backup|-logs)?\.json\.([0-9a-f]{12}|after-[0-9a-f]{16}))$/

// Runs are named by newRunId (run-journal.ts), and hosts' shares of them after the host.
const runName = /^\d{8}T\d{6}Z-[a-z-]+-[0-9a-f]{4}(\..+)?$/

// A build lies in a folder that is named by its hash (run-hosts.ts).
const buildName = /^[0-9a-f]{12}$/

/** Reads what lies on a host. */
export async function readCleanUpFacts(reader: HostReader, request: CleanUpRequest): Promise<CleanUpFacts> {
  const paths = hostPaths(request.root)
  const [runs, incoming, builds, empty, link, now, litter] = await Promise.all([
    readRuns(reader, paths.runs),
    timesIn(reader, paths.incoming, 1, ['-type', 'd']),
    reader.list(paths.netopsBuilds),
    timesIn(reader, paths.netopsBuilds, 1, ['-type', 'd', '-empty']),
    reader.readLink(paths.netopsLink),
    request.lookedAt ?? readClock(reader),
    Promise.all(littered(paths).map((folder) => timesIn(reader, folder, 2, filesAndLinks))),
  ])
  const half = litter.flat().filter(({ path }) => litterName.test(basename(path)))
  return {
    now,
    runs,
    incoming: incoming.map(({ path, at }) => ({ run: basename(path), at })),
    builds,
    emptyBuilds: empty.map(({ path }) => basename(path)).filter((name) => buildName.test(name)),
    linked: link === undefined ? undefined : basename(dirname(link)),
    litter: [...new Map(half.map((entry) => [entry.path, entry])).values()],
  }
}

/** A host's clock, in ms since 1970. */
export const readClock = async (reader: HostReader): Promise<number> =>
  Number((await reader.query(['date', '+%s.%N'])).stdout) * 1000

// 100,000 runs of which each takes a few hundred bytes.
const ofAllRuns = { most: 64 * 2 ** 20 }

const filesAndLinks = ['(', '-type', 'f', '-o', '-type', 'l', ')']

/** What lies below a folder, with when it was last changed; none where there is no such folder. */
async function timesIn(reader: HostReader, folder: string, depth: number, type: readonly string[]) {
  const find = ['find', '-H', folder, '-mindepth', '1', '-maxdepth', String(depth), ...type, '-printf', '%T@ %p\\0']
  const { stdout } = await reader.query(find, ofAllRuns)
  return stdout
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => ({ at: Number(line.slice(0, line.indexOf(' '))) * 1000, path: line.slice(line.indexOf(' ') + 1) }))
}

/** All runs of a folder, by few commands however many there are. Only of those that do not say it, the journal is looked at. */
async function readRuns(reader: HostReader, folder: string): Promise<readonly OldRun[]> {
  const [names, files] = await Promise.all([reader.list(folder), readRunFiles(reader, folder)])
  const unsettled = names.filter((run) => files.get(run)?.state !== 'ended')
  const lasts = await readLastRecords(reader, folder, unsettled)
  const open = unsettled.filter((run) => lasts.get(run)?.type !== 'end')
  const unnamed = open.filter((run) => files.get(run)?.netops === undefined)
  const requests = await readRequests(reader, folder, unnamed)
  return names.map((run) => {
    const [file, last] = [files.get(run), lasts.get(run)]
    // Without a record that this netops understands it stays, and so does the build that wrote it.
    const at = last?.at ?? (file?.state === 'ended' ? file.at : undefined)
    const netops = file?.netops ?? requests.get(run)?.netops
    return {
      run,
      at: at === undefined ? undefined : Date.parse(at),
      sequence: file?.sequence,
      over: file?.state === 'ended' || last?.type === 'end',
      netops: netops === undefined ? undefined : basename(dirname(netops)),
    }
  })
}

/** The file of each run, by one command for all of them. */
async function readRunFiles(reader: HostReader, runs: string): Promise<ReadonlyMap<string, RunFile>> {
  const named = ['-mindepth', '2', '-maxdepth', '2', '-name', 'run.json', '-type', 'f']
  const { stdout } = await reader.query(
    ['find', '-H', runs, ...named, '-exec', 'grep', '-h', '^{', '--', '{}', '+'],
    ofAllRuns,
  )
  return new Map(
    stdout
      .split('\n')
      .flatMap((line) => parseRunFile(line) ?? [])
      .map((file) => [file.run, file]),
  )
}

/** The last record of each journal; none where it has no whole line, or one that this netops does not understand. */
async function readLastRecords(reader: HostReader, folder: string, runs: readonly string[]) {
  const lasts = new Map<string, JournalRecord>()
  for (const journals of inParts(runs.map((run) => journalPath(folder, run)))) {
    // Two lines: a crash may have left the last one torn.
    const { stdout } = await reader.query(['tail', '-v', '-n', '2', '--', ...journals], ofAllRuns)
    // tail(1) puts `==> FILE <==` above each, and an empty line before all but the first; a record is one line.
    const [, ...parts] = stdout.split(/(?:^|\n)==> (.+) <==\n/)
    for (let at = 0; at + 1 < parts.length; at += 2) {
      const { data } = journalRecord.safeParse(parseJson(lastWholeLine(parts[at + 1] ?? '') ?? ''))
      if (data !== undefined) lasts.set(basename(dirname(parts[at] ?? '')), data)
    }
  }
  return lasts
}

async function readRequests(reader: HostReader, folder: string, runs: readonly string[]) {
  const requests = new Map<string, z.infer<typeof anyRequest>>()
  for (const files of inParts(runs.map((run) => join(folder, run, 'order.json')))) {
    const { stdout } = await reader.query(['grep', '-sh', '^{', '--', ...files], ofAllRuns)
    for (const line of stdout.split('\n')) {
      const { data } = anyRequest.safeParse(parseJson(line))
      if (data !== undefined) requests.set(data.run, data)
    }
  }
  return requests
}

// What one command may get: a shell on a host takes 128 KiB as one word (execve(2), MAX_ARG_STRLEN).
const atOnce = 300

const inParts = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / atOnce) }, (_, part) => items.slice(part * atOnce, (part + 1) * atOnce))

/** What every request says, whatever its procedure is. */
const anyRequest = z.object({ run: z.string(), netops: z.string() })

const dayMs = 86_400_000

/** The runs that have ended and are both older than asked and none of the newest. */
export function oldRuns(
  runs: readonly OldRun[],
  now: number,
  { keepRuns, olderThanMs }: Pick<CleanUpRequest, 'keepRuns' | 'olderThanMs'>,
): readonly OldRun[] {
  const newestFirst = runs.toSorted((a, b) => (b.sequence ?? 0) - (a.sequence ?? 0) || (b.at ?? 0) - (a.at ?? 0))
  // A run that ended by a clock that was ahead is no younger than the one after it.
  let after = now
  const aged = newestFirst.map((run) => {
    if (run.at === undefined) return run
    const at = run.at > now ? after : run.at
    after = at
    return { ...run, at }
  })
  return aged.slice(keepRuns).filter(({ over, at }) => over && at !== undefined && now - at > olderThanMs)
}

/** The steps that remove what is old; runs that are not over, and whatever they need, stay. Pure. */
export function planCleanUp(request: CleanUpRequest, facts: CleanUpFacts): Group {
  const paths = hostPaths(request.root)
  // What was written by a clock that was far ahead is not being written now.
  const old = (at: number): boolean => Math.abs(facts.now - at) > dayMs
  // This run itself was not there when it was shown.
  const others = facts.runs.filter(({ run }) => run !== request.run && run !== request.fleet)
  const gone = oldRuns(others, facts.now, request)
  const open = new Set(facts.runs.flatMap(({ run, over }) => (over ? [] : [run])))
  const needed = new Set([basename(dirname(request.netops)), facts.linked])
  for (const { over, netops } of facts.runs) if (!over) needed.add(netops)
  // What no record of ours names is not ours to remove.
  const named = new Set([...facts.runs.map(({ netops }) => netops), ...facts.emptyBuilds])
  const builds = facts.builds.filter((build) => !needed.has(build))
  // What a run has brought is of no use once it is over. Where that is not known here, it may be on its way for a day.
  const over = new Set(facts.runs.flatMap((one) => (one.over ? [one.run] : [])))
  const isLeft = (run: string): boolean => over.has(run) || over.has(run.replace(/\.[^.]*$/, ''))
  const pushed = facts.incoming.filter(
    ({ run, at }) => run !== request.run && !open.has(run) && (isLeft(run) || old(at)),
  )
  const incoming = pushed.filter(({ run }) => runName.test(run))
  const litter = facts.litter.filter(({ at }) => old(at))
  return sequence(`Clean up on ${request.host}`, [
    removal(request, {
      id: 'journals',
      title: `Remove ${counted(gone.length, 'old run')}`,
      paths: gone.map(({ run }) => join(paths.runs, run)),
    }),
    removal(request, {
      id: 'builds',
      title: 'Remove netops builds that no run needs',
      paths: builds.filter((build) => named.has(build)).map((build) => join(paths.netopsBuilds, build)),
      left: builds.filter((build) => !named.has(build)),
    }),
    removal(request, {
      id: 'litter',
      title: `Remove ${counted(litter.length + incoming.length, 'leftover')}`,
      paths: [...incoming.map(({ run }) => join(paths.incoming, run)), ...litter.map(({ path }) => path)],
      left: pushed.filter(({ run }) => !runName.test(run)).map(({ run }) => run),
    }),
  ])
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

interface Removal {
  readonly id: string
  readonly title: string
  readonly paths: readonly string[]
  /** Names beside them that stay: a step that has any is told, also when it removes nothing. */
  readonly left?: readonly string[]
}

/** Nothing of it can be brought back, so each is done for good. */
const removal = ({ host }: CleanUpRequest, { id, title, paths, left = [] }: Removal): Step => ({
  kind: 'step',
  id,
  host,
  title: `${title}${leftAlone(left)}`,
  act: paths.length === 0 ? [] : [removingTrees(paths)],
  undo: [],
  ...(paths.length > 0 ? { commits: true } : left.length > 0 ? {} : { unchanged: true }),
})
