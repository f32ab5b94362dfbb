// netops checkpoint: each host's server takes a checkpoint of its state now.
import * as z from 'zod'
import { defineCommand, type CommandResult } from '../command.ts'
import { dryRunOption, fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import type { Fleet } from '../../fleet/fleet.ts'

const schema = fleetSchema.extend({ dryRun: z.boolean().default(false) })

export const checkpoint = defineCommand({
  name: 'checkpoint',
  summary: "Have each host's server take a checkpoint of its state now; it keeps as many as checkpoint.keep says",
  examples: ['netops checkpoint', 'netops checkpoint --hosts web1 --json', 'netops checkpoint --root /tmp/site'],
  options: [...fleetOptions, rootOption, dryRunOption],
  async run({ options }, context) {
    const { dryRun, ...chosen } = parseOptions(schema, options)
    const { readFleet } = await import('../../fleet/fleet.ts')
    const fleet = await readFleet(chosen, context)
    if (dryRun) return shown(fleet)
    const { takeCheckpoints } = await import('../../fleet/checkpoints.ts')
    const { checkpointResult } = await import('../present/checkpoint-text.ts')
    return checkpointResult(await takeCheckpoints(fleet, context))
  },
})

async function shown({ targets }: Fleet): Promise<CommandResult> {
  const { checkpointCommand } = await import('../../procedures/checkpoint/ask.ts')
  const { quoteCommand } = await import('../../model/quote.ts')
  const hosts = targets.map(({ name, root }) => ({ host: name, command: quoteCommand(checkpointCommand(root)) }))
  const lines = hosts.map(({ host, command }) => `${host}: ${command}`)
  return { outcome: 'done', data: { dryRun: true, hosts }, text: `${lines.join('\n')}\n\nDry run: nothing was run.` }
}
