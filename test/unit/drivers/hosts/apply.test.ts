import { describe, expect, test } from 'vitest'
import { applyCommands } from '../../../../src/drivers/hosts/apply.ts'
import type { HostCommand, HostConnection, RunOptions } from '../../../../src/drivers/hosts/port.ts'

/** A host that answers each call as it is told to, and keeps what it was asked. */
function hostThat(...answers: readonly { readonly code: number; readonly stderr?: string }[]) {
  const calls: { readonly argv: readonly string[]; readonly options: RunOptions | undefined }[] = []
  const host: HostConnection = {
    name: 'web1',
    run(argv, options) {
      calls.push({ argv, options })
      return Promise.resolve({ code: 0, stdout: '', stderr: '', ...answers[calls.length - 1] })
    },
    open: () => Promise.reject(new Error('not asked for')),
    close: () => Promise.resolve(),
  }
  return { host, calls, scripts: () => calls.map(({ argv }) => argv.at(-1)) }
}
const plain = (word: string): HostCommand => ({ argv: ['do', word] })

describe('commands', () => {
  test('go to the host together, up to one that takes input or has several good answers', async () => {
    const { host, calls, scripts } = hostThat()
    const input: HostCommand = { ...plain('c'), stdin: { text: 'x' }, timeoutMs: 5 }
    await applyCommands(host, [plain('a'), plain('b'), input, { ...plain('d'), okCodes: [0, 1] }, plain('e')])
    const [first, ...others] = scripts()
    expect(first?.split('\n').slice(2)).toEqual([
      'do a < /dev/null || fail $? 0; waited',
      'do b < /dev/null || fail $? 1; waited',
      'exec do c',
    ])
    expect(others).toEqual(['d', 'e'])
    expect(calls[0]?.options).toEqual({ stdin: { text: 'x' }, timeoutMs: 2 * 600_000 + 5 })
  })

  test('are left out where one before them spares them', async () => {
    const compared: HostCommand = { argv: ['cmp'], okCodes: [0, 1], skipNextIfOk: 2 }
    const all = [plain('a'), compared, plain('b'), plain('c'), plain('d')]
    const same = hostThat({ code: 0 })
    await applyCommands(same.host, all)
    expect(same.scripts()).toEqual([expect.stringMatching(/exec cmp$/), 'd'])
    const other = hostThat({ code: 1 })
    await applyCommands(other.host, all)
    expect(other.scripts()).toEqual([
      expect.stringMatching(/exec cmp$/),
      expect.stringMatching(/do b [^]*do c [^]*exec do d$/),
    ])
  })

  test('too long for one call go in several', async () => {
    const { host, calls } = hostThat()
    await applyCommands(host, [plain('a'.repeat(9000)), plain('b'.repeat(9000)), plain('c')])
    expect(calls).toHaveLength(2)
  })

  test.each([
    ['the first', '\nnetops-failed 0\n', 'do a exited with 3: no', 'failed'],
    ['one between', '\nnetops-failed 1\n', 'check b exited with 3: no', 'damaged'],
    ['the last', '', 'do c exited with 3: no', 'failed'],
  ])('fail by the name of %s that failed', async (_, mark, message, code) => {
    const { host } = hostThat({ code: 3, stderr: `no\n${mark}` })
    const all: HostCommand[] = [plain('a'), { argv: ['check', 'b'], failAs: 'damaged' }, plain('c')]
    await expect(applyCommands(host, all)).rejects.toMatchObject({ message, code, host: 'web1' })
  })
})
