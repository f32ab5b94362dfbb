// netops service: start and stop what is deployed below a root, where systemctl does not reach.
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
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
      const { execText } = await import('../../system/exec.ts')
      const { readTextIfAny } = await import('../../system/files.ts')
      const root = resolveRoot(parseOptions(schema, options).root, context.cwd)
      const paths = hostPaths(root)
      if ((await readTextIfAny(paths.config)) === undefined) {
        throw new NetopsError('refused', {
          message: `nothing is deployed below ${root}`,
          hint: 'netops deploy --root DIR',
        })
      }
      const { judgeLease } = await import('../../engine/lease-file.ts')
      const held = await judgeLease(paths.lease)
      if (held !== undefined && held.standing !== 'dead') {
        const { run, reason } = held.lease
        throw new NetopsError('locked', { message: `run ${run} (${reason}) is at work below ${root}` })
      }
      await execText([paths.netopsLink, 'host', 'service', action, '--root', root])
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
