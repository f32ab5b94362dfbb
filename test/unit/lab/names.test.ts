import { describe, expect, test } from 'vitest'
import type { CommandContext } from '../../../src/cli/command.ts'
import { labExec } from '../../../src/cli/commands/lab-exec.ts'
import { labUp } from '../../../src/cli/commands/lab-up.ts'
import { hostNames, labName } from '../../../src/lab/state.ts'

const context = {} as CommandContext

describe('the names in a lab', () => {
  test.each(['lab', 'web1', 'db-primary', 'a'.repeat(31)])('may be %s', (name) => {
    expect(labName.parse(name)).toBe(name)
    expect(hostNames.parse([name])).toEqual([name])
  })

  test.each(['', 'Lab', '1web', '../lab', 'a b', 'a.b', 'a'.repeat(32)])("may not be '%s'", (name) => {
    expect(labName.safeParse(name).success).toBe(false)
    expect(hostNames.safeParse([name]).success).toBe(false)
  })

  test.each([
    ['../up', '2', '--name'],
    ['lab', '0', '--hosts'],
    ['lab', '5000', '--hosts'],
    ['lab', 'web1,Web2', '--hosts'],
    ['lab', 'web1,web1', '--hosts'],
    ['lab', '', '--hosts'],
  ])('are checked before anything happens: --name %s --hosts %s', async (name, hosts, option) => {
    const refused = labUp.run({ options: { name, hosts }, args: [] }, context)
    await expect(refused).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(option) as string })
  })

  test('are not enough for exec, which needs a command too', async () => {
    const refused = labExec.run({ options: { name: 'lab' }, args: ['web1'] }, context)
    await expect(refused).rejects.toMatchObject({ code: 'usage', hint: 'netops lab exec HOST -- COMMAND' })
  })
})
