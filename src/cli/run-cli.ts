// From words to an exit code: parses with commander, runs one command, prints its result once.
import { Command as Program, CommanderError } from 'commander'
import { exitCodes, messageOf, NetopsError, type Outcome } from '../model/errors.ts'
import { buildInfo } from '../system/build-info.ts'
import type { Command, CommandContext, CommandResult, LineOutput, RawOptions } from './command.ts'
import { commands } from './commands.ts'
import { listenForInterrupts } from './interrupts.ts'
import { isRedrawable, screenBelow, spinnerFor, type Spinner } from './spinner.ts'

/** Runs netops with these words and exits with its code. */
export async function runCli(argv: readonly string[]): Promise<void> {
  // Whoever read our output went away: keep working, say no more.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe)
  process.exitCode = await main(argv)
  // Connections and watchers of a failed command must not keep the process.
  process.stdout.write('', () => process.stderr.write('', () => process.exit()))
}

function ignoreClosedPipe(error: Error & { code?: string }): void {
  if (error.code !== 'EPIPE') throw error
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'help' && argv[1] === 'exit-codes') {
    process.stdout.write(`${exitCodeTable()}\n`)
    return 0
  }
  const program = await buildProgram(argv)
  try {
    let exit = 0
    for (const [command, words] of leaves) {
      words.action(async () => {
        exit = await perform(command, words, argv)
      })
    }
    await program.parseAsync([...argv], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage.exit
    throw error
  }
}

/** The chosen command's definition beside what commander parses it with. */
const leaves: [Command, Program][] = []

/** Loads only the command that the words name; help of a whole loads all of that level. */
async function buildProgram(argv: readonly string[]): Promise<Program> {
  const words = argv.filter((word) => !word.startsWith('-'))
  const named = [words.slice(0, 2).join(' '), words[0] ?? ''].find((name) => Object.hasOwn(commands, name))
  const program = base(new Program('netops'))
    .description('Operate a network service through its whole life')
    .version(`netops ${buildInfo.version} (${buildInfo.commit})`, '-V, --version')
  const wanted = Object.entries(commands).filter(([name]) => named === undefined || name === named)
  for (const [, load] of wanted) addCommand(program, await load())
  return program
}

const base = (program: Program): Program =>
  program
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false })
    .helpCommand('help [command]', 'show help; `netops help exit-codes` lists the exit codes')

function addCommand(program: Program, definition: Command): void {
  const [first = '', second] = definition.name.split(' ')
  const parent = second === undefined ? program : groupOf(program, first, definition.hidden === true)
  const leaf = parent.command(second ?? first, { hidden: definition.hidden === true }).exitOverride()
  leaf.description(definition.summary)
  if (definition.args !== undefined) leaf.arguments(definition.args)
  for (const option of definition.options) {
    if (option.repeats === true) {
      leaf.option<readonly string[] | undefined>(
        option.flags,
        option.description,
        (value, before) => [...(before ?? []), value],
        undefined,
      )
    } else if (option.default === undefined) leaf.option(option.flags, option.description)
    else leaf.option(option.flags, option.description, option.default)
  }
  leaf
    .option('--json', 'print the result as one JSON document')
    .option('-v, --verbose', 'tell more; twice for stacks', (_: string, level: number) => level + 1, 0)
  if (definition.events === true) leaf.option('--jsonl', 'print each event as it comes, one JSON document a line')
  const examples = definition.examples.map((example) => `  $ ${example}`).join('\n')
  if (examples !== '') leaf.addHelpText('after', `\nExamples:\n${examples}`)
  leaves.push([definition, leaf])
}

function groupOf(program: Program, name: string, hidden: boolean): Program {
  const known = program.commands.find((command) => command.name() === name)
  return known ?? base(program.command(name, { hidden })).description(groupSummaries[name] ?? '')
}

const groupSummaries: Record<string, string> = {
  config: "the server's and the fleet's configuration",
  inventory: 'the hosts of the fleet: which there are, how they are reached, whether they answer',
  lock: 'who holds a host, and giving back what nobody holds any more',
  lab: 'throwaway systemd hosts to rehearse on',
  runs: 'what was run, how it went, and going on with it',
  service: 'the service below a relocated root',
  tune: 'kernel parameters, limits, threads and pools',
}

async function perform(command: Command, program: Program, argv: readonly string[]): Promise<number> {
  const given = program.opts<RawOptions & { json?: boolean; verbose?: number }>()
  const { json: asked = false, verbose = 0, ...options } = given
  const jsonl = command.events === true && options.jsonl === true
  const json = asked || jsonl
  const redrawable = isRedrawable(process.stderr, process.env) && !json && command.hidden !== true
  const spinner = spinnerFor(command.name, redrawable && command.streams !== true)
  const screen = redrawable ? screenBelow(spinner) : undefined
  const interrupts = listenForInterrupts(
    (line) => spinner.line(line),
    () => process.exit(exitCodes.interrupted.exit),
  )
  const acceptNewHostKeys = options.acceptNewHostKey === true
  const context = contextOf({ json, jsonl, verbosity: verbose, screen, acceptNewHostKeys, ...interrupts }, spinner)
  const started = new Date()
  let result: CommandResult
  try {
    result = await command.run({ options, args: program.args }, context)
    spinner.stop()
  } catch (thrown) {
    spinner.stop()
    result = failed(thrown, argv)
    if (!json) printFailure(thrown, verbose)
  }
  const ended = new Date()
  if (json) {
    const document = {
      schema: 'netops/v1',
      command: command.name,
      ok: result.outcome === 'done',
      outcome: result.outcome,
      started: started.toISOString(),
      ended: ended.toISOString(),
      ...result.data,
    }
    process.stdout.write(`${JSON.stringify(document).replace(/[\u007f-\u009f]/g, escaped)}\n`)
  } else if (result.text !== '') {
    process.stdout.write(`${result.text}\n`)
  }
  return exitCodes[result.outcome].exit
}

// JSON leaves these as they are, and a terminal may take them for commands.
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

type Given = Pick<
  CommandContext,
  'json' | 'jsonl' | 'verbosity' | 'screen' | 'acceptNewHostKeys' | 'signal' | 'undoSignal' | 'answerInterrupts'
>

const contextOf = (given: Given, spinner: Spinner): CommandContext => ({
  ...given,
  env: process.env,
  cwd: process.cwd(),
  color: process.stderr.isTTY && process.env.NO_COLOR === undefined,
  progress: given.jsonl === true ? () => undefined : (line) => spinner.line(line),
  write: (line) => spinner.out(line),
  output: { stdout: outputTo(process.stdout), stderr: outputTo(process.stderr) },
  readBytes,
  readInput: async () => Buffer.from(await readBytes()).toString('utf8'),
  ask: askerFor(given.signal, spinner, 'shown'),
  askSecret: askerFor(given.signal, spinner, 'hidden'),
})

type Typed = 'shown' | 'hidden'

function askerFor(signal: AbortSignal, spinner: Spinner, typed: Typed): CommandContext['ask'] {
  // In this order: looking at standard input opens it.
  if (!process.stderr.isTTY || !process.stdin.isTTY) return undefined
  return (question) => {
    spinner.stop()
    return ask(question, signal, typed)
  }
}

/** Asks whoever sits at the terminal; an empty answer where they leave it with Ctrl-C or Ctrl-D. */
async function ask(question: string, signal: AbortSignal, typed: Typed): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const { Writable } = await import('node:stream')
  // The line editor shows what is typed by writing it; what is hidden goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const hidden = typed === 'hidden'
  if (hidden) process.stderr.write(question)
  const output = hidden ? nowhere : process.stderr
  const terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: hidden ? 0 : 30 })
  // In raw mode the terminal hands us the key instead of the signal.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
    return await Promise.race([terminal.question(hidden ? '' : question, { signal }), closed])
  } catch {
    // Left with Ctrl-C: whoever asked gets no answer.
    return ''
  } finally {
    terminal.close()
    if (hidden) process.stderr.write('\n')
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

function failed(thrown: unknown, argv: readonly string[]): CommandResult {
  const known = thrown instanceof NetopsError
  const outcome: Outcome = known ? thrown.code : 'failed'
  const error = {
    code: outcome,
    message: messageOf(thrown),
    ...(known ? { hint: thrown.hint, host: thrown.host, step: thrown.step } : { hint: defectHint(argv) }),
  }
  return { outcome, data: { error }, text: '' }
}

function printFailure(thrown: unknown, verbose: number): void {
  const known = thrown instanceof NetopsError ? thrown : undefined
  const where = known?.host === undefined ? '' : `${known.host}: `
  process.stderr.write(`netops: ${where}${messageOf(thrown)}\n`)
  const hint = known === undefined ? 'this is a defect of netops; -vv shows where' : known.hint
  if (hint !== undefined) process.stderr.write(`  hint: ${hint}\n`)
  if (verbose >= 2 && thrown instanceof Error) process.stderr.write(`${thrown.stack ?? ''}\n`)
}

const defectHint = (argv: readonly string[]): string => `this is a defect of netops; see netops ${argv.join(' ')} -vv`

/** The table that `netops help exit-codes` prints. */
const exitCodeTable = (): string =>
  Object.values(exitCodes)
    .map(({ exit, meaning }) => `${String(exit).padStart(3)}  ${meaning}`)
    .join('\n')
