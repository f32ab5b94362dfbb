// netops logs against real SSH servers, whose journal is a stand-in, and below a root against the real service.
import { appendFile, chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { exec, start } from '../../src/system/exec.ts'
import { readTextIfAny } from '../../src/system/files.ts'
import { until } from '../support/fleet.ts'
import { makeSite, smallRelease } from '../support/site.ts'
import { startSshFleet } from '../support/ssh-fleet.ts'

/** netops in the background, its output in a file; ended at the latest with the test. */
async function inBackground(words: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'netops-logs-'))
  const output = join(folder, 'said')
  const { pid, ended } = await start([inject('builds').netops, 'logs', ...words], { output })
  let over = false
  void ended.then(() => (over = true))
  onTestFinished(async () => {
    if (!over) process.kill(pid, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  return { pid, ended, said: async () => (await readTextIfAny(output)) ?? '' }
}

const entry = (second: number, msg: string): string =>
  JSON.stringify({ level: 'INFO', time: `2026-01-02T03:04:${String(second).padStart(2, '0')}.000Z`, release: 'r', msg })

/** A site whose service.out and configuration a test writes itself. */
async function logSite() {
  const site = await makeSite()
  const log = join(site.paths.logDir, 'service.out')
  await mkdir(site.paths.logDir, { recursive: true })
  const logs = (...more: readonly string[]) => site.netops(['logs', ...more])
  return { site, log, logs }
}

describe('below a root', () => {
  test('the log of the service is shown for people, raw, and as a document', async () => {
    const site = await makeSite()
    expect((await site.deploy(await smallRelease(site, '1.0.0'), ['--config', await site.config()])).code).toBe(0)
    const { code, stdout } = await site.netops(['logs'])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^local \| \d\d:\d\d:\d\d INFO {2}\S.*/m)])
    expect((await site.netops(['logs', '--raw', '-n', '1'])).stdout).toMatch(
      /^local \| \{"level":"INFO","time":.*\}\n$/,
    )
    const document = (await site.netops(['logs', '--json'])).json as unknown as { lines: { line: string }[] }
    expect(document.lines.map(({ line }) => line).join('')).toContain('"level":"INFO"')
  })

  test('it is chosen from by number, time and text', async () => {
    const { log, logs } = await logSite()
    await writeFile(log, [entry(1, 'one'), 'plain', entry(2, 'two'), entry(3, 'three'), ''].join('\n'))
    const lines = async (...more: string[]) => (await logs('--raw', ...more)).stdout.replaceAll('local | ', '').trim()
    expect(await lines('-n', '2')).toBe([entry(2, 'two'), entry(3, 'three')].join('\n'))
    expect(await lines('--since', '2026-01-02T03:04:02Z')).toBe([entry(2, 'two'), entry(3, 'three')].join('\n'))
    expect(await lines('--grep', '"one"')).toBe(entry(1, 'one'))
    expect(await lines('--grep', 'plain')).toBe('plain')
  })

  test('a log file is read where the console gets nothing', async () => {
    const { site, logs } = await logSite()
    const file = await readTextIfAny(await site.config())
    await mkdir(site.paths.configDir, { recursive: true })
    await writeFile(
      site.paths.config,
      (file ?? '').replace('logging:', 'logging:\n  outputs: [{ type: file, path: /var/log/network/own.log }]'),
    )
    await writeFile(join(site.paths.logDir, 'server.log'), `${entry(1, 'in the file')}\n`)
    expect((await logs('--raw')).stdout).toBe(`local | ${entry(1, 'in the file')}\n`)
    await rm(site.paths.config)
  })

  test('there is none yet: that is told with where it was looked for', async () => {
    const { logs, log } = await logSite()
    const { code, stderr } = await logs()
    expect([code, stderr]).toEqual([1, expect.stringContaining(`local: cannot read ${log}`)])
    expect(stderr).toContain('nothing has been logged there yet')
  })

  test('-f goes on as lines come, until Ctrl-C: exit 130', async () => {
    const { site, log } = await logSite()
    await writeFile(log, `${entry(1, 'old')}\n`)
    const { pid, ended, said } = await inBackground(['-f', '--raw', '--root', site.root])
    await until(async () => (await said()).includes('"old"'))
    await appendFile(log, `${entry(2, 'new')}\n`)
    await until(async () => (await said()).includes('"new"'))
    process.kill(pid, 'SIGINT')
    expect(await ended).toBe(130)
    expect(await said()).toBe(`local | ${entry(1, 'old')}\nlocal | ${entry(2, 'new')}\n`)
  })
})

test.each([
  [['-f', '--json'], 'has no end'],
  [['--since', 'yesterday'], 'is no time'],
  [['-n', 'many'], '--lines'],
])('logs %j is bad usage', async (words, message) => {
  const { code, stdout, stderr } = await exec([inject('builds').netops, 'logs', '--root', '/nowhere', ...words])
  expect([code, `${stdout}${stderr}`]).toEqual([2, expect.stringContaining(message)])
})

/** A fleet whose hosts have a journalctl of the test's own: it prints `FOLDER/PORT`, and follows it with -f. */
async function journalFleet() {
  const fleet = await startSshFleet(['web1', 'web2'])
  onTestFinished(() => fleet.stop())
  const bin = join(fleet.folder, 'bin')
  await mkdir(bin)
  const script = [
    '#!/bin/sh',
    `echo "$*" >> ${fleet.folder}/calls`,
    `log=${fleet.folder}/$(echo $SSH_CONNECTION | cut -d' ' -f4)`,
    'case " $* " in *" -f "*) exec tail -n 100 -f $log ;; esac',
    'cat $log',
  ]
  await writeFile(join(bin, 'journalctl'), `${script.join('\n')}\n`)
  await chmod(join(bin, 'journalctl'), 0o755)
  return { fleet, logOf: (host: string) => join(fleet.folder, String(fleet.hosts[host]?.port)) }
}

describe('over SSH', () => {
  test('the journals of all hosts are merged by time; one that is lost is told', async () => {
    const { fleet, logOf } = await journalFleet()
    await writeFile(logOf('web1'), [entry(1, 'a'), 'trace', entry(4, 'd'), ''].join('\n'))
    await writeFile(logOf('web2'), [entry(2, 'b'), entry(3, 'c'), ''].join('\n'))
    const words = ['logs', '--raw', '--inventory', fleet.inventory]
    const { code, stdout, stderr } = await exec([inject('builds').netops, ...words])
    expect([code, stderr]).toEqual([4, expect.stringContaining('lost: cannot reach')])
    const expected = [`web1 | ${entry(1, 'a')}`, 'web1 | trace', `web2 | ${entry(2, 'b')}`, `web2 | ${entry(3, 'c')}`]
    expect(stdout).toBe([...expected, `web1 | ${entry(4, 'd')}`, ''].join('\n'))
    expect(await readTextIfAny(join(fleet.folder, 'calls'))).toContain(
      '--quiet -u network_service -o cat --no-pager -n 100\n',
    )
  })

  test('-f makes a lost connection again, says so, and no line comes twice', async () => {
    const { fleet, logOf } = await journalFleet()
    await writeFile(logOf('web1'), `${entry(1, 'one')}\n`)
    const words = ['-f', '--raw', '--inventory', fleet.inventory, '--hosts', 'web1']
    const { pid, ended, said } = await inBackground(words)
    await until(async () => (await said()).includes('"one"'))
    for (const connection of (await fleet.hosts.web1?.connections()) ?? []) process.kill(connection, 'SIGKILL')
    await until(async () => (await said()).includes('again in'))
    await appendFile(logOf('web1'), `${entry(2, 'two')}\n`)
    await until(async () => (await said()).includes('"two"'))
    process.kill(pid, 'SIGINT')
    expect(await ended).toBe(130)
    const lines = (await said()).split('\n').filter((line) => line.includes('{'))
    expect(lines).toEqual([`web1 | ${entry(1, 'one')}`, `web1 | ${entry(2, 'two')}`])
    expect(await said()).toMatch(/^web1: cannot reach .*; again in 1\.0 s$/m)
  })
})
