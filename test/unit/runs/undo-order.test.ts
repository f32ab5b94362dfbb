import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { LeaseName } from '../../../src/model/leases.ts'
import { refuseUndo } from '../../../src/runs/undo-order.ts'
import { layDown } from '../../support/old-runs.ts'
import { quickFolder } from '../../support/scratch.ts'

async function runsOf(later: readonly LeaseName[] | undefined): Promise<string> {
  const folder = await quickFolder('undo-order')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, 'runs')
  const ended = { scope: 'host', state: 'ended', outcome: 'done', changed: true } as const
  const journal = { lines: 4, ended: true }
  await layDown(runs, { run: 'deploy', file: { ...ended, leases: ['release'], sequence: 1 }, journal })
  const leases = later === undefined ? {} : { leases: [...later] }
  await layDown(runs, { run: 'later', file: { ...ended, ...leases, sequence: 2 }, journal })
  return runs
}

test('a later run that had nothing in common is not in the way of an undo', async () => {
  await expect(refuseUndo(await runsOf(['backup']), 'deploy')).resolves.toBeUndefined()
})

test.each([[['release', 'backup'] as const], [undefined]])('a later run that had %j is', async (leases) => {
  await expect(refuseUndo(await runsOf(leases), 'deploy')).rejects.toMatchObject({ code: 'refused' })
})
