// Twenty hosts, three of them in trouble from the beginning: the others are deployed to, each reason is named, and a resume
// completes what came back alone. The tests follow one fleet, in order.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { powerOff, powerOn } from '../../src/lab/faults.ts'
import { execOnHost } from '../../src/lab/host.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { exec } from '../../src/system/exec.ts'
import { foreignRelease, readRecords, servedBy, unitOf, until, writeConfig, type Release } from '../support/fleet.ts'
import { useLab } from '../support/lab.ts'

const names = Array.from({ length: 20 }, (_, index) => `web${index + 1}`)
const [dead, hanging, full] = ['web3', 'web7', 'web12'] as const
const troubled: readonly string[] = [dead, hanging, full]
const fit = names.filter((name) => !troubled.includes(name))

// systemd takes some for each host, and a machine's usual 128 are not enough for twenty (inotify(7)).
const instances = '/proc/sys/fs/inotify/max_user_instances'
let before = ''
beforeAll(async () => {
  before = (await readFile(instances, 'utf8')).trim()
  if (Number(before) < 1024) await writeFile(instances, '1024')
})
afterAll(() => writeFile(instances, before))

const { lab, host } = useLab(...names)
let folder = ''
let good: Release
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-many-'))
  // The server lies outside of the releases, and would not know which one it is.
  const name = 'NETWORK_RELEASE=$(basename "$(dirname "$(readlink -f "$0")")")'
  good = await foreignRelease(folder, 'good', `${name}\nexport NETWORK_RELEASE\nexec /srv/server "$@"`)
  await Promise.all(names.map((name) => serveFromBase(name)))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The server itself is on the hosts already: what is deployed is a few lines, so that twenty copies take no minutes. */
async function serveFromBase(name: string): Promise<void> {
  const copied = await execOnHost(host(name), ['dd', 'of=/srv/server', 'bs=1M', 'status=none'], {
    stdin: { file: inject('builds').server1 },
  })
  expect(copied.code).toBe(0)
  expect((await execOnHost(host(name), ['chmod', '0755', '/srv/server'])).code).toBe(0)
}

interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly json: {
    readonly run?: string
    readonly hosts?: readonly { readonly host: string; readonly outcome: string; readonly message?: string }[]
  }
}

async function netops(...words: string[]): Promise<Called> {
  const argv = [...['env', `NETOPS_STATE_DIR=${join(folder, 'state')}`], inject('builds').netops, ...words, '--json']
  const inventory = words[0] === 'runs' ? [] : ['--inventory', lab().inventory]
  const result = await exec([...argv, ...inventory], { timeoutMs: 280_000 })
  return { ...result, json: JSON.parse(result.stdout) as Called['json'] }
}

const quick = ['--min-healthy-time', '1s', '--healthy-deadline', '60s']
const outcomes = ({ json }: Called) => Object.fromEntries((json.hosts ?? []).map((one) => [one.host, one.outcome]))
const messageOn = ({ json }: Called, name: string) => json.hosts?.find((one) => one.host === name)?.message ?? ''
const unitsOf = (of: readonly string[]) => Promise.all(of.map((name) => unitOf(host(name))))
const records = (run: string): Promise<readonly JournalRecord[]> =>
  readRecords(join(folder, 'state', 'runs', run, 'journal.jsonl'))

describe('a fleet of twenty with a host that is dead, one that hangs at SSH and one whose disk is full', () => {
  let run = ''

  test('is not touched at all unless failures are allowed', async () => {
    await powerOff(host(dead))
    await execOnHost(host(hanging), ['systemctl', 'kill', '--signal=STOP', 'ssh.service'])
    await execOnHost(host(full), ['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=755', 'tmpfs', '/opt'])
    const refused = await netops('deploy', '--release', good.file, '--config', await writeConfig(folder, 'c', 1000))
    expect(refused.code).toBe(4)
    expect(refused.stdout).toMatch(/--max-failures 2/)
    for (const { LoadState } of await unitsOf(fit)) expect(LoadState).toBe('not-found')
  })

  test('is deployed to on the others, and each reason is named', { timeout: 300_000 }, async () => {
    const config = await writeConfig(folder, 'c', 1000)
    const words = ['--release', good.file, '--config', config, ...quick, '--max-failures', '3']
    const deployed = await netops('deploy', ...words)
    run = deployed.json.run ?? ''
    expect(deployed.code, `${deployed.stdout}${deployed.stderr}`).toBe(7)
    expect(outcomes(deployed)).toEqual({
      ...Object.fromEntries(fit.map((name) => [name, 'done'])),
      [dead]: 'unreachable',
      [hanging]: 'unreachable',
      [full]: 'refused',
    })
    expect(messageOn(deployed, full)).toMatch(/are free on \/opt, and .* are needed/)
    expect(messageOn(deployed, dead)).toMatch(/cannot reach .*(?:EHOSTUNREACH|no connection within)/)
    expect(messageOn(deployed, hanging)).toMatch(/cannot reach .*timed out/i)
    for (const name of fit) expect((await servedBy(host(name))).answering).toBe(good.id)
  })

  test('is completed by a resume on the host that came back, alone', { timeout: 300_000 }, async () => {
    await powerOn(host(dead))
    const units = await unitsOf(fit)
    const known = (await records(run)).length
    const resumed = await netops('runs', 'resume', run)
    expect(resumed.code, `${resumed.stdout}${resumed.stderr}`).toBe(7)
    expect(outcomes(resumed)).toMatchObject({ [dead]: 'done', [hanging]: 'unreachable', [full]: 'refused' })
    expect((await servedBy(host(dead))).answering).toBe(good.id)
    expect(await unitsOf(fit)).toEqual(units)
    const begun = (await records(run)).slice(known).flatMap((one) => (one.type === 'begin' ? [one.step] : []))
    const elsewhere = begun.filter((step) => !step.startsWith(`${dead}/`) && !/\/(lease|give-back)$/.test(step))
    expect(elsewhere.filter((step) => !step.startsWith(`${hanging}/`))).toEqual([])
  })

  test('is finished once the last one answers again', { timeout: 300_000 }, async () => {
    await execOnHost(host(hanging), ['systemctl', 'kill', '--signal=CONT', 'ssh.service'])
    const resumed = await netops('runs', 'resume', run)
    expect(outcomes(resumed)).toMatchObject({ [hanging]: 'done', [full]: 'refused' })
    expect(resumed.code, `${resumed.stdout}${resumed.stderr}`).toBe(7)
    expect((await records(run)).at(-1)).toMatchObject({ type: 'end', outcome: 'refused' })
  })
})

describe('a release that crashes, in batches', () => {
  test('does not restart every host', { timeout: 300_000 }, async () => {
    await execOnHost(host(full), ['umount', '/opt'])
    const units = new Map(await Promise.all(names.map(async (name) => [name, await unitOf(host(name))] as const)))
    const crash = await foreignRelease(folder, 'crash', 'exit 1')
    const words = ['--release', crash.file, ...quick, '--batch', '1,25%', '--max-failures', '1']
    const failed = await netops('deploy', '--limit', `!${full}`, ...words)
    expect(failed.code, `${failed.stdout}${failed.stderr}`).toBe(8)
    const after = new Map(await Promise.all(names.map(async (name) => [name, await unitOf(host(name))] as const)))
    const restarted = names.filter((name) => after.get(name)?.InvocationID !== units.get(name)?.InvocationID)
    // A batch of one and one of five were begun; in the second one failure was too many.
    expect(restarted.length).toBeGreaterThanOrEqual(2)
    expect(restarted.length).toBeLessThanOrEqual(6)
    for (const name of fit) await until(async () => (await servedBy(host(name))).answering === good.id)
  })
})
