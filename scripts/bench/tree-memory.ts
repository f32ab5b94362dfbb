// How much memory a command holds, with all that it starts, by looking again and again.
import { readFileSync, readlinkSync } from 'node:fs'
import { setInterval, clearInterval } from 'node:timers'

const everyMs = 20
const pageBytes = 4096

/** Looks at what this process starts from now on, until it is stopped. @returns the most that it held at once, in bytes */
export function watchMemory(): { stop(): number } {
  const others = new Set(childrenOf(process.pid))
  let most = 0
  const look = (): void => {
    most = Math.max(most, residentBelow(process.pid, others))
  }
  const timer = setInterval(look, everyMs)
  return {
    stop() {
      clearInterval(timer)
      return most
    },
  }
}

/**
 * Resident memory of all that a process has started; a page that two of them share counts twice, but for a child that was forked
 * and has not begun its own program yet, whose pages are all its parent's. proc(5): children, statm.
 */
function residentBelow(pid: number, others: ReadonlySet<number> = new Set()): number {
  let bytes = 0
  const program = programOf(pid)
  for (const child of childrenOf(pid)) {
    if (others.has(child)) continue
    const [, pages = '0'] = told(`/proc/${child}/statm`)
    if (programOf(child) !== program) bytes += Number(pages) * pageBytes
    bytes += residentBelow(child)
  }
  return bytes
}

const childrenOf = (pid: number): readonly number[] => told(`/proc/${pid}/task/${pid}/children`).map(Number)

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return '' // it has just ended
  }
}

function told(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8')
      .trim()
      .split(' ')
      .filter((word) => word !== '')
  } catch {
    return [] // it has just ended
  }
}
