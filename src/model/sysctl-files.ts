// What the sysctl.d files of a host say about a kernel parameter, and which of them has the last word (sysctl.d(5)).
import { sysctlPath } from './sysctl.ts'

/** A configuration file; a masked one is empty. */
export interface ConfFile {
  readonly path: string
  readonly text: string
}

/** One line that sets a value, with its place. */
export interface ConfLine {
  readonly path: string
  /** From 1. */
  readonly line: number
  readonly value: string
}

/** `/etc/sysctl.d/99-other.conf:3`. */
export const locationOf = ({ path, line }: ConfLine): string => `${path}:${line}`

interface Assignment extends ConfLine {
  /** A path below /proc/sys, perhaps with wildcards. */
  readonly pattern: string
  /** A `-key` without a value: no wildcard sets this key. */
  readonly excludes: boolean
}

/**
 * The files that count, in the order in which they are read: by name, and of several with one name only that of the first folder.
 * @param folders in the order of precedence
 */
export function filesInOrder(files: readonly ConfFile[], folders: readonly string[]): readonly ConfFile[] {
  const byName = new Map<string, ConfFile>()
  for (const folder of folders) {
    for (const file of files) {
      const name = file.path.slice(folder.length + 1)
      if (file.path === `${folder}/${name}` && !name.includes('/') && name.endsWith('.conf') && !byName.has(name)) {
        byName.set(name, file)
      }
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, file]) => file)
}

function assignmentsIn({ path, text }: ConfFile): readonly Assignment[] {
  return text.split('\n').flatMap((whole, index): readonly Assignment[] => {
    const line = whole.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return []
    const at = line.indexOf('=')
    const left = (at < 0 ? line : line.slice(0, at)).trim()
    const key = left.replace(/^-/, '').trim()
    // A line without a value means something only as `-key`.
    if (key === '' || (at < 0 && !left.startsWith('-'))) return []
    const value = at < 0 ? '' : line.slice(at + 1).trim()
    return [{ path, line: index + 1, pattern: sysctlPath(key), value, excludes: at < 0 }]
  })
}

/** Who sets a parameter at boot: the line that has the last word, and those that it wins over. */
export interface Setters {
  readonly winner: ConfLine | undefined
  readonly others: readonly ConfLine[]
}

/** @param files in the order in which they are read: {@link filesInOrder} */
export function settersOf(key: string, files: readonly ConfFile[]): Setters {
  const path = sysctlPath(key)
  const matching = files.flatMap(assignmentsIn).filter(({ pattern }) => matches(pattern, path))
  // A key that is named outright, or excluded outright, is left alone by wildcards wherever they stand.
  const outright = matching.filter(({ pattern }) => pattern === path)
  const last = (outright.length > 0 ? outright : matching).at(-1)
  const winner = last?.excludes === true ? undefined : last
  return { winner, others: matching.filter((line) => line !== winner && !line.excludes) }
}

/** glob(7), as far as sysctl.d files use it. */
function matches(pattern: string, path: string): boolean {
  if (pattern === path) return true
  if (!/[*?[]/.test(pattern)) return false
  const source = pattern.replaceAll(/\[!?[^\]/]+\]|[\s\S]/g, (part) => {
    if (part === '*') return '[^/]*'
    if (part === '?') return '[^/]'
    if (part.length > 1) return part.replace(/^\[!/, '[^').replaceAll('\\', '\\\\')
    return part.replace(/[.+^${}()|[\]\\]/, '\\$&')
  })
  try {
    return new RegExp(`^${source}$`).test(path)
  } catch {
    // A broken range such as `[z-a]` matches nothing.
    return false
  }
}
