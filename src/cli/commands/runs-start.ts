// netops runs start: a procedure on this host by its name, as a timer or a person on the host starts it.
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { defineCommand } from '../command.ts'
import { dryRunOption, parseOptions } from '../options.ts'
import { selfCommand } from './host-shared.ts'

export const runsStart = defineCommand({
  name: 'runs start',
  summary: 'Start a procedure on this host by its name; its fields come as a JSON object on standard input',
  args: '<procedure>',
  examples: [
    `echo '{"olderThanMs": 0, "keepRuns": 100}' | netops runs start gc --root /tmp/site`,
    `echo '{"olderThanMs": 0, "keepRuns": 100}' | netops runs start gc --dry-run`,
    `echo '{"olderThanMs": 0, "keepRuns": 100}' | netops runs start gc --detach`,
  ],
  options: [
    { flags: '--root <dir>', description: 'the host of that root instead of this host itself', default: '/' },
    { flags: '--detach', description: 'return at once; netops runs follow shows how it goes on' },
    dryRunOption,
  ],
  events: true,
  async run({ options, args: [procedure = ''] }, context) {
    const { root: given, detach, dryRun } = parseOptions(schema, options)
    const { resolveRoot } = await import('../../fleet/fleet.ts')
    const { ownNetops } = await import('../../fleet/own-netops.ts')
    const { keepRequest } = await import('../../runs/host-run-request.ts')
    const { requestHere, runHere, showHere } = await import('../../runs/start-here.ts')
    const { startDetached } = await import('../../runs/detached.ts')
    const { hostRunResult, shownSteps } = await import('../present/run-result.ts')
    const root = resolveRoot(given, context.cwd)
    const fields = fieldsIn(await context.readInput())
    const request = requestHere({ procedure, root, fields, netops: ownNetops(context) }, new Date())
    const { run } = request
    if (dryRun) {
      const steps = await showHere(request)
      const text = `${shownSteps(steps, '')}\n\nDry run: nothing was changed.`
      return { outcome: 'done', data: { dryRun: true, [procedure]: steps }, text }
    }
    if (!detach) return hostRunResult(run, await runHere(request, context))
    await keepRequest(request)
    await startDetached(root, run, 'forward', selfCommand())
    const follow = quoteCommand(['netops', 'runs', 'follow', run, '--root', root])
    return { outcome: 'done', data: { run }, text: `${run}: started\n  ${follow}` }
  },
})

const schema = z.object({
  root: z.string(),
  detach: z.boolean().default(false),
  dryRun: z.boolean().default(false),
})

/** An object, or nothing at all. */
function fieldsIn(text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === '') return {}
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
  } catch (cause) {
    throw new NetopsError('usage', {
      message: 'standard input holds no JSON object with the fields of a request',
      cause,
    })
  }
}
