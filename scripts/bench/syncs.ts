// How often a disk takes a small write for good, by one writer after the other.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

const measuredMs = 2000
// A page of SQLite.
const page = Buffer.alloc(4096, 1)

/** @returns syncs a second of a file in the folder, each after a page was written */
export async function syncsPerSecond(folder: string): Promise<number> {
  const file = openSync(join(folder, 'syncs'), 'w')
  try {
    const begun = performance.now()
    let count = 0
    for (; performance.now() - begun < measuredMs; count += 1) {
      writeSync(file, page)
      fdatasyncSync(file)
      if (count % 100 === 0) await turn()
    }
    return count / ((performance.now() - begun) / 1000)
  } finally {
    closeSync(file)
  }
}
