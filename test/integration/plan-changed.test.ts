// A host that changes between the operator's look and its own run: what was shown is done, or nothing is.
import { appendFile, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { operator, reached, wordsFor } from '../support/operators.ts'
import { filesBelow, siteInService, smallRelease } from '../support/site.ts'

test(
  'a host that was changed since the plan was made refuses it, and nothing is done',
  { timeout: 120_000 },
  async () => {
    const { site, release: before, pid } = await siteInService()
    const release = await smallRelease(site, '1.1.0')
    const config = await site.config('next.yaml', 900)
    const stopped = await operator(site, wordsFor(site, release, '--config', config, '--json'), {
      NETOPS_FAULT: 'stop-after:done:local/lease',
    })
    await reached(site, 'local/lease', 'done')
    // Somebody edits the configuration in place: its undo would not be what the operator was shown.
    await appendFile(site.paths.config, '# by hand\n')
    stopped.send('SIGCONT')
    expect(await stopped.ended).toBe(7)
    expect(await stopped.said()).toContain('the host has changed since the plan was made')
    expect(await site.answering()).toBe(before.id)
    expect(await site.mainPid()).toBe(pid)
    expect(await readFile(site.paths.config, 'utf8')).toContain('# by hand')
    // What was brought for it takes no room any more.
    expect(await filesBelow(site.paths.incoming)).toEqual([])
    expect(await site.deploy(release, ['--config', config])).toMatchObject({ code: 0 })
    expect(await site.answering()).toBe(release.id)
  },
)

test('a host where it is so already by now has nothing to do', { timeout: 120_000 }, async () => {
  const { site } = await siteInService()
  const release = await smallRelease(site, '1.1.0')
  const slow = await operator(site, wordsFor(site, release, '--json'), {
    NETOPS_FAULT: 'stop-before:begin:local/lease',
  })
  await reached(site, 'local/netops', 'unchanged')
  expect(await site.deploy(release)).toMatchObject({ code: 0 })
  const pid = await site.mainPid()
  slow.send('SIGCONT')
  expect(await slow.ended).toBe(0)
  expect(await slow.said()).toContain('"changed":false')
  expect(await site.mainPid()).toBe(pid)
})
