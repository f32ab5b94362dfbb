// Which process has a file open to write to it, as far as this user may see that.
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { identify, type ProcessIdentity } from './processes.ts'

/**
 * The process that has this very file open for writing; the first of several, undefined where none has. At once: thousands of
 * turns of the event loop would take ten times as long.
 */
export async function writerOf(path: string): Promise<ProcessIdentity | undefined> {
  const real = seen(() => realpathSync(path))
  if (real === undefined) return undefined
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of seen(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      if (seen(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) !== real) continue
      const info = seen(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))
      // proc(5): the flags of open(2) in octal; the last two bits are 0 where it is only read.
      if (/^flags:\s+\d*[1-35-7]$/m.test(info ?? '')) return identify(Number(pid))
    }
  }
  return undefined
}

/** Undefined for a process that has ended meanwhile, or is another user's. */
function seen<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    // As said.
    return undefined
  }
}
