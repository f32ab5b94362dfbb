// Removes what netops left on a host and nobody needs any more: old journals, old netops builds, temporary files.
import { basename, dirname, join } from 'node:path'
import * as z from 'zod'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { runState, parseJournal } from '../../engine/journal.ts'
import { parseRunFile } from '../../engine/run-file.ts'
import { removingTrees } from './remove-trees.ts'
import type { CleanUpRequest } from './request.ts'
import { hostPaths, type HostPaths } from '../../model/paths.ts'
import { sequence, type Group, type Step } from '../../model/plan.ts'

/** A run as far as cleaning up is concerned. */
export interface OldRun {
  readonly run: string
  /** When its journal was last written to, in ms since 1970; undefined where it has none. */
  readonly at: number | undefined
  readonly over: boolean
  /** The netops build that would resume it. */
  readonly netops: string | undefined
}

export interface CleanUpFacts {
  /** The host's clock, in ms since 1970. */
  readonly now: number
  readonly runs: readonly OldRun[]
  /** Folders of pushed files by the run they are for. */
  readonly incoming: readonly { readonly run: string; readonly at: number }[]
  readonly builds: readonly string[]
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

/** Reads what lies on a host. */
export async function readCleanUpFacts(reader: HostReader, order: CleanUpRequest): Promise<CleanUpFacts> {
  const paths = hostPaths(order.root)
  const [names, files, incoming, builds, link, clock, litter] = await Promise.all([
    reader.list(paths.runs),
    readRunFiles(reader, paths.runs),
    timesIn(reader, paths.incoming, 1),
    reader.list(paths.netopsBuilds),
    reader.readLink(paths.netopsLink),
    reader.query(['date', '+%s']),
    Promise.all(littered(paths).map((folder) => timesIn(reader, folder, 2))),
  ])
  const runs = await Promise.all(names.map(async (run) => files.get(run) ?? readRun(reader, join(paths.runs, run))))
  const half = litter.flat().filter(({ path }) => litterName.test(basename(path)))
  return {
    now: Number(clock.stdout) * 1000,
    runs,
    incoming: incoming.map(({ path, at }) => ({ run: basename(path), at })),
    builds,
    linked: link === undefined ? undefined : basename(dirname(link)),
    litter: [...new Map(half.map((entry) => [entry.path, entry])).values()],
  }
}

/** What lies below a folder, with when it was last changed; none where there is no such folder. */
async function timesIn(reader: HostReader, folder: string, depth: number) {
  const find = ['find', folder, '-mindepth', '1', '-maxdepth', String(depth), '-printf', '%T@ %p\\0']
  const { stdout } = await reader.query(find)
  return stdout
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => ({ at: Number(line.slice(0, line.indexOf(' '))) * 1000, path: line.slice(line.indexOf(' ') + 1) }))
}

/** The runs that say themselves that they have ended, by one command for all of them. */
async function readRunFiles(reader: HostReader, runs: string): Promise<ReadonlyMap<string, OldRun>> {
  const named = ['-mindepth', '2', '-maxdepth', '2', '-name', 'run.json', '-type', 'f']
  const { stdout } = await reader.query(['find', runs, ...named, '-exec', 'grep', '-h', '^{', '--', '{}', '+'])
  const files = stdout.split('\n').flatMap((line) => parseRunFile(line) ?? [])
  return new Map(
    files
      .filter(({ state }) => state === 'ended')
      .map(({ run, at, netops }): [string, OldRun] => [
        run,
        { run, at: Date.parse(at), over: true, netops: netops === undefined ? undefined : basename(dirname(netops)) },
      ]),
  )
}

async function readRun(reader: HostReader, folder: string): Promise<OldRun> {
  const [text, order] = await Promise.all([
    reader.readText(join(folder, 'journal.jsonl')),
    reader.readText(join(folder, 'order.json')),
  ])
  const requested = order === undefined ? undefined : anyRequest.safeParse(JSON.parse(order))
  const netops = requested?.data === undefined ? undefined : basename(dirname(requested.data.netops))
  const run = basename(folder)
  if (text === undefined) return { run, at: undefined, over: false, netops }
  try {
    const { records } = parseJournal(text, folder)
    const last = records.at(-1)
    return { run, at: last && Date.parse(last.at), over: runState(records).end !== undefined, netops }
  } catch {
    // Not a journal that this netops understands: it stays, and so does the build that wrote it.
    return { run, at: undefined, over: false, netops }
  }
}

/** What every request says, whatever its procedure is. */
const anyRequest = z.object({ netops: z.string() })

const dayMs = 86_400_000

/** The runs that have ended and are both older than asked and none of the newest. */
export function oldRuns(
  runs: readonly OldRun[],
  now: number,
  { keepRuns, olderThanMs }: Pick<CleanUpRequest, 'keepRuns' | 'olderThanMs'>,
): readonly OldRun[] {
  const newestFirst = runs.toSorted((a, b) => (b.at ?? 0) - (a.at ?? 0))
  return newestFirst.slice(keepRuns).filter(({ over, at }) => over && at !== undefined && now - at > olderThanMs)
}

/** The steps that remove what is old; runs that are not over, and whatever they need, stay. Pure. */
export function planCleanUp(order: CleanUpRequest, facts: CleanUpFacts): Group {
  const paths = hostPaths(order.root)
  const old = (at: number | undefined, ageMs: number): boolean => at !== undefined && facts.now - at > ageMs
  // This run itself was not there when it was shown.
  const others = facts.runs.filter(({ run }) => run !== order.run && run !== order.fleet)
  const gone = oldRuns(others, facts.now, order)
  const open = new Set(facts.runs.flatMap(({ run, over }) => (over ? [] : [run])))
  const needed = new Set([basename(dirname(order.netops)), facts.linked])
  for (const { over, netops } of facts.runs) if (!over) needed.add(netops)
  const incoming = facts.incoming.filter(({ run, at }) => run !== order.run && !open.has(run) && old(at, dayMs))
  const litter = facts.litter.filter(({ at }) => old(at, dayMs))
  return sequence(`Clean up on ${order.host}`, [
    removal(order, 'journals', `Remove ${counted(gone.length, 'old run')}`, [
      ...gone.map(({ run }) => join(paths.runs, run)),
    ]),
    removal(order, 'builds', 'Remove netops builds that no run needs', [
      ...facts.builds.filter((build) => !needed.has(build)).map((build) => join(paths.netopsBuilds, build)),
    ]),
    removal(order, 'litter', `Remove ${counted(litter.length + incoming.length, 'leftover')}`, [
      ...incoming.map(({ run }) => join(paths.incoming, run)),
      ...litter.map(({ path }) => path),
    ]),
  ])
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

/** Nothing of it can be brought back, so each is done for good. */
const removal = ({ host }: CleanUpRequest, id: string, title: string, paths: readonly string[]): Step => ({
  kind: 'step',
  id,
  host,
  title,
  act: paths.length === 0 ? [] : [removingTrees(paths)],
  undo: [],
  ...(paths.length === 0 ? { unchanged: true } : { commits: true }),
})
