// The context of a command for tests that call it in this process: quiet, without input, and nobody presses Ctrl-C.
import type { CommandContext } from '../../src/cli/command.ts'

export const contextFor = (given: Partial<CommandContext> = {}): CommandContext => ({
  env: {},
  cwd: process.cwd(),
  json: false,
  color: false,
  verbosity: 0,
  progress: () => undefined,
  write: () => undefined,
  readInput: () => Promise.resolve(''),
  signal: new AbortController().signal,
  undoSignal: new AbortController().signal,
  answerInterrupts: () => undefined,
  ...given,
})
