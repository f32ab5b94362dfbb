// The context of a command for tests that call it in this process: quiet, without input, and nobody presses Ctrl-C.
import { Readable } from 'node:stream'
import { Sources } from '../../src/config/file-sources.ts'
import type { CommandContext } from '../../src/cli/command.ts'

const nowhere = { terminal: false, color: false, write: () => Promise.resolve() }

export const contextFor = (given: Partial<CommandContext> = {}): CommandContext => ({
  env: {},
  sources: new Sources({ env: {}, leaving: new AbortController().signal }),
  cwd: process.cwd(),
  json: false,
  color: false,
  connections: {
    connect: ({ name }) => Promise.reject(new Error(`nobody connects to ${name} here`)),
    settings: () => Promise.resolve(undefined),
  },
  verbosity: 0,
  progress: () => undefined,
  write: () => undefined,
  output: { stdout: nowhere, stderr: nowhere },
  readBytes: () => Readable.from([]),
  readInput: () => Promise.resolve(''),
  signal: new AbortController().signal,
  undoSignal: new AbortController().signal,
  leaving: new AbortController().signal,
  answerInterrupts: () => undefined,
  watchRun: () => Promise.resolve({ recall: () => undefined, see: () => undefined }),
  ...given,
})
