// What people see of a run on many hosts: the built netops follows a deployment to 20 hosts, in a terminal and without one.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { Journal, journalPath, readJournal } from '../../src/engine/journal.ts'
import { carryRun } from '../../src/engine/lease.ts'
import type { JournalEntry } from '../../src/model/journal.ts'
import { exec } from '../../src/system/exec.ts'
import { deploymentOf, type Story } from '../support/fleet-story.ts'
import { makeSite, pause, smallRelease } from '../support/site.ts'
import { inTerminal } from '../support/tmux.ts'

const run = '20261123T104501Z-deploy-3f9a'
const hosts = Array.from({ length: 20 }, (_, index) => `web${index + 1}`)

interface Deployment {
  readonly story: Story
  readonly runs: string
  readonly env: Readonly<Record<string, string>>
  readonly follow: readonly string[]
  /** Writes what happened next. */
  readonly write: (...entries: readonly JournalEntry[]) => void
  /** Lets go of the journal, as the end of the process does that carries out a run. */
  readonly leave: () => Promise<void>
}

/** A run that this process carries out, as far as anybody can tell. */
async function deployment(now = (): Date => new Date()): Promise<Deployment> {
  const state = await mkdtemp(join(tmpdir(), 'netops-screens-'))
  const runs = join(state, 'runs')
  const journal = await Journal.open(runs, run, { now, observe: () => undefined })
  const carrier = await carryRun(runs, run)
  let open = true
  const leave = async (): Promise<void> => {
    if (!open) return
    open = false
    journal.close()
    await carrier.giveBack()
  }
  onTestFinished(async () => {
    await leave()
    await rm(state, { recursive: true, force: true })
  })
  const story = deploymentOf(hosts, (entry, seq) => ({ netops: 1, seq, at: now().toISOString(), ...entry }) as never)
  journal.append(story.start)
  return {
    story,
    runs,
    env: { NETOPS_STATE_DIR: state },
    follow: [inject('builds').netops, 'runs', 'follow', run],
    write(...entries) {
      for (const entry of entries) journal.append(entry)
      if (entries.at(-1)?.type === 'end') void leave()
    },
    leave,
  }
}

/** Half way: five hosts done, one put back, two at work, the others wait. */
const firstHalf = ({ to, undoing, rolledBack }: Story): JournalEntry[] => [
  ...hosts.slice(0, 5).flatMap((host) => to(host)),
  ...undoing('web6'),
  ...rolledBack('web6'),
  ...to('web7', 'stop'),
  ...to('web8', 'web8/release'),
]
const secondHalf = ({ to, end }: Story): JournalEntry[] => [
  ...hosts.filter((host) => host !== 'web6').flatMap((host) => to(host)),
  end('rolled-back'),
]

/**
 * Takes out of a screen what no two runs share: how long things took. `12s` and `1m05s` at the end of a line become `TIME`
 * with two blanks before it, however wide they were; so do `12 ms` and `1.2 s` behind a step, with one.
 */
const withoutTimes = (screen: string): string =>
  screen.replaceAll(/ +(?:\d+m)?\d+s$/gm, '  TIME').replaceAll(/ \d+ ms$| \d+\.\d s$/gm, ' TIME')

describe('a run on 20 hosts', () => {
  test('is drawn live in a terminal, and its end stays there', async () => {
    const { story, env, follow, write } = await deployment()
    write(...firstHalf(story))
    const terminal = await inTerminal(follow, env)
    const middle = await terminal.shows(/1 rolled back, 2 working, 12 waiting, 5 done/)
    await expect(withoutTimes(middle)).toMatchFileSnapshot('screens/terminal-middle.txt')
    expect(await terminal.cursorIsVisible()).toBe(false)
    write(...secondHalf(story))
    const end = await terminal.shows(/^exit \d+$/m)
    await expect(withoutTimes(end)).toMatchFileSnapshot('screens/terminal-end.txt')
    expect(await terminal.cursorIsVisible()).toBe(true)
  })

  test('is drawn anew when the terminal gets another size', async () => {
    const { story, env, follow, write } = await deployment()
    write(...firstHalf(story))
    const terminal = await inTerminal(follow, env)
    await terminal.shows(/1 rolled back, 2 working, 12 waiting, 5 done/)
    await terminal.resize(40, 12)
    const narrow = await terminal.shows(/^\.\.\. and \d+ more .*$(?![^]*^web)/m)
    await expect(withoutTimes(narrow)).toMatchFileSnapshot('screens/terminal-narrow.txt')
  })

  test('gives the terminal back when it is no longer followed', async () => {
    const { story, env, follow, write } = await deployment()
    write(...firstHalf(story))
    const terminal = await inTerminal(follow, env)
    await terminal.shows(/12 waiting/)
    await terminal.type('C-c')
    const left = await terminal.shows(/^exit 130$/m)
    // What the terminal itself showed of the key is gone.
    expect(left).toMatch(/web20 {2}waiting\nnetops: no longer following run/)
    expect(await terminal.cursorIsVisible()).toBe(true)
  })

  test('is told in plain lines in a terminal that shall have no colours', async () => {
    const { story, env, follow, write } = await deployment()
    const terminal = await inTerminal(follow, { ...env, NO_COLOR: '1' })
    write(...firstHalf(story), ...secondHalf(story))
    const end = await terminal.shows(/^exit \d+$/m)
    await expect(withoutTimes(end)).toMatchFileSnapshot('screens/no-color.txt')
  })

  test('is told in plain lines without a terminal', async () => {
    const { story, env, follow, write } = await deployment()
    const following = exec(follow, { env })
    write(...firstHalf(story), ...secondHalf(story))
    const { code, stdout, stderr } = await following
    expect([code, stderr]).toEqual([0, ''])
    await expect(withoutTimes(stdout)).toMatchFileSnapshot('screens/pipe.txt')
  })

  test('is passed on record by record with --jsonl, from any record on', async () => {
    const { story, env, runs, follow, write } = await deployment()
    write(...firstHalf(story), ...secondHalf(story))
    const lines = (await readJournal(runs, run))?.map((record) => `${JSON.stringify(record)}\n`) ?? []
    const printed = async (...words: readonly string[]) => exec([...follow, '--jsonl', ...words], { env })
    expect((await printed()).stdout === lines.join('')).toBe(true)
    expect(await printed('--from', String(lines.length - 1))).toEqual({
      code: 0,
      stdout: lines.slice(-2).join(''),
      stderr: '',
    })
  })
})

describe('an old run without an end', () => {
  const longAgo = (): Date => new Date('2026-01-02T03:04:05Z')

  test('is followed as long as a process carries it out', async () => {
    const { story, env, follow, write } = await deployment(longAgo)
    const following = exec(follow, { env })
    await pause(7000)
    write(story.end('done'))
    expect(await following).toMatchObject({ code: 0, stderr: '' })
  })

  test('is given up, with the way to go on, when nobody does', async () => {
    const { env, follow, leave } = await deployment(longAgo)
    await leave()
    const { code, stderr } = await exec(follow, { env })
    expect(code).toBe(3)
    expect(stderr).toBe(
      `netops: nobody is carrying out run ${run}, and it has not ended\n  hint: go on with it: netops runs resume ${run}\n`,
    )
  })
})

test('a deployment with --jsonl prints its journal as it comes, then the result, and nothing else', async () => {
  const site = await makeSite()
  const release = await smallRelease(site, '1.0.0')
  const words = ['--jsonl', '--release', release.file, '--config', await site.config(), '--min-healthy-time', '500ms']
  const { code, stdout, stderr } = await site.netops(['deploy', ...words])
  expect([code, stderr]).toEqual([0, ''])
  const lines = stdout.trimEnd().split('\n')
  const document = JSON.parse(lines.at(-1) ?? '') as { run: string }
  expect(document).toMatchObject({ schema: 'netops/v1', command: 'deploy', ok: true, outcome: 'done' })
  expect(`${lines.slice(0, -1).join('\n')}\n`).toBe(await readFile(journalPath(site.paths.runs, document.run), 'utf8'))
})
