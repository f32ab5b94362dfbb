// netops service: start and stop what is deployed below a root, where systemctl does not reach.
import * as z from 'zod'
import { defineCommand, type Command } from '../command.ts'
import { parseOptions, rootOption } from '../options.ts'

const schema = z.object({ root: z.string() })

const serviceCommand = (action: 'start' | 'stop', summary: string): Command =>
  defineCommand({
    name: `service ${action}`,
    summary,
    examples: [`netops service ${action} --root /tmp/site`],
    options: [rootOption],
    async run({ options }, context) {
      const { resolveRoot } = await import('../../fleet/fleet.ts')
      const { controlService } = await import('../../fleet/local-service.ts')
      await controlService(resolveRoot(parseOptions(schema, options).root, context.cwd), action)
      return { outcome: 'done', data: { action }, text: action === 'start' ? 'started' : 'stopped' }
    },
  })

export const serviceStart = serviceCommand(
  'start',
  'Start the service below a root (on systemd hosts: systemctl start)',
)
export const serviceStop = serviceCommand(
  'stop',
  'Stop the service below a root gracefully (on systemd hosts: systemctl stop)',
)
