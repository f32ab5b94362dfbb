// Runs a whole command line in this process, through the same parsing and performing as src/cli/run-cli.ts, and catches
// what it would print.
import { Readable } from 'node:stream'
import type { CommandContext, LineOutput } from '../../src/cli/command.ts'
import { rendered, type Line } from '../../src/cli/painted.ts'
import { performCommandLine } from '../../src/cli/perform.ts'
import { watcherFor } from '../../src/cli/present/run-watcher.ts'
import { contextFor } from './context.ts'

/** What a test gives a command of the outside; without connections nobody can be reached. */
export type Given = Partial<Pick<CommandContext, 'connections' | 'env' | 'cwd' | 'ask' | 'signal' | 'undoSignal'>> & {
  readonly stdin?: string
}

/** What a user sees of a command. */
export interface Screen {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
  /** The document of `--json` as it was printed, without the times that differ from run to run. */
  readonly json: string
}

/** Runs `netops WORDS`; a text is cut at its blanks. */
export async function runCommand(words: string | readonly string[], given: Given = {}): Promise<Screen> {
  const written = { stdout: '', stderr: '' }
  const out = (text: Line): void => void (written.stdout += rendered(text))
  const err = (text: Line): void => void (written.stderr += rendered(text))
  const { stdin = '', ...outside } = given
  const argv = typeof words === 'string' ? words.split(' ') : words
  const exit = await performCommandLine(argv, {
    out,
    err,
    delivered: () => Promise.resolve(undefined),
    begin: (_, { json, jsonl, verbosity }) => {
      const write = (line: Line): void => (out(line), out('\n'))
      const progress = jsonl ? () => undefined : (line: Line): void => (err(line), err('\n'))
      const shown = { json, verbosity, color: false, write, progress }
      const context = contextFor({
        ...shown,
        output: {
          stdout: outputTo((text) => (written.stdout += text)),
          stderr: outputTo((text) => (written.stderr += text)),
        },
        readBytes: () => Readable.from([Buffer.from(stdin)]),
        readInput: () => Promise.resolve(stdin),
        watchRun: watcherFor({ ...shown, screen: undefined, jsonl }),
        ...outside,
      })
      return { context, end: () => undefined }
    },
  })
  return { ...written, exit, json: written.stdout.trimEnd().replace(times, '').replaceAll(tookMs, '"ms":0') }
}

const times = /"started":"[^"]+","ended":"[^"]+",/
const tookMs = /"ms":\d+/g

const outputTo = (print: (text: string) => void): LineOutput => ({
  terminal: false,
  color: false,
  write: (bytes) => {
    print(Buffer.from(bytes).toString('utf8'))
    return Promise.resolve()
  },
})
