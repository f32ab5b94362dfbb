// One host of several is dead, from the beginning or while a run is taken back: the others are changed and taken back without
// it, it is named, and a resume does the same to it alone. The tests follow one fleet, in order.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { powerOff, powerOn } from '../../src/lab/faults.ts'
import { execOnHost } from '../../src/lab/host.ts'
import { hostPaths } from '../../src/model/paths.ts'
import { exec } from '../../src/system/exec.ts'
import { useLab } from '../support/lab.ts'

const { lab, host } = useLab('web1', 'web2', 'web3')
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-lost-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Result {
  readonly run?: string
  readonly hosts?: readonly { readonly host: string; readonly outcome: string; readonly message?: string }[]
}

async function netops(...words: readonly string[]) {
  const argv = ['env', `NETOPS_STATE_DIR=${join(folder, 'state')}`, inject('builds').netops, ...words, '--json']
  const inventory = words[0] === 'runs' ? [] : ['--inventory', lab().inventory]
  const { code, stdout, stderr } = await exec([...argv, ...inventory], { timeoutMs: 200_000 })
  const { run, hosts = [] } = JSON.parse(stdout) as Result
  return { code, run: run ?? '', stderr, outcomes: Object.fromEntries(hosts.map((one) => [one.host, one.outcome])) }
}

const isTuned = async (name: string): Promise<boolean> =>
  (await execOnHost(host(name), ['test', '-e', hostPaths('/').limitsDropIn])).code === 0
const tuned = () => Promise.all(['web1', 'web2'].map(isTuned))

describe('a host that is dead', () => {
  let run = ''

  test('keeps nobody from being changed', async () => {
    await powerOff(host('web3'))
    const applied = await netops('tune', 'apply', '--max-failures', '1')
    run = applied.run
    expect(applied.outcomes, applied.stderr).toMatchObject({ web3: 'unreachable' })
    expect(applied.code).toBe(3)
    expect(await tuned()).toEqual([true, true])
  })

  test('keeps nobody from being taken back', async () => {
    await powerOff(host('web2'))
    const undone = await netops('runs', 'undo', run)
    expect(undone.outcomes, undone.stderr).toMatchObject({ web2: 'unreachable' })
    expect([3, 4]).toContain(undone.code)
    expect(await isTuned('web1')).toBe(false)
  })

  test('is taken back alone by a resume once it answers', async () => {
    await powerOn(host('web2'))
    expect(await isTuned('web2')).toBe(true)
    const resumed = await netops('runs', 'resume', run)
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(await tuned()).toEqual([false, false])
  })
})
