// What netops does on a host for an operator's netops that restores: looks at a backup, or unpacks it. Hidden from help.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'
import { onHost, rootFlag, rootSchema } from './host-shared.ts'

const options = [
  rootFlag,
  { flags: '--from <folder>', description: 'a folder with archives' },
  { flags: '--only <what>', description: 'what of it', repeats: true },
] as const
const schema = rootSchema.extend({ from: z.string().optional(), only: z.array(z.string()).default([]) })

export const hostRestoreLook = defineCommand({
  ...onHost,
  options: [...options],
  name: 'host restore-look',
  summary: 'Say what restoring a backup would come to here, as JSON; nothing is changed',
  args: '<which>',
  async run({ options: given, args: [which = ''] }) {
    const { root, from, only } = parseOptions(schema, given)
    const { lookHere } = await import('../../procedures/restore/look.ts')
    return { outcome: 'done', data: { restore: await lookHere({ root, which, from, only }) }, text: '' }
  },
})

export const hostRestoreUnpack = defineCommand({
  ...onHost,
  options: [...options, { flags: '--to <dir>', description: 'where to' }],
  name: 'host restore-unpack',
  summary: 'Unpack a backup into a folder; nothing else is touched',
  args: '<which>',
  async run({ options: given, args: [which = ''] }, context) {
    const { root, from, only, to } = parseOptions(schema.extend({ to: z.string().startsWith('/') }), given)
    const { unpackHere } = await import('../../procedures/restore/look.ts')
    const unpacked = await unpackHere({ root, which, from, only }, to, context.signal)
    return { outcome: 'done', data: { unpacked }, text: '' }
  },
})
