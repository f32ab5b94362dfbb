import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exitCodes } from '../../../src/model/errors.ts'
import { fakeConnections } from '../../support/fake-hosts.ts'
import { runCommand } from '../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

describe('a command line', () => {
  it('that asks for help, a version or the exit codes is answered on standard output', async () => {
    expect(await runCommand('--version')).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^netops \S+ \(/) as string,
    })
    const help = await runCommand('tune --help')
    expect(help).toMatchObject({ exit: 0, stderr: '' })
    expect(help.stdout).toMatch(/^Usage: netops tune/)
    expect((await runCommand('lock release --help')).stdout).toMatch(/\nExamples:\n {2}\$ netops lock release /)
    const { stdout } = await runCommand('help exit-codes')
    expect(stdout.split('\n')).toHaveLength(Object.keys(exitCodes).length + 1)
  })

  it('that names no command, or an option that there is not, is bad usage', async () => {
    expect(await runCommand('statsu')).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringContaining('Did you mean status?') as string,
    })
    expect(await runCommand('status --hots web1')).toMatchObject({
      exit: 2,
      stdout: '',
      stderr: expect.stringContaining("unknown option '--hots'") as string,
    })
    expect(await runCommand('tune scale --cpus 0 --memory 1GiB')).toMatchObject({
      exit: 2,
      stderr: 'netops: --cpus: expected a whole number of at least 1\n  hint: see --help for what each option takes\n',
    })
  })

  it('that meets a defect says so, with the place where it was from -vv', async () => {
    const connections = { ...fakeConnections({}), settings: () => Promise.reject(new TypeError('no such thing')) }
    const given = { connections, cwd: fleet.cwd }
    const plain = await runCommand('inventory list', given)
    expect(plain).toMatchObject({
      exit: 1,
      stdout: '',
      stderr: 'netops: no such thing\n  hint: this is a defect of netops; -vv shows where\n',
    })
    expect((await runCommand('inventory list -vv', given)).stderr).toMatch(/\n +at .*perform\.test\.ts/)
    expect((await runCommand('inventory list --json', given)).json).toBe(
      '{"schema":"netops/v1","command":"inventory list","ok":false,"outcome":"failed","error":{"code":"failed",' +
        '"message":"no such thing","hint":"this is a defect of netops; see netops inventory list --json -vv"}}',
    )
  })

  it('prints a document without what a terminal takes for commands', async () => {
    const { json } = await runCommand(['config', 'schema', '\u009b31m\u001b[0m', '--json'])
    expect(json).toContain('there is no schema \\u009b31m\\u001b[0m')
  })
})
