// What netops does on a host for an operator's netops: start and carry out its part, supervise, answer probes. Hidden from help.
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSea } from 'node:sea'
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { hostOrder, type HostOrder } from '../../procedures/request.ts'
import { hostPaths } from '../../model/paths.ts'
import { defineCommand, type CommandResult } from '../command.ts'
import { parseOptions } from '../options.ts'

const rootFlag = { flags: '--root <dir>', description: 'the root folder', default: '/' }
const schema = z.object({ root: z.string() })
const quiet: CommandResult = { outcome: 'done', data: {}, text: '' }

/** The command that runs this very netops. */
const selfCommand = (): string[] => (isSea() ? [process.execPath] : [process.execPath, process.argv[1] ?? ''])

export const hostStart = defineCommand({
  name: 'host start',
  hidden: true,
  summary: "Start a host's part of a run, detached; attach to it where it was started before",
  args: '<run>',
  examples: [],
  options: [rootFlag],
  async run({ options, args }, context) {
    const { root } = parseOptions(schema, options)
    const input = hostOrder.parse(JSON.parse(await context.readInput()))
    if (input.run !== args[0] || input.root !== root) {
      throw new NetopsError('usage', { message: 'the order is for another run or root' })
    }
    const { startDetached } = await import('../../runs/host-run.ts')
    await keepOrder(input)
    await startDetached(root, input.run, 'forward', selfCommand())
    return quiet
  },
})

export const hostUndo = defineCommand({
  name: 'host undo',
  hidden: true,
  summary: "Start undoing a host's part of a run, detached; attach to it where that was started before",
  args: '<run>',
  examples: [],
  options: [rootFlag],
  async run({ options, args }) {
    const { root } = parseOptions(schema, options)
    const { startUndo } = await import('../../runs/host-run.ts')
    await startUndo(root, args[0] ?? '', selfCommand())
    return quiet
  },
})

export const hostStop = defineCommand({
  name: 'host stop',
  hidden: true,
  summary: "Have a host's part of a run stop after its step, or take back what it did",
  args: '<run>',
  examples: [],
  options: [rootFlag, { flags: '--undo', description: 'take back what was done' }],
  async run({ options, args }) {
    const { root, undo } = parseOptions(schema.extend({ undo: z.boolean().default(false) }), options)
    const { carrierOf } = await import('../../engine/lease.ts')
    const { signalProcess } = await import('../../system/processes.ts')
    const { runs } = hostPaths(root)
    // It may be on its way to its beginning.
    for (let looks = 0; looks < 20; looks += 1) {
      const carrier = await carrierOf(runs, args[0] ?? '')
      // SIGTERM asks for the same as a first Ctrl-C, and stays that when it comes after the second.
      if (carrier !== undefined && (await signalProcess(carrier, undo ? 'SIGUSR2' : 'SIGTERM'))) break
      await sleep(100)
    }
    return quiet
  },
})

export const hostLease = defineCommand({
  name: 'host lease',
  hidden: true,
  summary: 'Take this host for a fleet run, renew the lease, or give it back',
  args: '<action> <run>',
  examples: [],
  options: [rootFlag],
  async run({ options, args }, context) {
    const { root } = parseOptions(schema, options)
    const { giveBackForFleet, renewForFleet, takeForFleet } = await import('../../engine/lease.ts')
    const paths = { ...hostPaths(root), netops: process.execPath }
    const action = z.enum(['take', 'renew', 'give-back']).parse(args[0])
    const run = args[1] ?? ''
    if (action === 'renew') await renewForFleet(paths, run)
    else if (action === 'give-back') await giveBackForFleet(paths, run)
    else {
      const holder = fleetHolder.parse(JSON.parse(await context.readInput()))
      const takenFrom = await takeForFleet(paths, { ...holder, run })
      return { ...quiet, data: takenFrom === undefined ? {} : { takenFrom } }
    }
    return quiet
  },
})

const fleetHolder = z.object({ reason: z.string(), user: z.string(), host: z.string() })

/** Puts the order on disk before anything is done; the same run with another order is refused. */
async function keepOrder(input: HostOrder): Promise<void> {
  const folder = join(hostPaths(input.root).runs, input.run)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'order.json')
  const text = `${JSON.stringify(input)}\n`
  const { writeFileAtomic, readTextIfAny } = await import('../../system/files.ts')
  const present = await readTextIfAny(file)
  if (present === undefined) return writeFileAtomic(file, text, 0o600)
  if (present !== text) throw new NetopsError('refused', { message: `run ${input.run} was started with another order` })
}

export const hostRun = defineCommand({
  name: 'host run',
  hidden: true,
  summary: "Carry out a host's part of a run in this process, or go on with it",
  args: '<run>',
  examples: [],
  options: [rootFlag, { flags: '--undo', description: 'take it back instead' }],
  async run({ options, args }, context) {
    const { root, undo } = parseOptions(schema.extend({ undo: z.boolean().default(false) }), options)
    const { carryOut } = await import('../../runs/host-run.ts')
    return carryOut(root, args[0] ?? '', undo ? 'back' : 'forward', context)
  },
})

export const hostService = defineCommand({
  name: 'host service',
  hidden: true,
  summary: 'Start or stop the supervised service below a root',
  args: '<action>',
  examples: [],
  options: [rootFlag],
  async run({ options, args }) {
    const { root } = parseOptions(schema, options)
    const { startService, stopService } = await import('../../drivers/services/supervisor.ts')
    const action = z.enum(['start', 'stop']).parse(args[0])
    await (action === 'start' ? startService(root, selfCommand()) : stopService(root))
    return quiet
  },
})

export const hostSupervise = defineCommand({
  name: 'host supervise',
  hidden: true,
  summary: 'Keep the service below a root running, in this process',
  examples: [],
  options: [rootFlag],
  async run({ options }) {
    const { supervise } = await import('../../drivers/services/supervisor.ts')
    await supervise(parseOptions(schema, options).root)
    return quiet
  },
})

export const hostGet = defineCommand({
  name: 'host get',
  hidden: true,
  summary: 'Ask an address on this machine, and print the answer as JSON',
  args: '<url>',
  examples: [],
  options: [],
  async run({ args }, context) {
    const { httpGet } = await import('../../system/http.ts')
    context.write(JSON.stringify(await httpGet(args[0] ?? '', 5000)))
    return quiet
  },
})

export const readOrder = async (root: string, run: string): Promise<HostOrder> =>
  hostOrder.parse(JSON.parse(await readFile(join(hostPaths(root).runs, run, 'order.json'), 'utf8')))
