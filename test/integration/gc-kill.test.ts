// Cleaning up is killed in the middle of its work, at an item of it, and resumed.
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { planHash } from '../../src/engine/journal.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { sequence } from '../../src/model/plan.ts'
import { listIfAny, readTextIfAny } from '../../src/system/files.ts'
import { journalsOf, makeSite, type Site } from '../support/site.ts'

const count = 400
const words = ['gc', '--older-than', '1d', '--keep-runs', '0', '--json']

/** Many runs that ended long ago; one of them holds a link to what is no run. */
async function siteWithOldRuns(): Promise<{ site: Site; kept: string }> {
  const site = await makeSite()
  const stamp = { netops: 1, at: '2026-01-02T03:04:05.000Z' } as const
  const plan = sequence('nothing', [])
  const begun = { by: 'test', input: null, facts: null, plan, planSha256: planHash(plan) }
  for (let index = 0; index < count; index += 1) {
    const run = `20260102T030405Z-deploy-${String(index).padStart(4, '0')}.local`
    const records: JournalRecord[] = [
      { ...stamp, seq: 1, type: 'run', run, procedure: 'activate', ...begun },
      { ...stamp, seq: 2, type: 'end', outcome: 'done', changed: true },
    ]
    const folder = join(site.paths.runs, run)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'journal.jsonl'), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  }
  const kept = join(site.folder, 'theirs', 'file')
  await mkdir(dirname(kept))
  await writeFile(kept, 'not ours')
  await symlink(dirname(kept), join(site.paths.runs, '20260102T030405Z-deploy-0001.local', 'link'))
  return { site, kept }
}

const oldRunsOf = async ({ paths }: Site): Promise<number> =>
  (await listIfAny(paths.runs)).filter((name) => name.startsWith('20260102T')).length

describe('netops gc', () => {
  test.each([1, 250, count])('killed after its item %d and resumed has removed all, and says so', async (item) => {
    const { site, kept } = await siteWithOldRuns()
    const killed = await site.netops(words, { NETOPS_FAULT: `kill-after-item:${item}` })
    const { run = '' } = killed.json
    expect(killed).toMatchObject({ code: 3, json: { outcome: 'partly' } })
    expect(await oldRunsOf(site)).toBe(count - item)

    const resumed = await site.netops(['runs', 'resume', run, '--json'])
    expect(resumed).toMatchObject({ code: 0, json: { outcome: 'done' } })
    expect(resumed.json.hosts).toMatchObject([
      { host: 'local', outcome: 'done', changed: true, results: { journals: { removed: count } } },
    ])
    expect(await listIfAny(site.paths.runs)).toEqual([run, `${run}.local`])
    expect(await readTextIfAny(kept)).toBe('not ours')
    const records = (await journalsOf(site)).get(`${run}.local`) ?? []
    expect(records.filter(({ type }) => type === 'done' || type === 'unchanged')).toMatchObject([
      { type: 'done', step: 'journals', result: { removed: count } },
      { type: 'unchanged', step: 'builds' },
      { type: 'unchanged', step: 'litter' },
    ])
    // The last batch before the kill may stand there twice.
    const items = await readFile(join(site.paths.runs, `${run}.local`, 'items.jsonl'), 'utf8')
    expect(new Set(items.trimEnd().split('\n')).size).toBe(count)
  })
})
