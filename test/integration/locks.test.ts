// Who may work on a host, with real processes: two operators at once, a dead one. The lease's bound is 30 s.
import { readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { judgeLease } from '../../src/engine/lease-file.ts'
import { exec } from '../../src/system/exec.ts'
import { until } from '../support/fleet.ts'
import { operator, wordsFor } from '../support/operators.ts'
import { siteInService, smallRelease } from '../support/site.ts'

describe('two operators at once', () => {
  test(
    'get one host each not at all: one works, the other is told who does, and changes nothing',
    { timeout: 180_000 },
    async () => {
      const { site } = await siteInService()
      const [one, two] = [await smallRelease(site, '1.1.0'), await smallRelease(site, '1.2.0')]
      const before = (await readdir(site.paths.runs)).length
      const results = await Promise.all([site.deploy(one), site.deploy(two)])
      expect(results.map(({ code }) => code).sort()).toEqual([0, 6])
      const [winner, loser] = results[0].code === 0 ? [one, two] : [two, one]
      const refusal = results.find(({ code }) => code === 6)
      expect(refusal?.json.error?.message).toMatch(/holds this host since/)
      expect(await site.answering()).toBe(winner.id)
      const { stdout } = await exec(['ls', site.paths.releases])
      expect(stdout).not.toContain(loser.id)
      expect((await site.netops(['lock', 'status'])).stdout).toBe('local: free\n')
      const listed = await site.netops(['runs', 'list', '--json'])
      expect(listed.stdout).not.toContain('"locked"')
      expect((await readdir(site.paths.runs)).length).toBe(before + 2)
      expect(await readdir(site.paths.open)).toEqual([])
    },
  )
})

describe('a dead operator', () => {
  test(
    'keeps the host until its heartbeat bound is over; then it passes on, with a message',
    { timeout: 240_000 },
    async () => {
      const { site } = await siteInService()
      const release = await smallRelease(site, '1.1.0')
      // It has the host, and dies.
      const dead = await operator(site, wordsFor(site, release), { NETOPS_FAULT: 'kill-after:done:local/lease' })
      expect(await dead.ended).toBe(137)
      const refused = await site.deploy(release)
      expect(refused.code).toBe(6)
      expect(refused.json.error?.hint).toContain('a holder that is silent for 30 s loses it')
      const status = await site.netops(['lock', 'status'])
      expect(status.stdout).toMatch(
        /^local: at work: run \S+-deploy-\S+ \(deploy by \S+\) by \S+ on \S+ since \S+, heard of \d+ s ago\n$/,
      )
      expect((await site.netops(['lock', 'release'])).code).toBe(6)
      const next = await until(async () => {
        const again = await site.deploy(release)
        return again.code === 6 ? undefined : again
      })
      expect(next).toMatchObject({ code: 0 })
      expect(next.stderr).toMatch(/local: taken over from run \S+ \(deploy by \S+\)/)
      expect(await site.answering()).toBe(release.id)
    },
  )

  test(
    'can be made to give the host up at once, by the name of its run and by force',
    { timeout: 120_000 },
    async () => {
      const { site } = await siteInService()
      const release = await smallRelease(site, '1.1.0')
      const dead = await operator(site, wordsFor(site, release), { NETOPS_FAULT: 'kill-after:done:local/lease' })
      await dead.ended
      const held = await judgeLease(site.paths.fleetLease)
      const run = held?.lease.run ?? ''
      expect((await site.netops(['lock', 'release', '--force'])).code).toBe(2)
      const released = await site.netops(['lock', 'release', '--force', '--run', run])
      expect(released).toMatchObject({ code: 0, stdout: expect.stringContaining(`given back: run ${run}`) as string })
      expect((await site.deploy(release)).code).toBe(0)
    },
  )
})
