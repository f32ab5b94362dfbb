// What the commands of `netops lab` share.
import * as z from 'zod'
import type { OptionSpec } from '../command.ts'

export const nameOption: OptionSpec = { flags: '--name <lab>', description: 'the name of the lab', default: 'lab' }

// The rule is repeated nowhere: the lab's own modules are loaded only when a command runs.
export const named = async () => {
  const { labName } = await import('../../lab/state.ts')
  return z.object({ name: labName })
}
