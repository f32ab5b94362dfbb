// From words to a command: what commander parses them with, and which command they name.
import { Command as Program, CommanderError } from 'commander'
import { exitCodes } from '../model/errors.ts'
import { buildInfo } from '../system/build-info.ts'
import type { Command, RawOptions } from './command.ts'
import { commands } from './command-list.ts'

/** A command with the words that it was called with. */
export interface CalledCommand {
  readonly command: Command
  readonly options: RawOptions
  readonly args: readonly string[]
}

/** Where help, versions and complaints about the words go. */
export interface ParserOutput {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/**
 * Finds the command that the words name, parses its options and has it performed.
 * @returns what performing returns; the exit code of help and of bad usage, for which nothing is performed
 */
export async function parseCommandLine(
  words: readonly string[],
  output: ParserOutput,
  perform: (called: CalledCommand) => Promise<number>,
): Promise<number> {
  let exit: number = exitCodes.done.exit
  const program = await buildProgram(words, output, async (called) => {
    exit = await perform(called)
  })
  try {
    await program.parseAsync([...words], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done.exit : exitCodes.usage.exit
    throw error
  }
}

type OnCalled = (called: CalledCommand) => Promise<void>

/** Loads only the command that the words name; help of a whole loads all of that level. */
async function buildProgram(given: readonly string[], output: ParserOutput, onCalled: OnCalled): Promise<Program> {
  const words = given.filter((word) => !word.startsWith('-'))
  const named = [3, 2, 1].map((count) => words.slice(0, count).join(' ')).find((name) => Object.hasOwn(commands, name))
  // Commands below it inherit where their output goes.
  const program = base(new Program('netops').configureOutput({ writeOut: output.out, writeErr: output.err }))
    .description('Operate a network service through its whole life')
    .version(`netops ${buildInfo.version} (${buildInfo.commit})`, '-V, --version')
  // A command that is a word of others too, as `backup` of `backup list`, tells of them in its help.
  const isWanted = (name: string): boolean => named === undefined || name === named || name.startsWith(`${named} `)
  const wanted = Object.entries(commands).filter(([name]) => isWanted(name))
  for (const [, load] of wanted) addCommand(program, await load(), onCalled)
  return program
}

const base = (program: Program): Program =>
  program
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false })
    .helpCommand('help [command]', 'show help; `netops help exit-codes` lists the exit codes')

function addCommand(program: Program, definition: Command, onCalled: OnCalled): void {
  const words = definition.name.split(' ')
  const hidden = definition.hidden === true
  const parent = words.slice(0, -1).reduce((above, word) => groupOf(above, word, hidden), program)
  const leaf = parent.command(words.at(-1) ?? '', { hidden }).exitOverride()
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
  leaf.action(() => onCalled({ command: definition, options: leaf.opts<RawOptions>(), args: leaf.args }))
}

function groupOf(program: Program, name: string, hidden: boolean): Program {
  const known = program.commands.find((command) => command.name() === name)
  return known ?? base(program.command(name, { hidden })).description(groupSummaries[name] ?? '')
}

const groupSummaries: Record<string, string> = {
  archive: 'its transaction log, archived as it is written',
  config: "the server's and the fleet's configuration",
  db: 'the database, where the records are kept in PostgreSQL',
  inventory: 'the hosts of the fleet: which there are, how they are reached, whether they answer',
  lock: 'who holds a host, and giving back what nobody holds any more',
  lab: 'throwaway systemd hosts to rehearse on',
  runs: 'what was run, how it went, and going on with it',
  service: 'the service below a relocated root',
  tune: 'kernel parameters, limits, threads and pools',
}
