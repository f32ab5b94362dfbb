// netops service: start, stop and restart what is deployed on this host, or below a root, where systemctl does not reach.
import * as z from 'zod'
import { defineCommand, type Command } from '../command.ts'
import { parseOptions, rootOption } from '../options.ts'

const schema = z.object({ root: z.string().default('/') })

const done = { start: 'started', stop: 'stopped', restart: 'restarted' } as const

const serviceCommand = (action: keyof typeof done, summary: string): Command =>
  defineCommand({
    name: `service ${action}`,
    summary,
    examples: [`netops service ${action}`, `netops service ${action} --root /tmp/site`],
    options: [rootOption],
    async run({ options }, context) {
      const { resolveRoot } = await import('../../fleet/fleet.ts')
      const { controlService } = await import('../../fleet/local-service.ts')
      await controlService(resolveRoot(parseOptions(schema, options).root, context.cwd), action)
      return { outcome: 'done', data: { action }, text: done[action] }
    },
  })

export const serviceStart = serviceCommand('start', 'Start the service of this host, or below a root, with its sockets')
export const serviceStop = serviceCommand(
  'stop',
  'Stop the service of this host, or below a root, gracefully; its sockets too, which would start it again',
)
export const serviceRestart = serviceCommand(
  'restart',
  'Restart the service of this host, or below a root; who connects meanwhile waits',
)
