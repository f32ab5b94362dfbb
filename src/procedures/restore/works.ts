// The work of a restore, each part for a step of its own: unpack beside, swap, make the database of the checkpoint, put back,
// clear up. All of it tolerates repetition.
import { join } from 'node:path'
import * as z from 'zod'
import { readManifest } from '../../archive/manifest.ts'
import type { ArchiveProgress } from '../../archive/progress.ts'
import { databaseName } from '../../backups/live-files.ts'
import { restoreCheckpoint } from '../../backups/restore-database.ts'
import { stageRestore } from '../../backups/restore-stage.ts'
import { clearUp, putBack, swapIn } from '../../backups/restore-swap.ts'
import { restoreTask, topsIn, workName, type RestoreTask } from '../../backups/restore-task.ts'
import { shownName } from '../../archive/names.ts'
import type { WorkEffect } from '../../model/effects.ts'
import { quoteCommand } from '../../model/quote.ts'
import { defineWork, type WorkTools } from '../work.ts'

const input = z.strictObject({ task: restoreTask })
const roots = z.array(z.string())

const folders = ({ base, places, run }: RestoreTask): readonly string[] =>
  places.map((place) => join(base, shownName(place), workName(run)))
const shownTops = ({ base, tops }: RestoreTask): readonly string[] => tops.map((top) => join(base, shownName(top)))

export const stageWork = defineWork({
  name: 'restore-stage',
  input,
  changes: false,
  show: ({ task }) => [
    `# verify all of ${join(task.archive.folder, task.archive.name)}, then for each place:`,
    ...task.places.flatMap((place, at) => {
      const folder = folders(task)[at] ?? ''
      const options = ['--same-owner', '--preserve-permissions', '--acls', '--xattrs']
      return [
        quoteCommand(['install', '-d', '-m', '0700', folder]),
        quoteCommand([
          ...['tar', '--extract', '--directory', join(folder, 'staged'), ...options],
          ...topsIn(task, place).map(shownName),
        ]),
      ]
    }),
  ],
  async run({ task }, tools) {
    const { totals } = await stageRestore(task, {
      signal: tools.signal,
      onProgress: progressTo(tools),
      database: databaseName,
    })
    return { verified: totals.entries }
  },
})

const progressTo =
  (tools: WorkTools) =>
  (progress: ArchiveProgress): void => {
    if (progress.phase === 'reading') tools.progress(progress.bytes, progress.of, 'bytes')
  }

export const swapWork = defineWork({
  name: 'restore-swap',
  input,
  changes: true,
  show: ({ task }) => [
    `# what is another below ${shownTops(task).join(', ')}: into kept, and what was unpacked into its place`,
    ...folders(task).flatMap((folder) => [
      `mv PATH ${quoteCommand([join(folder, 'kept')])}`,
      `mv ${quoteCommand([join(folder, 'staged')])}/PATH PATH`,
    ]),
  ],
  async run({ task }, { done }) {
    const { folder, name } = task.archive
    const manifest = await readManifest({ folder, name })
    return { ...(await swapIn(task, { place: { folder, name }, manifest }, { database: databaseName, onMoved: done })) }
  },
})

export const putBackWork = defineWork({
  name: 'restore-put-back',
  input,
  changes: true,
  show: ({ task }) => folders(task).map((folder) => `mv ${quoteCommand([join(folder, 'kept')])}/PATH PATH`),
  run: async ({ task }, { done }) => ({ putBack: await putBack(task, { onMoved: done }) }),
})

export const databaseWork = defineWork({
  name: 'restore-database',
  input: input.extend({ server: z.string(), roots }),
  changes: true,
  show: ({ task, server }) => [
    quoteCommand([
      ...[server, 'restore', join(task.base, shownName(task.database?.checkpoint ?? ''))],
      ...['--root', task.base, '--json'],
    ]),
  ],
  run: async ({ task, server, roots: tops }) => ({
    ...(await restoreCheckpoint(task, { server, roots: tops, database: databaseName })),
  }),
})

export const clearWork = defineWork({
  name: 'restore-clear',
  input: input.extend({ roots, how: z.enum(['done', 'undone']) }),
  changes: false,
  show: ({ task }) => folders(task).map((folder) => quoteCommand(['rm', '-rf', '--', folder])),
  async run({ task, how, roots: tops }) {
    return { left: [...(await clearUp(task, tops, how))] }
  },
})

export const workOf = (work: { readonly name: string }, given: WorkEffect['input']): WorkEffect => ({
  kind: 'work',
  work: work.name,
  input: given,
})
