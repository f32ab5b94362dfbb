// Operators at work on one site, as processes that a test can stop, continue and end.
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { runState } from '../../src/engine/journal.ts'
import { start } from '../../src/system/exec.ts'
import { readTextIfAny } from '../../src/system/files.ts'
import { until } from './fleet.ts'
import { journalsOf, type Release, type Site } from './site.ts'

const quick = ['--min-healthy-time', '300ms', '--healthy-deadline', '20s']

/** What an operator types to deploy a release to a site. */
export const wordsFor = (site: Site, release: Release, ...more: string[]): string[] => [
  ...['deploy', '--root', site.root, '--release', release.file, ...quick, ...more],
]

/** An operator's netops in the background; ended at the latest with the test. */
export async function operator(site: Site, words: readonly string[], env: Record<string, string> = {}) {
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
export const reached = (site: Site, step: string, type: string): Promise<string> =>
  until(async () => {
    for (const [run, records] of await journalsOf(site, 'torn')) {
      const found = records.some((record) => record.type === type && 'step' in record && record.step === step)
      if (found && runState(records).end === undefined) return run
    }
    return undefined
  })
