// netops exec: one command on every chosen host at once, each line with its host's name.
import * as z from 'zod'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { joinOutcomes, NetopsError, type Outcome } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { duration, formatDuration } from '../model/units.ts'
import { refuseOtherEnvironment } from '../procedures/environment-mark.ts'
import type { Input, OutputStream } from '../system/exec.ts'
import { defineCommand, type CommandContext, type CommandResult } from './command.ts'
import type { Fleet, Target } from './fleet.ts'
import { fleetOptions, parseOptions, rootOption } from './options.ts'

const defaultAtOnce = 50
// In JSON each of these may become six characters, and one text in Node holds 512 Mi of them.
const mostKept = { ofHost: 8 * 2 ** 20, inDocument: 64 * 2 ** 20 }

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
    const { fleetSchema, readFleet } = await import('./fleet.ts')
    const wish = parseOptions(fleetSchema.extend(own), options)
    requireCommand(argv)
    const fleet = await readFleet(wish, context)
    if (wish.dryRun) return shown(fleet, argv)
    const input = wish.stdin ? { bytes: await context.readBytes() } : undefined
    return runEverywhere({ ...wish, argv, input, fleet }, context)
  },
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

async function shown(fleet: Fleet, argv: readonly string[]): Promise<CommandResult> {
  const { quoteCommand } = await import('../drivers/hosts/quote.ts')
  const command = quoteCommand(argv)
  const lines = fleet.targets.map(({ name }) => `${name}: ${command}`)
  return {
    outcome: 'done',
    data: { dryRun: true, hosts: fleet.targets.map(({ name }) => ({ host: name, command, argv })) },
    text: `${lines.join('\n')}\n\nDry run: nothing was run.`,
  }
}

interface Order {
  readonly fleet: Fleet
  readonly argv: readonly string[]
  readonly input: Input | undefined
  readonly timeout?: number | undefined
  readonly atOnce: number
  readonly grouped: boolean
}

interface Ran {
  readonly host: string
  /** Undefined where the command did not run to its end. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
  readonly error: NetopsError | undefined
}

async function runEverywhere(order: Order, context: CommandContext): Promise<CommandResult> {
  const { onEachHost } = await import('./host-pool.ts')
  const { targets } = order.fleet
  const sinkOf = await sinks(order, context)
  const ran = await onEachHost<Ran>(
    {
      targets,
      atOnce: order.atOnce,
      work: (connection, target) => runOn(connection, target, order, { sink: sinkOf(target.name), context }),
      failed: (error, { name }) => ({ host: name, code: undefined, stdout: '', stderr: '', ms: 0, error }),
    },
    context,
  )
  if (!context.json) tell(ran, context)
  return {
    outcome: context.signal.aborted ? 'interrupted' : joinOutcomes(ran.map((one) => ({ ...one, ...outcomeOf(one) }))),
    data: { argv: order.argv, hosts: ran.map(plain) },
    text: '',
  }
}

/**
 * Keeps a command from a host that is marked as another environment. The host looks in the very command that it is given:
 * another one just to look would cost an SSH server as much as half a login.
 */
async function guardOf(environment: string | undefined, path: string) {
  // Late: loading it takes longer than hosts take to answer a connection.
  const { randomBytes } = await import('node:crypto')
  // What the guard says is told from what the command says by a word that nobody knows before.
  const word = `netops-${randomBytes(8).toString('hex')}`
  // The shell does it alone: starting a cat takes as long as starting the command. Without an exclamation mark, so that it
  // is the shell that runs there anyway (src/drivers/hosts/login-shell.ts).
  const look = [
    'mark=; [ -e "$1" ] && mark="(unreadable)"',
    '[ -f "$1" ] && [ -r "$1" ] && { mark=; read -r mark < "$1"; }',
    'case "$mark" in ""|"$2") ;; *) echo "$3 $mark" >&2; exit 1 ;; esac',
    'shift 3; exec "$@"',
  ].join('; ')
  let marked: string | undefined
  return {
    around: (argv: readonly string[]) => ['sh', '-c', look, 'sh', path, environment ?? '', word, ...argv],
    refuses(bytes: Uint8Array): boolean {
      if (marked !== undefined || bytes.length > 1024) return false
      const [, mark] = new RegExp(`^${word} (.+)$`, 'm').exec(Buffer.from(bytes).toString()) ?? []
      marked = mark
      return mark !== undefined
    },
    check: (host: string): void => refuseOtherEnvironment(host, marked, environment),
  }
}

/** Runs the command on one host; whatever becomes of it is told with what it printed until then. */
async function runOn(
  connection: HostConnection,
  target: Target,
  { argv, input, timeout, fleet: { environment } }: Order,
  { sink, context }: { readonly sink: Sink; readonly context: CommandContext },
): Promise<Ran> {
  const host = target.name
  const begun = performance.now()
  let end: Pick<Ran, 'code' | 'error'>
  try {
    const { signal } = context
    const guard = target.kind === 'ssh' ? await guardOf(environment, hostPaths(target.root).environment) : undefined
    const onOutput: Sink['take'] = async (bytes, stream) => {
      if (guard?.refuses(bytes) !== true) await sink.take(bytes, stream)
    }
    const guarded = guard?.around(argv) ?? argv
    const { code } = await connection.run(guarded, { stdin: input, timeoutMs: timeout, signal, onOutput })
    guard?.check(host)
    end = { code, error: undefined }
  } catch (thrown) {
    const { locate } = await import('../model/errors.ts')
    end = { code: undefined, error: locate(thrown, { host }) }
  }
  const ms = Math.round(performance.now() - begun)
  return { host, ...end, ms, ...(await sink.end()) }
}

/** Where the output of one host goes. */
interface Sink {
  readonly take: (bytes: Uint8Array, stream: OutputStream) => Promise<void>
  /** What is left of it for the document. */
  readonly end: () => Promise<Pick<Ran, 'stdout' | 'stderr'>>
}

const nothing = { stdout: '', stderr: '' }

/** Lines as they come, or all that a host says when it ends, or kept for the document. */
async function sinks(
  { fleet: { targets }, grouped }: Order,
  { json, output }: CommandContext,
): Promise<(host: string) => Sink> {
  const { HostLines, LineCutter } = await import('./host-lines.ts')
  const names = targets.map(({ name }) => name)
  const both = <T>(make: (stream: OutputStream) => T): Record<OutputStream, T> => ({
    stdout: make('stdout'),
    stderr: make('stderr'),
  })
  const lines = both((stream) => new HostLines(output[stream], names))
  if (json || grouped) {
    const { KeptOutput } = await import('./kept-output.ts')
    const ofHost = json ? Math.min(mostKept.ofHost, Math.floor(mostKept.inDocument / names.length)) : mostKept.ofHost
    return (host) => {
      const kept = new KeptOutput(ofHost)
      return {
        take: (bytes, stream) => {
          kept.push(stream, bytes)
          return Promise.resolve()
        },
        end: async () => {
          if (json) return { stdout: kept.text('stdout'), stderr: kept.text('stderr') }
          for (const stream of ['stdout', 'stderr'] as const) {
            const cutter = new LineCutter()
            const note = kept.note(stream)
            const whole = [...cutter.push(kept.bytes(stream)), ...cutter.end()]
            await lines[stream].write(host, note === undefined ? whole : [...whole, Buffer.from(note)])
          }
          return nothing
        },
      }
    }
  }
  return (host) => {
    const cutters = both(() => new LineCutter())
    return {
      take: (bytes, stream) => lines[stream].write(host, cutters[stream].push(bytes)),
      end: async () => {
        for (const stream of ['stdout', 'stderr'] as const) await lines[stream].write(host, cutters[stream].end())
        return nothing
      },
    }
  }
}

// What the command changed is not known, and nothing of it is kept by netops: a failure is never "partly done".
const outcomeOf = ({ code, error }: Ran): { readonly outcome: Outcome; readonly changed: false } => ({
  outcome: error?.code ?? (code === 0 ? 'done' : 'failed'),
  changed: false,
})

/** At the end, a line for each host on which it failed; of those that Ctrl-C ended only how many they are. */
function tell(ran: readonly Ran[], { progress, verbosity }: CommandContext): void {
  const left = ran.filter(({ error }) => error?.code === 'interrupted').length
  for (const one of ran) if (one.error?.code !== 'interrupted') for (const line of told(one, verbosity)) progress(line)
  if (left > 0) progress(`stopped: on ${left} of ${ran.length} hosts the command did not run to its end`)
}

function told({ host, code, ms, error }: Ran, verbosity: number): readonly string[] {
  if (error !== undefined) {
    return [`${host}: ${error.message}`, ...(error.hint === undefined ? [] : [`  hint: ${error.hint}`])]
  }
  if (code === 0) return verbosity > 0 ? [`${host}: exited with 0 after ${formatDuration(ms)}`] : []
  return [`${host}: exited with ${code ?? 0}${verbosity > 0 ? ` after ${formatDuration(ms)}` : ''}`]
}

const plain = ({ error, code, ...rest }: Ran) => ({
  ...rest,
  code: code ?? null,
  ...(error && { error: { code: error.code, message: error.message, hint: error.hint } }),
})
