// What netops does on a host for an operator's netops: start a host run, carry it out, take it back, stop it. Hidden from help.
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'
import { onHost, quiet, rootFlag, rootSchema, selfCommand } from './host-shared.ts'

const undoSchema = rootSchema.extend({ undo: z.boolean().default(false) })

export const hostStart = defineCommand({
  ...onHost,
  name: 'host start',
  summary: 'Start a host run, detached; attach to it where it was started before',
  args: '<run>',
  async run({ options, args }, context) {
    const { root } = parseOptions(rootSchema, options)
    const { parseRequest } = await import('../../procedures/list.ts')
    const { keepRequest } = await import('../../runs/host-run-request.ts')
    const { startDetached } = await import('../../runs/detached.ts')
    const request = parseRequest(JSON.parse(await context.readInput()))
    if (request.run !== args[0] || request.root !== root) {
      throw new NetopsError('usage', { message: 'the request is for another run or root' })
    }
    await keepRequest(request)
    await startDetached(root, request.run, 'forward', selfCommand())
    return quiet
  },
})

export const hostUndo = defineCommand({
  ...onHost,
  name: 'host undo',
  summary: 'Start undoing a host run, detached; attach to it where that was started before',
  args: '<run>',
  async run({ options, args }) {
    const { root } = parseOptions(rootSchema, options)
    const { startUndo } = await import('../../runs/detached.ts')
    await startUndo(root, args[0] ?? '', selfCommand())
    return quiet
  },
})

export const hostStop = defineCommand({
  ...onHost,
  name: 'host stop',
  summary: 'Have a host run stop after its step, or take back what it did',
  args: '<run>',
  options: [rootFlag, { flags: '--undo', description: 'take back what was done' }],
  async run({ options, args }) {
    const { root, undo } = parseOptions(undoSchema, options)
    const { stopHostRun } = await import('../../runs/stop.ts')
    await stopHostRun(root, args[0] ?? '', undo ? 'undo' : 'stop')
    return quiet
  },
})

export const hostRun = defineCommand({
  ...onHost,
  name: 'host run',
  summary: 'Carry out a host run in this process, or go on with it',
  args: '<run>',
  options: [rootFlag, { flags: '--undo', description: 'take it back instead' }],
  async run({ options, args: [run = ''] }, context) {
    const { root, undo } = parseOptions(undoSchema, options)
    const { carryOut } = await import('../../runs/host-run.ts')
    const { hostRunResult } = await import('../present/run-result.ts')
    return hostRunResult(run, await carryOut(root, run, undo ? 'back' : 'forward', context))
  },
})
