// netops exec: one command on every chosen host at once, each line with its host's name.
import * as z from 'zod'
import type { HostExecution } from '../../fleet/exec-on-hosts.ts'
import { joinOutcomes, NetopsError, type HostOutcome } from '../../model/errors.ts'
import { duration } from '../../model/units.ts'
import { defineCommand } from '../command.ts'
import { fleetOptions, fleetSchema, parseOptions, rootOption } from '../options.ts'

const defaultAtOnce = 50

const own = {
  timeout: duration.optional(),
  atOnce: z.coerce.number<string>().int().min(1, 'expected a whole number from 1').default(defaultAtOnce),
  grouped: z.boolean().default(false),
  stdin: z.boolean().default(false),
  dryRun: z.boolean().default(false),
}

export const exec = defineCommand({
  name: 'exec',
  summary: 'Run one command on every chosen host at once, each line with the name of its host before it',
  args: '[command...]',
  examples: [
    'netops exec -- uptime',
    'netops exec --group edge --timeout 30s -- systemctl is-active network_service',
    "netops exec --hosts web1,web2 --grouped -- sh -c 'ss -ltn | wc -l'",
    'netops exec --stdin -- sha256sum < release.tar',
    'netops exec --json -- cat /etc/os-release',
  ],
  options: [
    ...fleetOptions,
    { ...rootOption, flags: '--root <dir>', description: 'on this machine alone, as the host of that root' },
    { flags: '--timeout <duration>', description: 'end the command on a host after this long (default: never)' },
    { flags: '--at-once <n>', description: `on so many hosts at once (default: ${defaultAtOnce})` },
    { flags: '--grouped', description: "each host's whole output together when it ends; 8 MiB of it are kept" },
    { flags: '--stdin', description: 'read standard input to its end and give it to the command on every host' },
    { flags: '-n, --dry-run', description: 'print the command line of each host and run nothing' },
  ],
  streams: true,
  async run({ options, args: argv }, context) {
    const { stdin, dryRun, grouped, timeout, atOnce, ...chosen } = parseOptions(fleetSchema.extend(own), options)
    requireCommand(argv)
    const [{ readFleet }, { dryRunOf, executionEntry, executionLines, outputSinks }, { execOnHosts }] =
      await Promise.all([
        import('../../fleet/fleet.ts'),
        import('../present/exec.ts'),
        import('../../fleet/exec-on-hosts.ts'),
      ])
    const fleet = await readFleet(chosen, context)
    const names = fleet.targets.map(({ name }) => name)
    if (dryRun) return dryRunOf(names, argv)
    const input = stdin ? { bytes: await context.readBytes() } : undefined
    const sinkOf = outputSinks(names, grouped, context)
    const executions = await execOnHosts({ fleet, argv, input, timeout, atOnce }, sinkOf, context)
    if (!context.json) for (const line of executionLines(executions, context.verbosity)) context.progress(line)
    return {
      outcome: context.signal.aborted ? 'interrupted' : joinOutcomes(executions.map(outcomeOf)),
      data: { argv, hosts: executions.map(executionEntry) },
      text: '',
    }
  },
})

// What the command changed is not known, and nothing of it is kept by netops: a failure is never "partly done".
const outcomeOf = ({ code, error }: HostExecution): HostOutcome => ({
  outcome: error?.code ?? (code === 0 ? 'done' : 'failed'),
  changed: false,
})

/** @throws NetopsError `usage` for no command, and for a whole command line given as one word */
export function requireCommand(argv: readonly string[]): void {
  const [first = ''] = argv
  if (argv.length === 0) {
    throw new NetopsError('usage', { message: 'no command given', hint: 'netops exec -- COMMAND [ARGUMENT...]' })
  }
  if (argv.length > 1 || !first.includes(' ')) return
  throw new NetopsError('usage', {
    message: `no shell reads the command: '${first}' would be looked for as a program of that name`,
    hint: `give the words by themselves, or ask for a shell: netops exec -- sh -c '${first.replaceAll("'", "'\\''")}'`,
  })
}
