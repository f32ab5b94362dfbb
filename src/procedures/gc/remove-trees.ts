// Removes folders and files with all below them, one after the other.
import { dirname } from 'node:path'
import * as z from 'zod'
import type { WorkEffect } from '../../model/effects.ts'
import { quoteCommand } from '../../model/quote.ts'
import { removeTree } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import { defineWork } from '../work.ts'

const input = z.strictObject({ paths: z.array(z.string().startsWith('/')) })

export const removeTrees = defineWork({
  name: 'remove-trees',
  input,
  changes: true,
  show: ({ paths }) => paths.map((path) => quoteCommand(['rm', '-rf', '--', path])),
  async run({ paths }, { signal, isDone, done, progress }) {
    await refuseDistrustedHere([...new Set(paths.map((path) => dirname(path)))])
    let removed = 0
    for (const [index, path] of paths.entries()) {
      if (signal.aborted) break
      progress(index, paths.length)
      // What is not there any more was removed by a process that could not say so.
      if (!isDone(path)) await removeTree(path)
      done(path)
      removed += 1
    }
    return { removed }
  },
})

/** The effect that removes these. */
export const removingTrees = (paths: readonly string[]): WorkEffect => ({
  kind: 'work',
  work: removeTrees.name,
  input: { paths: [...paths] },
})
