// Who may work on a host, with real processes: two operators at once, a dead one, frozen ones. The lease's bound is 30 s.
import { join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { judgeLease } from '../../src/engine/lease-file.ts'
import { runState } from '../../src/engine/journal.ts'
import { exec, start } from '../../src/system/exec.ts'
import { readTextIfAny } from '../../src/system/files.ts'
import { isAlive } from '../../src/system/processes.ts'
import { until } from '../support/fleet.ts'
import { journalsOf, makeSite, smallRelease, type Release, type Site } from '../support/site.ts'

const quick = ['--min-healthy-time', '300ms', '--healthy-deadline', '20s']

async function deployed(): Promise<Site> {
  const site = await makeSite()
  expect((await site.deploy(await smallRelease(site, '1.0.0'), ['--config', await site.config()])).code).toBe(0)
  return site
}

const wordsFor = (site: Site, release: Release, ...more: string[]): string[] => [
  ...['deploy', '--root', site.root, '--release', release.file, ...quick, ...more],
]

/** An operator's netops in the background; ended at the latest with the test. */
async function operator(site: Site, words: readonly string[], env: Record<string, string> = {}) {
  const output = join(site.folder, `operator-${Math.random()}.log`)
  const started = await start(
    ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), inject('builds').netops, ...words],
    { output },
  )
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(started.pid, signal)
    } catch {
      // It has ended.
    }
  }
  onTestFinished(() => {
    send('SIGCONT')
    send('SIGKILL')
  })
  return { ...started, send, said: async () => (await readTextIfAny(output)) ?? '' }
}

/** Waits until a run of the site has a record, and returns the run's name. */
const reached = (site: Site, step: string, type: string): Promise<string> =>
  until(async () => {
    for (const [run, records] of await journalsOf(site, 'torn')) {
      const found = records.some((record) => record.type === type && 'step' in record && record.step === step)
      if (found && runState(records).end === undefined) return run
    }
    return undefined
  })

describe.concurrent('two operators at once', () => {
  test(
    'get one host each not at all: one works, the other is told who does, and changes nothing',
    { timeout: 180_000 },
    async () => {
      const site = await deployed()
      const [one, two] = [await smallRelease(site, '1.1.0'), await smallRelease(site, '1.2.0')]
      const results = await Promise.all([site.deploy(one), site.deploy(two)])
      expect(results.map(({ code }) => code).sort()).toEqual([0, 6])
      const [winner, loser] = results[0].code === 0 ? [one, two] : [two, one]
      const refusal = results.find(({ code }) => code === 6)
      expect(refusal?.json.error?.message).toMatch(/holds this host since/)
      expect(await site.answering()).toBe(winner.id)
      const { stdout } = await exec(['ls', site.paths.releases])
      expect(stdout).not.toContain(loser.id)
      expect((await site.netops(['lock', 'status'])).stdout).toBe('local: free\n')
    },
  )
})

describe.concurrent('a dead operator', () => {
  test(
    'keeps the host until its heartbeat bound is over; then it passes on, with a message',
    { timeout: 240_000 },
    async () => {
      const site = await deployed()
      const release = await smallRelease(site, '1.1.0')
      // Run, netops unchanged, lease begin and done: it has the host, and dies.
      const dead = await operator(site, wordsFor(site, release), { NETOPS_FAULT: 'kill-after:4' })
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
      const site = await deployed()
      const release = await smallRelease(site, '1.1.0')
      const dead = await operator(site, wordsFor(site, release), { NETOPS_FAULT: 'kill-after:4' })
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

describe.concurrent('a frozen part of a host', () => {
  test(
    'is left alone while its bound lasts, and ended before anybody goes on with its run',
    { timeout: 240_000 },
    async () => {
      const site = await deployed()
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

describe.concurrent('a frozen operator', () => {
  test('that lost its hosts does nothing more to them when it moves again', { timeout: 240_000 }, async () => {
    const site = await deployed()
    const [mine, other] = [await smallRelease(site, '1.1.0'), await smallRelease(site, '1.2.0')]
    // It has the host, and stands still before it does anything with it.
    const frozen = await operator(site, wordsFor(site, mine), { NETOPS_FAULT: 'stop-after:4' })
    const run = await reached(site, 'local/lease', 'done')
    const taken = await until(async () => {
      const again = await site.deploy(other)
      return again.code === 6 ? undefined : again
    })
    expect(taken.code).toBe(0)
    frozen.send('SIGCONT')
    expect(await frozen.ended).toBe(6)
    expect(await frozen.said()).toContain('lost its lease')
    expect(await frozen.said()).toContain(`netops runs resume ${run}`)
    expect(await site.answering()).toBe(other.id)
  })
})
