// What netops does on a host without systemd: starts, stops and supervises the service; and asks an address. Hidden from help.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'
import { onHost, quiet, rootSchema, selfCommand } from './host-shared.ts'

export const hostService = defineCommand({
  ...onHost,
  name: 'host service',
  summary: 'Start, stop or restart the supervised service below a root',
  args: '<action>',
  async run({ options, args }) {
    const { root } = parseOptions(rootSchema, options)
    const { restartService, startService, stopService } = await import('../../drivers/services/service-control.ts')
    const action = z.enum(['start', 'stop', 'restart']).parse(args[0])
    if (action === 'stop') await stopService(root)
    else await (action === 'start' ? startService : restartService)(root, selfCommand())
    return quiet
  },
})

export const hostSupervise = defineCommand({
  ...onHost,
  name: 'host supervise',
  summary: 'Keep the service below a root running, in this process',
  async run({ options }) {
    const { supervise } = await import('../../drivers/services/supervisor.ts')
    await supervise(parseOptions(rootSchema, options).root)
    return quiet
  },
})

export const hostGet = defineCommand({
  ...onHost,
  name: 'host get',
  options: [],
  summary: 'Ask an address on this machine, and print the answer as JSON',
  args: '<url>',
  async run({ args }, context) {
    const { httpGet } = await import('../../system/http.ts')
    context.write(JSON.stringify(await httpGet(args[0] ?? '', 5000)))
    return quiet
  },
})
