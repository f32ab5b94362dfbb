// What netops does on a host for a push that sends only what the host lacks (drivers/hosts/push.ts). Hidden from help.
import { defineCommand } from '../command.ts'

const quiet = { outcome: 'done', data: {}, text: '' } as const

export const hostBlocks = defineCommand({
  name: 'host blocks',
  hidden: true,
  summary: 'Print the hash of each block of a file, one a line',
  args: '<file>',
  examples: [],
  options: [],
  async run({ args }, context) {
    const { hashBlocks } = await import('../../system/blocks.ts')
    for await (const hash of hashBlocks(args[0] ?? '')) context.write(hash)
    return quiet
  },
})

export const hostAssemble = defineCommand({
  name: 'host assemble',
  hidden: true,
  summary: 'Fill a file from others on this machine and from the stream on standard input',
  args: '<file>',
  examples: [],
  options: [],
  async run({ args }) {
    const { assemble } = await import('../../system/assemble.ts')
    await assemble(args[0] ?? '', process.stdin)
    return quiet
  },
})
