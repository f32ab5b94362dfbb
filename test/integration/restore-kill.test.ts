// A restore under kill -9: the host's part at each line of its journal and at each of its renames, then resumed or undone.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { expect, inject, test } from 'vitest'
import { judgeLease } from '../../src/engine/lease-file.ts'
import { runState } from '../../src/engine/journal.ts'
import { messageOf } from '../../src/model/errors.ts'
import { leasePath } from '../../src/model/paths.ts'
import { exec } from '../../src/system/exec.ts'
import { faultsAt, hostPart, sample } from '../support/kills.ts'
import { backUp, putRecord, recordOf, siteWithRecords } from '../support/restores.ts'
import { journalsOf, type Site } from '../support/site.ts'

const quick = ['--min-healthy-time', '100ms', '--healthy-deadline', '20s']

/** An operator's netops that dies when the host is about to begin; returns the run. */
async function begun(site: Site): Promise<string> {
  const before = await journalsOf(site)
  const operator = await exec([inject('builds').netops, 'restore', '--yes', ...quick, '--root', site.root], {
    env: { NETOPS_FAULT: 'kill-after:begin:local/restore' },
  })
  expect(operator).toMatchObject({ code: 137 })
  return [...(await journalsOf(site)).keys()].find((run) => !before.has(run)) ?? ''
}

async function expectSettled(site: Site): Promise<void> {
  for (const name of ['release', 'backup'] as const) {
    expect((await judgeLease(leasePath(site.paths.lease, name)))?.standing ?? 'dead').toBe('dead')
  }
  const left = (await readdir(site.root, { recursive: true })).filter((name) =>
    /netops-restore|restore-swap|restore-unfinished|state\.db\.before|\.restoring/.test(name),
  )
  expect(left).toEqual([])
}

test(
  'killed anywhere and resumed or undone, the service is healthy with one state or the other, and nothing is left',
  { timeout: 1_800_000 },
  async () => {
    const { site, release } = await siteWithRecords()
    const then = await readFile(site.paths.config, 'utf8')
    await putRecord(site, 'one', 'then')
    expect(await site.netops(['checkpoint'])).toMatchObject({ code: 0 })
    await backUp(site)
    const now = `${then}# now\n`
    /** What happens to the site before each restore. */
    const change = async (): Promise<void> => {
      await writeFile(site.paths.config, now)
      await putRecord(site, 'one', 'now')
    }
    const tryOnce = async (fault: string, direction: 'resume' | 'undo'): Promise<readonly string[]> => {
      await change()
      const run = await begun(site)
      await hostPart(site, run, fault === '' ? {} : { NETOPS_FAULT: fault })
      const records = (await journalsOf(site, 'torn')).get(`${run}.local`) ?? []
      const isOver = runState(records).end !== undefined || runState(records).start === undefined
      const resumed = await site.netops(['runs', direction === 'undo' && !isOver ? 'undo' : 'resume', run, '--json'])
      expect(resumed).toMatchObject({ code: 0 })
      expect(await site.answering()).toBe(release.id)
      const [record, config] = [await recordOf(site, 'one'), await readFile(site.paths.config, 'utf8')]
      // Once what was there before is removed, it only goes forward.
      if (direction === 'resume') expect([record, config]).toEqual(['then', then])
      else
        expect([
          ['then', then],
          ['now', now],
        ]).toContainEqual([record, config])
      await expectSettled(site)
      return faultsAt(records)
    }
    const whole = await tryOnce('', 'resume')
    const faults = [...whole, ...Array.from({ length: 5 }, (_, at) => `kill-after-item:${at + 1}`)]
    const bad: string[] = []
    const chosen = sample(faults, 2)
    for (const [at, fault] of chosen.entries()) {
      for (const direction of process.env.NETOPS_ENDURANCE === '1'
        ? (['resume', 'undo'] as const)
        : [at % 2 === 0 ? ('resume' as const) : ('undo' as const)]) {
        await tryOnce(fault, direction).catch((error: unknown) =>
          bad.push(`${fault}, ${direction}: ${messageOf(error)}`),
        )
      }
    }
    expect(bad).toEqual([])
  },
)
