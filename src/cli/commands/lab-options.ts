// What the commands of `netops lab` share.
import * as z from 'zod'
import type { OptionSpec } from '../command.ts'

export const nameOption: OptionSpec = { flags: '--name <lab>', description: 'the name of the lab', default: 'lab' }

// These rules are repeated nowhere: the lab's own modules are loaded only when a command runs.
export const readNameSchema = async () => {
  const { labName } = await import('../../lab/state.ts')
  return z.object({ name: labName })
}
