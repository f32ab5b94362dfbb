// Which processes belong to the service below a root: its supervisors, its server, and whatever that has started.
// A start marks the environment, which children inherit, also in a session of their own; without root nothing else on Linux
// holds them together. What clears its environment and leaves the supervisor's session too is not found.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { systemCode } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import { statFields } from '../../system/processes.ts'

/** The name in the environment; its value is the root folder's device and inode, so that nobody else's is alike. */
const markName = 'NETOPS_SERVICE'

/** What the environment of a service below this root gets. */
export function serviceMark(root: string): Readonly<Record<string, string>> {
  const { dev, ino } = statSync(root)
  return { [markName]: `${dev}:${ino}` }
}

/** This process's environment without the mark: a supervisor that a service starts for another root is not part of it. */
export const unmarkedEnvironment = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name === markName ? [] : [[name, value]],
    ),
  )

export interface RootProcess {
  readonly pid: number
  readonly kind: 'supervisor' | 'server' | 'started'
}

/** As it stands in an environment; undefined where the root is gone: then its processes are known by their words alone. */
function markOf(root: string): string | undefined {
  try {
    return Object.entries(serviceMark(root)).map((pair) => pair.join('='))[0]
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/**
 * The processes of a root's service that this user may end: all but this process and those that it comes from. Everything is
 * read at once, since whoever asks waits for it: a /proc of 300 processes takes a few milliseconds.
 * @param session a supervisor's own session, of which all belong to the root
 */
export function processesOf(root: string, session?: number): readonly RootProcess[] {
  const mark = markOf(root)
  const own = namespaceOf(process.pid)
  const table = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (look(Number(name)) ?? []) : []))
  const ours = ancestry(table)
  return table.flatMap(({ pid, ...found }): readonly RootProcess[] => {
    if (ours.has(pid)) return []
    const environment = listIn(`/proc/${pid}/environ`)
    // Another user's, or one that lets nobody look.
    if (environment === undefined) return []
    const argv = listIn(`/proc/${pid}/cmdline`) ?? []
    // The same words in a container mean another folder.
    const here = namespaceOf(pid) === own
    if (here && isSupervisor(argv, root)) return [{ pid, kind: 'supervisor' }]
    if (here && isServer(argv, root)) return [{ pid, kind: 'server' }]
    const isOurs = (mark !== undefined && environment.includes(mark)) || found.session === session
    return isOurs ? [{ pid, kind: 'started' }] : []
  })
}

/** The last words of what a supervisor starts; a check of the configuration has more. */
export const serverWords = (root: string): readonly string[] => ['--config', hostPaths(root).config, '--root', root]

export const supervisorWords = (root: string): readonly string[] => ['host', 'supervise', '--root', root]

const endsWith = (argv: readonly string[], words: readonly string[]): boolean =>
  argv.slice(-words.length).join('\0') === words.join('\0')
const isSupervisor = (argv: readonly string[], root: string): boolean => endsWith(argv, supervisorWords(root))
const isServer = (argv: readonly string[], root: string): boolean => endsWith(argv, serverWords(root))

interface Looked {
  readonly pid: number
  readonly parent: number
  readonly session: number
}

function look(pid: number): Looked | undefined {
  const fields = statFields(readIfThere(`/proc/${pid}/stat`) ?? '')
  return fields === undefined ? undefined : { pid, parent: fields.parent, session: fields.session }
}

/** This process and all that it comes from: a service may have netops stop it. */
function ancestry(table: readonly Looked[]): ReadonlySet<number> {
  const parents = new Map(table.map(({ pid, parent }) => [pid, parent]))
  const line = new Set<number>()
  for (let pid: number | undefined = process.pid; pid !== undefined && !line.has(pid); pid = parents.get(pid)) {
    line.add(pid)
  }
  return line
}

/** Words that end with a zero byte each. */
const listIn = (path: string): readonly string[] | undefined => readIfThere(path)?.split('\0').slice(0, -1)

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch {
    // It has ended, or is another user's.
    return undefined
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // As above: whatever cannot be read is none that could be ended.
    return undefined
  }
}
