// The process around a command line: its streams, its terminal, Ctrl-C, and its exit code.
import { connectionsFor } from '../fleet/connections.ts'
import { exitCodes } from '../model/errors.ts'
import type { CommandContext, LineOutput } from './command.ts'
import type { Line } from './painted.ts'
import { performCommandLine, type CommonFlags, type Outside } from './perform.ts'
import { failureLines } from './present/errors.ts'
import { watcherFor } from './present/run-watcher.ts'
import { askerFor } from './terminal/ask.ts'
import { listenForInterrupts } from './terminal/interrupts.ts'
import { printerTo } from './terminal/printer.ts'
import { isRedrawable, screenBelow, spinnerFor, type Spinner } from './terminal/spinner.ts'

/** Runs netops with these words and exits with its code. */
export async function runCli(words: readonly string[]): Promise<void> {
  // Whoever read our output went away: keep working, say no more.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe)
  // Node itself would print what a host said as it is.
  process.on('uncaughtException', (error) => {
    thisProcess.err(`${failureLines(error, 2).join('\n')}\n`)
    process.exit(exitCodes.failed.exit)
  })
  process.exitCode = await performCommandLine(words, thisProcess)
  // Connections and watchers of a failed command must not keep the process.
  process.stdout.write('', () => process.stderr.write('', () => process.exit()))
}

function ignoreClosedPipe(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error
}

const thisProcess: Outside = {
  out: printerTo(process.stdout),
  err: printerTo(process.stderr),
  begin({ command }, flags) {
    const redrawable = isRedrawable(process.stderr, process.env) && !flags.json && command.hidden !== true
    const spinner = spinnerFor(command.name, redrawable && command.streams !== true)
    const screen = redrawable ? screenBelow(spinner) : undefined
    return { context: contextOf(flags, spinner, screen), end: () => spinner.stop() }
  },
}

function contextOf(flags: CommonFlags, spinner: Spinner, screen: CommandContext['screen']): CommandContext {
  const { jsonl, acceptNewHostKeys, json, verbosity } = flags
  const interrupts = listenForInterrupts(
    (line) => spinner.line(line),
    () => process.exit(exitCodes.interrupted.exit),
  )
  const outside = {
    env: process.env,
    progress: jsonl ? () => undefined : (line: Line) => spinner.line(line),
    write: (line: Line) => spinner.out(line),
    color: process.stderr.isTTY && process.env.NO_COLOR === undefined,
  }
  const askSecret = askerFor(interrupts.signal, spinner, 'hidden')
  return {
    ...{ json, verbosity, screen, ...interrupts, ...outside },
    cwd: process.cwd(),
    connections: connectionsFor({ ...outside, askSecret, acceptNewHostKeys }),
    output: { stdout: outputTo(process.stdout), stderr: outputTo(process.stderr) },
    readBytes,
    readInput: async () => Buffer.from(await readBytes()).toString('utf8'),
    ask: askerFor(interrupts.signal, spinner, 'shown'),
    watchRun: watcherFor({ ...outside, verbosity, screen, jsonl }),
  }
}

async function readBytes(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks)
}

const outputTo = (stream: NodeJS.WriteStream): LineOutput => ({
  terminal: stream.isTTY,
  color: stream.isTTY && process.env.NO_COLOR === undefined,
  // It is called too where the reader went away.
  write: (bytes) => new Promise((resolve) => stream.write(bytes, () => resolve())),
})
