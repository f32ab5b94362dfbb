// Holders that stand still (SIGSTOP): a part of a host, and an operator. The lease's bound is 30 s.
import { describe, expect, test } from 'vitest'
import { judgeLease } from '../../src/engine/lease-file.ts'
import { isAlive } from '../../src/system/processes.ts'
import { until } from '../support/fleet.ts'
import { operator, reached, wordsFor } from '../support/operators.ts'
import { siteInService, smallRelease } from '../support/site.ts'

describe('a frozen part of a host', () => {
  test(
    'is left alone while its bound lasts, and ended before anybody goes on with its run',
    { timeout: 240_000 },
    async () => {
      const { site } = await siteInService()
      const release = await smallRelease(site, '1.1.0')
      const first = await operator(site, wordsFor(site, release, '--min-healthy-time', '15s'))
      const part = await reached(site, 'health', 'begin')
      const run = part.replace(/\.local$/, '')
      const { lease } = (await judgeLease(site.paths.lease)) ?? {}
      if (lease === undefined) throw new Error('nobody has the host')
      process.kill(lease.process.pid, 'SIGSTOP')
      first.send('SIGKILL')
      await first.ended
      expect(await site.netops(['runs', 'resume', part])).toMatchObject({ code: 6 })
      expect(await isAlive(lease.process)).toBe(true)
      expect((await site.deploy(release)).code).toBe(6)
      const resumed = await until(async () => {
        const again = await site.netops(['runs', 'resume', run, '--json'])
        return again.code === 6 || again.code === 3 ? undefined : again
      })
      expect(resumed).toMatchObject({ code: 0, json: { hosts: [{ outcome: 'done', release: release.id }] } })
      expect(await isAlive(lease.process)).toBe(false)
      expect(await site.answering()).toBe(release.id)
    },
  )
})

describe('a frozen operator', () => {
  test('that lost its hosts does nothing more to them when it moves again', { timeout: 240_000 }, async () => {
    const { site } = await siteInService()
    const [mine, other] = [await smallRelease(site, '1.1.0'), await smallRelease(site, '1.2.0')]
    // It has the host, and stands still before it does anything with it.
    const frozen = await operator(site, wordsFor(site, mine), { NETOPS_FAULT: 'stop-after:done:local/lease' })
    const run = await reached(site, 'local/lease', 'done')
    const taken = await until(async () => {
      const again = await site.deploy(other)
      return again.code === 6 ? undefined : again
    }, 150_000)
    expect(taken.code).toBe(0)
    frozen.send('SIGCONT')
    expect(await frozen.ended).toBe(6)
    expect(await frozen.said()).toContain('lost its lease')
    expect(await frozen.said()).toContain(`netops runs resume ${run}`)
    expect(await site.answering()).toBe(other.id)
  })
})
