// What commands print on hosts: line by line as it comes, or all of a host when it ends, or kept for the document.
import type { HostExecution, OutputSink } from '../../fleet/exec-on-hosts.ts'
import type { OutputStream } from '../../system/exec.ts'
import { LineCutter } from '../../system/line-cutter.ts'
import { formatDuration } from '../../model/units.ts'
import type { CommandContext } from '../command.ts'
import { errorField, errorLines } from './errors.ts'
import { HostLines } from './host-lines.ts'
import { KeptOutput } from './kept-output.ts'

// One text in Node holds 512 Mi characters.
const mostKept = { ofHost: 8 * 2 ** 20, inDocument: 64 * 2 ** 20 }
const streams = ['stdout', 'stderr'] as const
const nothing = { stdout: '', stderr: '' }

const both = <T>(make: (stream: OutputStream) => T): Record<OutputStream, T> => ({
  stdout: make('stdout'),
  stderr: make('stderr'),
})

/**
 * Where each host's output goes.
 * @param hosts their names, in the order of the fleet
 * @param how `grouped`: each host's whole output together when it ends
 */
export function outputSinks(
  hosts: readonly string[],
  how: 'as it comes' | 'grouped',
  { json, output }: Pick<CommandContext, 'json' | 'output'>,
): (host: string) => OutputSink {
  const lines = both((stream) => new HostLines(output[stream], hosts))
  if (json) {
    const ofHost = Math.min(mostKept.ofHost, Math.floor(mostKept.inDocument / hosts.length))
    return () =>
      keeping(new KeptOutput(ofHost, inJson), (kept) =>
        Promise.resolve({ stdout: kept.text('stdout'), stderr: kept.text('stderr') }),
      )
  }
  if (how === 'grouped') {
    return (host) =>
      keeping(new KeptOutput(mostKept.ofHost), async (kept) => {
        for (const stream of streams) await lines[stream].write(host, wholeLines(kept, stream))
        return nothing
      })
  }
  return (host) => {
    const cutters = both(() => new LineCutter())
    return {
      take: (bytes, stream) => lines[stream].write(host, cutters[stream].push(bytes)),
      end: async () => {
        for (const stream of streams) await lines[stream].write(host, cutters[stream].end())
        return nothing
      },
    }
  }
}

/** How many characters of JSON a byte may become. */
const inJson = (byte: number): number => (byte < 0x20 || byte === 0x7f ? 6 : 1)

function keeping(kept: KeptOutput, end: (kept: KeptOutput) => ReturnType<OutputSink['end']>): OutputSink {
  return {
    take: (bytes, stream) => {
      kept.push(stream, bytes)
      return Promise.resolve()
    },
    end: () => end(kept),
  }
}

function wholeLines(kept: KeptOutput, stream: OutputStream): readonly Uint8Array[] {
  const cutter = new LineCutter()
  const note = kept.note(stream)
  const whole = [...cutter.push(kept.bytes(stream)), ...cutter.end()]
  return note === undefined ? whole : [...whole, Buffer.from(note)]
}

/**
 * At the end, a line for each host on which it failed; of those that Ctrl-C ended only how many they are.
 * @param how `isRead`: whether anybody still reads the output, whose end needs no word otherwise
 */
export function executionLines(
  executions: readonly HostExecution[],
  { verbosity, isRead }: { readonly verbosity: number; readonly isRead: boolean },
): readonly string[] {
  const left = executions.filter(({ error }) => error?.code === 'interrupted').length
  const lines = executions.flatMap((one) => (one.error?.code === 'interrupted' ? [] : linesOf(one, verbosity)))
  return left === 0 || !isRead
    ? lines
    : [...lines, `stopped: on ${left} of ${executions.length} hosts the command did not run to its end`]
}

function linesOf({ host, code, ms, error, leftOpen }: HostExecution, verbosity: number): readonly string[] {
  if (error !== undefined) return errorLines(host, error)
  const exited = `${host}: exited with ${code ?? 0}${verbosity > 0 ? ` after ${formatDuration(ms)}` : ''}`
  return [
    ...(leftOpen ? [`${host}: its output is still held open by a process it left; not waited for`] : []),
    ...(code !== 0 || verbosity > 0 ? [exited] : []),
  ]
}

export const executionDocument = ({ error, code, ...rest }: HostExecution) => ({
  ...rest,
  code: code ?? null,
  ...errorField(error),
})
