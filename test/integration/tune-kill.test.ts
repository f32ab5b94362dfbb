// Tuning under kill -9: the host's part at lines of its journal, forward and while it is taken back; then revert is exact.
import { describe, expect, inject, test } from 'vitest'
import { runState } from '../../src/engine/journal.ts'
import { exec } from '../../src/system/exec.ts'
import { messageOf } from '../../src/model/errors.ts'
import { faultsAt, hostPart, sample } from '../support/kills.ts'
import { journalsOf, makeSite, treeOf, type Site } from '../support/site.ts'

/** What tuning does not count as its own: netops with its journals, and the times of folders. */
const own = ['opt', 'var/lib/netops', 'usr']

async function filesOf(site: Site): Promise<Readonly<Record<string, string>>> {
  const tree = Object.entries(await treeOf(site.root, own))
  return Object.fromEntries(tree.filter(([, about]) => about.split(' ').length > 2))
}

/** An operator's netops that dies when the host is about to begin; returns the run. */
async function orderOnly(site: Site, words: readonly string[]): Promise<string> {
  const before = await journalsOf(site)
  const env = { NETOPS_FAULT: 'kill-after:begin:local/tune' }
  expect(await exec([inject('builds').netops, ...words, '--root', site.root], { env })).toMatchObject({ code: 137 })
  const added = [...(await journalsOf(site)).keys()].filter((run) => !before.has(run))
  return added[0] ?? ''
}

async function surviveKill(site: Site, words: readonly string[], fault: string): Promise<void> {
  const run = await orderOnly(site, words)
  await hostPart(site, run, { NETOPS_FAULT: fault })
  const resumed = await site.netops(['runs', 'resume', run, '--json'])
  if (resumed.code !== 0) throw new Error(`the resume ended with ${resumed.code}: ${resumed.stdout}`)
  const records = (await journalsOf(site)).get(`${run}.local`) ?? []
  const done = records.flatMap((record) => (record.type === 'done' ? [record.step] : []))
  expect(new Set(done).size).toBe(done.length)
  expect(runState(records).end).toMatchObject({ outcome: 'done' })
}

describe("the host's part of tuning, killed before and after lines of its journal", () => {
  test('is resumed to what was asked, and reverted to exactly what was there', { timeout: 1_200_000 }, async () => {
    const site = await makeSite()
    const apply = ['tune', 'apply', '--profile', 'sized']
    expect(await site.netops(apply)).toMatchObject({ code: 0 })
    expect(await site.netops(['tune', 'revert'])).toMatchObject({ code: 0 })
    const before = await filesOf(site)
    const counted = await orderOnly(site, apply)
    await hostPart(site, counted)
    expect((await site.netops(['runs', 'resume', counted])).code).toBe(0)
    const back = await orderOnly(site, ['tune', 'revert'])
    await hostPart(site, back)
    expect((await site.netops(['runs', 'resume', back])).code).toBe(0)
    const journals = await journalsOf(site)
    const [forth, reverting] = [counted, back].map((run) => faultsAt(journals.get(`${run}.local`) ?? []))
    if (forth === undefined || reverting === undefined || forth.length !== reverting.length) {
      throw new Error('tuning and taking it back have as many records')
    }
    const bad: string[] = []
    for (const fault of sample(forth, 3)) {
      try {
        await surviveKill(site, apply, fault)
        expect(await site.netops(['tune', 'verify'])).toMatchObject({ code: 0 })
        expect(await site.netops(apply)).toMatchObject({
          code: 0,
          stdout: expect.stringContaining('nothing to do') as string,
        })
        await surviveKill(site, ['tune', 'revert'], reverting[forth.indexOf(fault)] ?? '')
        expect(await filesOf(site)).toEqual(before)
      } catch (error) {
        bad.push(`${fault}: ${messageOf(error)}`)
      }
    }
    expect(bad).toEqual([])
  })

  test('is taken back by the name of its run', async () => {
    const site = await makeSite()
    const first = await site.netops(['tune', 'apply', '--profile', 'sized', '--json'])
    expect(first.code).toBe(0)
    expect(await site.netops(['runs', 'undo', first.json.run ?? '', '--json'])).toMatchObject({ code: 0 })
    expect(await site.netops(['tune', 'verify'])).toMatchObject({ code: 7 })
    expect(await filesOf(site)).toEqual({})
  })
})
