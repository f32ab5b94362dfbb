// From words to an exit code, without the process around it: one command is performed, its result printed once.
import { errorDocument, failureLines } from './present/errors.ts'
import { shownJson } from '../model/escape.ts'
import { errorCodes, exitCodes, messageOf, NetopsError, type Outcome } from '../model/errors.ts'
import type { CommandContext, CommandResult } from './command.ts'
import { parseCommandLine, type CalledCommand, type ParserOutput } from './program.ts'

/** What every command takes beside its own options. */
export interface CommonFlags {
  /** The result is one JSON document. */
  readonly json: boolean
  /** Each record of a run's journal goes to standard output as it comes, and no progress is shown. */
  readonly jsonl: boolean
  readonly verbosity: number
  /** Whether the key of a host that is not on file is written down. */
  readonly acceptNewHostKeys: boolean
}

/** Where a command line is performed: a process, or a test. */
export interface Outside extends ParserOutput {
  /** Resolves when all that went out has arrived or cannot; with the reason where it did not. */
  readonly delivered: () => Promise<Error | undefined>
  /** Makes the context of the command that was called, and a way to clear what it left at the bottom of a terminal. */
  readonly begin: (called: CalledCommand, flags: CommonFlags) => { context: CommandContext; end: () => void }
}

const outcomes: readonly Outcome[] = ['done', ...errorCodes]

/** Performs what the words say, and returns the exit code. What it says has arrived then, or the exit code tells that it has not. */
export async function performCommandLine(words: readonly string[], outside: Outside): Promise<number> {
  let undelivered: Outcome = 'failed'
  // What stands aside for it: how a command went that did not fail by itself.
  const passing: Outcome[] = ['done']
  const exit = await printed(words, outside, (called) => {
    // Whoever reads only the exit code of a run must not believe that nothing was touched.
    if (called.command.events === true) undelivered = 'partly'
    if (called.command.endsUnread === true) passing.push('interrupted')
    return perform(called, words, outside)
  })
  const fault = await outside.delivered()
  if (fault === undefined) return exit
  const ended = outcomes.find((outcome) => exitCodes[outcome].exit === exit) ?? 'failed'
  outside.err(
    `netops: the output could not be written whole: ${fault.message}\n` +
      `  hint: the command itself ended with: ${ended}; see where standard output goes, and whether there is space\n`,
  )
  return passing.includes(ended) ? exitCodes[undelivered].exit : exit
}

async function printed(
  words: readonly string[],
  outside: Outside,
  onCalled: (called: CalledCommand) => Promise<number>,
): Promise<number> {
  if (words[0] !== 'help' || words[1] !== 'exit-codes') return parseCommandLine(words, outside, onCalled)
  outside.out(`${exitCodeTable()}\n`)
  return exitCodes.done.exit
}

async function perform(called: CalledCommand, words: readonly string[], outside: Outside): Promise<number> {
  const { command, args } = called
  const { json: asked, verbose, ...options } = called.options
  const jsonl = command.events === true && options.jsonl === true
  const json = asked === true || jsonl
  const verbosity = typeof verbose === 'number' ? verbose : 0
  const flags = { json, jsonl, verbosity, acceptNewHostKeys: options.acceptNewHostKey === true }
  const { context, end } = outside.begin(called, flags)
  const started = new Date()
  let result: CommandResult
  try {
    result = await command.run({ options, args }, context)
    end()
  } catch (thrown) {
    end()
    result = failed(thrown, words)
    if (!json) outside.err(`${failureLines(thrown, verbosity).join('\n')}\n`)
  }
  if (json) outside.out(`${shownJson(documentOf(command.name, result, started))}\n`)
  else if (result.text !== '') outside.out(`${result.text}\n`)
  return exitCodes[result.outcome].exit
}

const documentOf = (command: string, { outcome, data }: CommandResult, started: Date) => ({
  schema: 'netops/v1',
  command,
  ok: outcome === 'done',
  outcome,
  started: started.toISOString(),
  ended: new Date().toISOString(),
  ...data,
})

function failed(thrown: unknown, words: readonly string[]): CommandResult {
  const hint = `this is a defect of netops; see netops ${words.join(' ')} -vv`
  const error = thrown instanceof NetopsError ? thrown : { code: 'failed' as const, message: messageOf(thrown), hint }
  return { outcome: error.code, data: { error: errorDocument(error) }, text: '' }
}

/** The table that `netops help exit-codes` prints. */
const exitCodeTable = (): string =>
  Object.values(exitCodes)
    .map(({ exit, meaning }) => `${String(exit).padStart(3)}  ${meaning}`)
    .join('\n')
