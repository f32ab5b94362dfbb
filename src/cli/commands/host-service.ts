// What netops does on a host without systemd: starts, stops and supervises the service; and asks an address. Hidden from help.
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'
import { onHost, quiet, rootFlag, rootSchema, selfCommand } from './host-shared.ts'

const unitSchema = rootSchema.extend({ unit: z.string().optional() })

export const hostService = defineCommand({
  ...onHost,
  name: 'host service',
  summary: 'Start, stop or restart the supervised service below a root, or a unit beside it',
  args: '<action>',
  options: [rootFlag, { flags: '--unit <name>', description: 'a unit beside the service' }],
  async run({ options, args }) {
    const { root, unit } = parseOptions(unitSchema, options)
    if (unit !== undefined) return controlUnit(root, unit, args[0])
    const { restartService, startService, stopService } = await import('../../drivers/services/service-control.ts')
    const action = z.enum(['start', 'stop', 'restart']).parse(args[0])
    if (action === 'stop') await stopService(root)
    else await (action === 'start' ? startService : restartService)(root, selfCommand())
    return quiet
  },
})

async function controlUnit(root: string, unit: string, action: string | undefined) {
  const { startUnit, stopUnit } = await import('../../drivers/services/unit-supervisor.ts')
  if (action !== 'start') await stopUnit(root, unit)
  if (action !== 'stop') await startUnit(root, unit, selfCommand())
  return quiet
}

export const hostKeep = defineCommand({
  ...onHost,
  name: 'host keep',
  summary: 'Keep a unit beside the service below a root running, in this process',
  args: '<unit>',
  async run({ options, args }) {
    const { keepUnit } = await import('../../drivers/services/unit-supervisor.ts')
    await keepUnit(parseOptions(rootSchema, options).root, args[0] ?? '')
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
