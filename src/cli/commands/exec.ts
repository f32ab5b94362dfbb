// netops exec: one command on every chosen host at once, each line with its host's name.
import * as z from 'zod'
import type { HostExecution } from '../../fleet/exec-on-hosts.ts'
import type { Fleet } from '../../fleet/fleet.ts'
import { joinOutcomes, type Outcome } from '../../model/errors.ts'
import { duration } from '../../model/units.ts'
import { defineCommand, type CommandResult } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'
import { readerLeft } from '../terminal/output.ts'

const defaultAtOnce = 50

const schema = fleetSchema.extend({
  timeout: duration.optional(),
  atOnce: z.coerce.number<string>().int().min(1, 'expected a whole number from 1').default(defaultAtOnce),
  grouped: z.boolean().default(false),
  input: z.string().min(1, 'expected a file, or - for standard input').optional(),
  stdin: z.boolean().default(false),
  dryRun: z.boolean().default(false),
})

export const exec = defineCommand({
  name: 'exec',
  summary: 'Run one command on every chosen host at once, each line with the name of its host before it',
  args: '[command...]',
  examples: [
    'netops exec -- uptime',
    'netops exec --group edge --timeout 30s -- systemctl is-active network_service',
    "netops exec --hosts web1,web2 --grouped -- sh -c 'ss -ltn | wc -l'",
    'netops exec --input release.tar -- sha256sum',
    "echo 'SELECT 1' | netops exec --input - -- psql",
    'netops exec --json -- cat /etc/os-release',
  ],
  options: [
    ...fleetOptions,
    { ...rootOption, flags: '--root <dir>', description: 'on this machine alone, as the host of that root' },
    { flags: '--timeout <duration>', description: 'end the command on a host after this long (default: never)' },
    { flags: '--at-once <n>', description: `on so many hosts at once (default: ${defaultAtOnce})` },
    { flags: '--grouped', description: "each host's whole output together when it ends; 8 MiB of it are kept" },
    {
      flags: '--input <file>',
      description:
        'give the command on every host this file as its standard input, or with - our own, which is read to its end first; without it the command has none, whatever is piped to netops',
    },
    { flags: '--stdin', description: 'the same as --input -' },
    { flags: '-n, --dry-run', description: 'print the command line of each host and run nothing' },
  ],
  streams: true,
  endsUnread: true,
  async run({ options, args: argv }, context) {
    const { timeout, atOnce, grouped, input: named, stdin, dryRun, ...chosen } = parseOptions(schema, options)
    const [
      { readFleet },
      { execOnHosts, requireCommand },
      { executionDocument, executionLines, outputSinks },
      { inputFrom },
    ] = await Promise.all([
      import('../../fleet/fleet.ts'),
      import('../../fleet/exec-on-hosts.ts'),
      import('../present/exec-output.ts'),
      import('../../fleet/exec-input.ts'),
    ])
    requireCommand(argv)
    const fleet = await readFleet(chosen, context)
    if (dryRun) return shown(fleet, argv)
    const given = stdin ? '-' : named
    const input = given === undefined ? undefined : await inputFrom(given, context)
    const { targets, environment } = fleet
    const names = targets.map(({ name }) => name)
    const sinks = outputSinks(names, grouped ? 'grouped' : 'as it comes', context)
    const command = { targets, environment, argv, input, timeout, atOnce }
    const executions = await execOnHosts(command, sinks, context).finally(() => input?.close())
    const how = { verbosity: context.verbosity, isRead: context.signal.reason !== readerLeft }
    if (!context.json) for (const line of executionLines(executions, how)) context.progress(line)
    return {
      outcome: context.signal.aborted ? 'interrupted' : joinOutcomes(executions.map(outcomeOf)),
      data: { argv, hosts: executions.map(executionDocument) },
      text: '',
    }
  },
})

async function shown({ targets }: Fleet, argv: readonly string[]): Promise<CommandResult> {
  const { quoteCommand } = await import('../../model/quote.ts')
  const command = quoteCommand(argv)
  const lines = targets.map(({ name }) => `${name}: ${command}`)
  return {
    outcome: 'done',
    data: { dryRun: true, hosts: targets.map(({ name }) => ({ host: name, command, argv })) },
    text: `${lines.join('\n')}\n\nDry run: nothing was run.`,
  }
}

// What the command changed is not known, and nothing of it is kept by netops: a failure is never "partly done".
const outcomeOf = ({ code, error }: HostExecution): { readonly outcome: Outcome; readonly changed: false } => ({
  outcome: error?.code ?? (code === 0 ? 'done' : 'failed'),
  changed: false,
})
