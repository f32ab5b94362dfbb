// How much memory the control groups of this process allow, and how much of that is in use (cgroups(7), versions 1 and 2).
import { join } from 'node:path'
import { readTextIfAnyNow } from '../system/files.ts'

export interface GroupMemory {
  /** Bytes at which the kernel slows the group down or ends a process of it. */
  readonly limit: number
  /** Bytes that are in use and cannot be had back at once: without the files' pages that were not used lately. */
  readonly used: number
}

interface Version {
  /** Where the groups lie. */
  readonly mount: string
  readonly limits: readonly string[]
  readonly usage: string
  /** The line of memory.stat with what can be had back. */
  readonly reclaimable: string
}

// Kernel documentation: admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/memory.rst
const version2: Version = {
  mount: 'sys/fs/cgroup',
  // Above `high` its processes are made to wait, above `max` they are killed.
  limits: ['memory.max', 'memory.high'],
  usage: 'memory.current',
  reclaimable: 'inactive_file',
}
const version1: Version = {
  mount: 'sys/fs/cgroup/memory',
  limits: ['memory.limit_in_bytes'],
  usage: 'memory.usage_in_bytes',
  reclaimable: 'total_inactive_file',
}

// "No limit" of version 1 is the largest number of pages; no machine has as much.
const noLimit = 2 ** 60

/**
 * The group nearest to its limit: the process's own or one above it, all of which bind. Undefined where none has a limit.
 * @param root `/`, or a folder with `proc` and `sys` in it
 */
export function groupMemory(root = '/'): GroupMemory | undefined {
  const read = (path: string): string | undefined => {
    try {
      return readTextIfAnyNow(path)
    } catch {
      // Of a file system that is no cgroup, or one that we may not read, nothing is known; the machine's memory still binds.
      return undefined
    }
  }
  const groups = read(join(root, 'proc/self/cgroup')) ?? ''
  const named: readonly (readonly [Version, string | undefined])[] = [
    [version2, /^0::(\/.*)$/m.exec(groups)?.[1]],
    [version1, /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(\/.*)$/m.exec(groups)?.[1]],
  ]
  const found = named.flatMap(([version, path]) => {
    if (path === undefined) return []
    const folders = foldersUpTo(path).map((folder) => join(root, version.mount, folder))
    return folders.flatMap((folder) => memoryOf(folder, version, read))
  })
  const [nearest] = found.sort((a, b) => b.used / b.limit - a.used / a.limit)
  return nearest
}

/** `/a/b`, `/a` and `/`: in a container the last may be the only one that is seen. */
function foldersUpTo(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return [...parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`), '/']
}

function memoryOf(
  folder: string,
  { limits, usage, reclaimable }: Version,
  read: (path: string) => string | undefined,
): readonly GroupMemory[] {
  // `max` is the word for no limit, and no number.
  const told = limits.map((name) => Number(read(join(folder, name)))).filter((limit) => limit > 0)
  const limit = Math.min(Infinity, ...told)
  if (!(limit < noLimit)) return []
  const stat = read(join(folder, 'memory.stat')) ?? ''
  const spare = Number(new RegExp(`^${reclaimable} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0)
  return [{ limit, used: Math.max(0, Number(read(join(folder, usage)) ?? 0) - spare) }]
}
