// What plans would work on, as it is: what lies at each path, how much is free there, whether programs may run from there.
// Looked at before anything is brought or stopped, on the operator's side and once more on the host.
import type { HostReader } from '../drivers/hosts/port.ts'
import { NetopsError } from '../model/errors.ts'
import { quoteCommand } from '../model/quote.ts'
import { formatBytes } from '../model/units.ts'
import { readTemplate } from '../system/assets.ts'
import type { Demand } from './demands.ts'

/** What lies at a path, in the words of stat(1): `directory`, `regular file`, `symbolic link`. */
interface Thing {
  readonly is: string
  readonly size: number
}

interface FileSystem {
  /** Where it is mounted. */
  readonly mount: string
  readonly freeBytes: number
}

interface Ground {
  /** What lies at each path that was asked for, links as such; none where nothing does. */
  readonly things: ReadonlyMap<string, Thing>
  /** The same with links followed; none where they lead nowhere. */
  readonly behind: ReadonlyMap<string, Thing>
  /** What is no folder and lies where a folder above a path would be. */
  readonly blocked: ReadonlyMap<string, Thing>
  /** The file system that each path lies or would lie on. */
  readonly fileSystems: ReadonlyMap<string, FileSystem>
  /** Where file systems are mounted from which no program may be started. */
  readonly noexec: ReadonlySet<string>
}

/**
 * Refuses a host that lacks what is asked of it: something else lies in the way, a file system has too little room, or lets
 * nothing be started from it.
 * @throws NetopsError `refused`; nothing was touched
 */
export async function refuseUnfit(reader: HostReader, host: string, demands: readonly Demand[]): Promise<void> {
  if (demands.length === 0) return
  const paths = [...new Set(demands.flatMap(({ path, sizeOf }) => (sizeOf === undefined ? [path] : [path, sizeOf])))]
  const { stdout } = await reader.query(['sh', '-c', readTemplate('ground.sh'), 'ground', ...paths])
  judgeGround(host, parseGround(stdout, paths), demands)
}

/** What templates/ground.sh printed of these paths. */
function parseGround(text: string, paths: readonly string[]): Ground {
  const [looked = '', disks = '', mounts = ''] = text.split(/^@@.*\n/m)
  const things = (mark: string): ReadonlyMap<string, Thing> =>
    new Map(
      [...looked.matchAll(/^(\w+)\/([^/\n]+)\/(\d+)(\/.*)$/gm)].flatMap(([, kind, is = '', size, path = '']) =>
        kind === mark ? [[path, { is, size: Number(size) }] as const] : [],
      ),
    )
  // One line a path, in their order, below a line of titles; fewer where df did not answer for one of them.
  const rows = [...disks.matchAll(/^ *(\d+) +(\/.*)$/gm)].map(([, free, mount = '']) => ({
    mount,
    freeBytes: Number(free),
  }))
  return {
    things: things('is'),
    behind: things('to'),
    blocked: things('over'),
    fileSystems: new Map(
      rows.length === paths.length ? rows.flatMap((row, at) => [[paths[at] ?? '', row] as const]) : [],
    ),
    noexec: noexecIn(mounts),
  }
}

/** The mount points of a `/proc/PID/mountinfo` text (proc(5)) that are mounted noexec; the last on a place is what is seen. */
export function noexecIn(text: string): ReadonlySet<string> {
  const mounts = new Map<string, boolean>()
  for (const [, place = '', options = ''] of text.matchAll(/^\d+ \d+ \d+:\d+ \S+ (\S+) (\S+)/gm)) {
    const mount = place.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    mounts.set(mount, options.split(',').includes('noexec'))
  }
  return new Set([...mounts].flatMap(([mount, isNoexec]) => (isNoexec ? [mount] : [])))
}

/** @throws NetopsError `refused` */
function judgeGround(host: string, ground: Ground, demands: readonly Demand[]): void {
  refuseInTheWay(host, ground, demands)
  refuseNoexec(host, ground, demands)
  refuseLackOfSpace(host, ground, demands)
}

const wantedNames = { folder: 'a folder', file: 'a file', link: 'a link of netops' } as const

/** `a folder`, `a link to a folder`, `a link to nothing`, `a file`, or what stat(1) calls it. */
function nameOf({ is }: Thing, behind: Thing | undefined): string {
  if (is === 'directory') return 'a folder'
  if (is.startsWith('regular')) return 'a file'
  if (is !== 'symbolic link') return `a ${is}`
  return behind === undefined ? 'a link to nothing' : `a link to ${nameOf(behind, undefined)}`
}

function refuseInTheWay(host: string, ground: Ground, demands: readonly Demand[]): void {
  const found = new Map<string, string>()
  for (const { path, as } of demands) {
    if (as === 'any') continue
    const over = [...ground.blocked].find(([place]) => path.startsWith(`${place}/`))
    if (over !== undefined) {
      const [place, thing] = over
      found.set(place, `${place} is ${nameOf(thing, ground.behind.get(place))}, and a folder belongs there`)
      continue
    }
    const thing = ground.things.get(path)
    if (thing === undefined) continue
    const behind = ground.behind.get(path)
    if (!fits(as, thing, behind)) {
      found.set(path, `${path} is ${nameOf(thing, behind)}, and ${wantedNames[as]} belongs there`)
    }
  }
  const [[first] = []] = found
  if (first === undefined) return
  throw new NetopsError('refused', {
    host,
    message: [...found.values()].join('\n'),
    hint: `see what it is, and move it out of the way: ${quoteCommand(['mv', '--', first, `${first}.before-netops`])}`,
  })
}

function fits(as: Exclude<Demand['as'], 'any'>, { is }: Thing, behind: Thing | undefined): boolean {
  switch (as) {
    case 'folder':
      return (behind ?? { is }).is === 'directory'
    case 'file':
      return is.startsWith('regular') || is === 'symbolic link'
    case 'link':
      return is === 'symbolic link'
  }
}

function refuseNoexec(host: string, ground: Ground, demands: readonly Demand[]): void {
  for (const { path, runs } of demands) {
    const mount = runs && ground.fileSystems.get(path)?.mount
    if (mount === undefined || !ground.noexec.has(mount)) continue
    throw new NetopsError('refused', {
      host,
      message: `${mount} is mounted noexec, and ${path} is to run from there`,
      hint: remountHint(mount),
    })
  }
}

/** How a file system is made to let programs run. */
export const remountHint = (mount: string): string =>
  `${quoteCommand(['mount', '-o', 'remount,exec', mount])}, and without noexec in /etc/fstab`

/** What is not worth a line of its own. */
const small = 1e6

function refuseLackOfSpace(host: string, ground: Ground, demands: readonly Demand[]): void {
  const byMount = Map.groupBy(demands, ({ path }) => ground.fileSystems.get(path)?.mount)
  for (const [mount, here] of byMount) {
    const free = ground.fileSystems.get(here[0]?.path ?? '')?.freeBytes
    if (mount === undefined || free === undefined) continue
    const parts = here.map((one) => ({
      path: one.path,
      bytes: one.bytes + (one.sizeOf === undefined ? 0 : (ground.behind.get(one.sizeOf)?.size ?? 0)),
    }))
    const written = parts.reduce((sum, { bytes }) => sum + bytes, 0)
    const spare = here.reduce((most, one) => Math.max(most, one.spare ?? 0), 0)
    if (written + spare === 0 || free >= written + spare) continue
    const large = parts.filter(({ bytes }) => bytes >= small)
    const rest = written - large.reduce((sum, { bytes }) => sum + bytes, 0)
    const listed = [
      ...large.map(({ path, bytes }) => `${formatBytes(bytes)} for ${path}`),
      ...(rest > 0 ? [`${formatBytes(rest)} for smaller files`] : []),
      ...(spare > 0 ? [`${formatBytes(spare)} to be left for logs and data`] : []),
    ]
    throw new NetopsError('refused', {
      host,
      message: `${formatBytes(free)} are free on ${mount}, and ${formatBytes(written + spare)} are needed: ${listed.join(', ')}`,
      hint: `free space there: netops gc, ${quoteCommand(['du', '-xh', mount])}; then run the same command again`,
    })
  }
}
