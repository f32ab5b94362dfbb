// What netops does on a host for a push that sends only what the host lacks (drivers/hosts/push.ts). Hidden from help.
import { defineCommand } from '../command.ts'
import { onHost, quiet } from './host-shared.ts'

export const hostBlocks = defineCommand({
  ...onHost,
  name: 'host blocks',
  options: [],
  summary: 'Print the hash of each block of a file, one a line',
  args: '<file>',
  async run({ args }, context) {
    const { hashBlocks } = await import('../../system/blocks.ts')
    for await (const hash of hashBlocks(args[0] ?? '')) context.write(hash)
    return quiet
  },
})

export const hostAssemble = defineCommand({
  ...onHost,
  name: 'host assemble',
  options: [],
  summary: 'Fill a file from others on this machine and from the stream on standard input',
  args: '<file>',
  async run({ args }) {
    const { assemble } = await import('../../system/assemble.ts')
    await assemble(args[0] ?? '', process.stdin)
    return quiet
  },
})
