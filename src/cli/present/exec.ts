// What people and scripts see of a command that ran on many hosts.
import { quoteCommand } from '../../drivers/hosts/quote.ts'
import type { HostExecution, OutputSink } from '../../fleet/exec-on-hosts.ts'
import { formatDuration } from '../../model/units.ts'
import type { OutputStream } from '../../system/exec.ts'
import { LineCutter } from '../../system/line-cutter.ts'
import type { CommandContext, CommandResult } from '../command.ts'
import { errorLines, hostError } from './errors.ts'
import { HostLines } from './host-lines.ts'
import { KeptOutput } from './kept-output.ts'

// In JSON each of these may become six characters, and one text in Node holds 512 Mi of them.
const mostKept = { ofHost: 8 * 2 ** 20, inDocument: 64 * 2 ** 20 }

const nothing = { stdout: '', stderr: '' }

/** Lines as they come, or all that a host prints when it ends, or kept for the document. */
export function outputSinks(
  names: readonly string[],
  grouped: boolean,
  { json, output }: Pick<CommandContext, 'json' | 'output'>,
): (host: string) => OutputSink {
  const both = <T>(make: (stream: OutputStream) => T): Record<OutputStream, T> => ({
    stdout: make('stdout'),
    stderr: make('stderr'),
  })
  const lines = both((stream) => new HostLines(output[stream], names))
  if (json || grouped) {
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

/** At the end, a line for each host on which it failed; of those that Ctrl-C ended only how many they are. */
export function executionLines(executions: readonly HostExecution[], verbosity: number): readonly string[] {
  const stopped = executions.filter(({ error }) => error?.code === 'interrupted').length
  const lines = executions
    .filter(({ error }) => error?.code !== 'interrupted')
    .flatMap((execution) => linesOf(execution, verbosity))
  const left = `stopped: on ${stopped} of ${executions.length} hosts the command did not run to its end`
  return stopped === 0 ? lines : [...lines, left]
}

function linesOf({ host, code, ms, error }: HostExecution, verbosity: number): readonly string[] {
  if (error !== undefined) return errorLines(host, error)
  if (code === 0) return verbosity > 0 ? [`${host}: exited with 0 after ${formatDuration(ms)}`] : []
  return [`${host}: exited with ${code ?? 0}${verbosity > 0 ? ` after ${formatDuration(ms)}` : ''}`]
}

/** A host in the document. */
export const executionEntry = ({ error, code, ...rest }: HostExecution) => ({
  ...rest,
  code: code ?? null,
  ...hostError(error),
})

/** What is shown of a dry run: the command line of each host. */
export function dryRunOf(names: readonly string[], argv: readonly string[]): CommandResult {
  const command = quoteCommand(argv)
  const lines = names.map((name) => `${name}: ${command}`)
  return {
    outcome: 'done',
    data: { dryRun: true, hosts: names.map((host) => ({ host, command, argv })) },
    text: `${lines.join('\n')}\n\nDry run: nothing was run.`,
  }
}
