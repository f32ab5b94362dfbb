// The process around a command line: its streams, its terminal, Ctrl-C, and its exit code.
import { addAbortSignal } from 'node:stream'
import { Sources } from '../config/file-sources.ts'
import { notWaitedFor } from '../drivers/hosts/leavable.ts'
import { connectionsFor } from '../fleet/connections.ts'
import { exitCodes } from '../model/errors.ts'
import type { CommandContext, LineOutput } from './command.ts'
import type { Line } from './painted.ts'
import { performCommandLine, type CommonFlags, type Outside } from './perform.ts'
import { failureLines } from './present/errors.ts'
import { watcherFor } from './present/run-watcher.ts'
import { askerFor } from './terminal/ask.ts'
import { listenForInterrupts } from './terminal/interrupts.ts'
import { standardOutput, type Output } from './terminal/output.ts'
import { printerTo } from './terminal/printer.ts'
import { hasSize, isRedrawable, screenBelow, spinnerFor, type Spinner } from './terminal/spinner.ts'

/** Runs netops with these words and exits with its code. */
export async function runCli(words: readonly string[]): Promise<void> {
  // What is told beside the result may get lost: a run goes on without anybody who watches it.
  process.stderr.on('error', () => undefined)
  for (const stream of [process.stdout, process.stderr]) hasSize(stream)
  const outside = outsideOf(standardOutput())
  // Node itself would print what a host said as it is.
  process.on('uncaughtException', (error) => {
    outside.err(`${failureLines(error, 2).join('\n')}\n`)
    process.exit(exitCodes.failed.exit)
  })
  process.exitCode = await performCommandLine(words, outside)
  // Connections and watchers of a failed command must not keep the process.
  process.stderr.write('', () => process.exit())
}

const outsideOf = (output: Output): Outside => ({
  out: printerTo(output),
  delivered: () => output.delivered(),
  err: printerTo(process.stderr),
  begin({ command }, flags) {
    const redrawable = isRedrawable(process.stderr, process.env) && !flags.json && command.hidden !== true
    const spinner = spinnerFor(command.name, redrawable && command.streams !== true, output)
    const screen = redrawable ? screenBelow(spinner) : undefined
    const { stopUnread, ...interrupts } = listenForInterrupts(
      (line) => spinner.line(line),
      () => {
        spinner.stop()
        process.exit(exitCodes.interrupted.exit)
      },
    )
    if (command.endsUnread === true) output.whenUnread(stopUnread)
    return { context: contextOf(flags, { spinner, screen, interrupts, output }), end: () => spinner.stop() }
  },
})

interface Terminal {
  readonly spinner: Spinner
  readonly screen: CommandContext['screen']
  readonly interrupts: Omit<ReturnType<typeof listenForInterrupts>, 'stopUnread'>
  readonly output: Output
}

function contextOf(flags: CommonFlags, { spinner, screen, interrupts, output }: Terminal): CommandContext {
  const { jsonl, acceptNewHostKeys, json, verbosity } = flags
  const { leaving } = interrupts
  const outside = {
    env: process.env,
    sources: new Sources({ env: process.env, leaving }),
    progress: jsonl ? () => undefined : (line: Line) => spinner.line(line),
    write: (line: Line) => spinner.out(line),
    color: process.stderr.isTTY && process.env.NO_COLOR === undefined,
  }
  const askSecret = askerFor(interrupts.signal, spinner, 'hidden')
  return {
    ...{ json, verbosity, screen, ...interrupts, ...outside },
    cwd: process.cwd(),
    connections: connectionsFor({ ...outside, leaving, askSecret, acceptNewHostKeys }),
    output: { stdout: lineOutput(process.stdout, output.write), stderr: lineOutput(process.stderr, toStandardError) },
    readBytes: () => readBytes(leaving),
    readInput: () => readInput(leaving),
    ask: askerFor(interrupts.signal, spinner, 'shown'),
    watchRun: watcherFor({ ...outside, verbosity, screen, jsonl }),
  }
}

/** @throws NetopsError `interrupted` where the command is stopped before its input has ended */
async function* readBytes(leaving: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of addAbortSignal(leaving, process.stdin)) yield Buffer.from(chunk as Uint8Array)
  } catch (error) {
    throw leaving.aborted ? notWaitedFor('standard input') : error
  }
}

async function readInput(leaving: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readBytes(leaving)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

const lineOutput = (stream: NodeJS.WriteStream, write: LineOutput['write']): LineOutput => ({
  terminal: stream.isTTY,
  color: stream.isTTY && process.env.NO_COLOR === undefined,
  write,
})

// It is called too where the reader went away.
const toStandardError: LineOutput['write'] = (bytes) =>
  new Promise((resolve) => process.stderr.write(bytes, () => resolve()))
