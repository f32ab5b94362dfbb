// The commands of network_server for whoever operates it: words to a typed request.
import { parseArgs } from 'node:util'
import { messageOf, NetopsError } from '../../model/errors.ts'
import type { ControlRequest } from '../control/protocol.ts'

export type Operation = {
  /** As given. */
  readonly root: string
  readonly json: boolean
} & (
  | { readonly kind: 'ask'; readonly request: ControlRequest }
  /** Which role is in effect. */
  | { readonly kind: 'role' }
  | { readonly kind: 'restore'; readonly which: string; readonly dryRun: boolean }
  /** In the process that the service starts for it. */
  | { readonly kind: 'take' }
)

export const operationHelp = `Commands for a service that runs, of root and the service's own user:
  status                     what the service says of itself
  checkpoint                 take a checkpoint of the state now; print its path, size and SHA-256
  role                       which role is in effect, and where writes go
  role primary               take writes
  role standby [--primary URL]
                             take no writes, and say where they go
  reload                     read the configuration again, as SIGHUP does, and say what came of it
While it does not run:
  restore FILE|latest [--dry-run]
                             put a checkpoint in the place of the state, after it was verified; keep what was there
Each takes --root DIR and --json.`

const known = ['status', 'checkpoint', 'role', 'reload', 'restore', 'take-checkpoint']

/** Whether the words ask for one of these commands, and not for serving. */
export const isOperation = ([word = '']: readonly string[]): boolean => known.includes(word)

/** @throws NetopsError `usage` */
export function parseOperation(argv: readonly string[]): Operation {
  const { values, positionals } = parse(argv)
  const [word = '', first, ...more] = positionals
  const { root = '/', json = false } = values
  const common = { root, json }
  const refuse = (message: string): never => {
    throw new NetopsError('usage', { message, hint: 'network_server --help' })
  }
  if (root === '') refuse('--root needs a value')
  if (more.length > 0) refuse(`${word}: unexpected ${more[0] ?? ''}`)
  if (values['dry-run'] === true && word !== 'restore') refuse('--dry-run is only for restore')
  if (values.primary !== undefined && !(word === 'role' && first === 'standby')) {
    refuse('--primary is only for role standby')
  }
  switch (word) {
    case 'role':
      if (first === undefined) return { ...common, kind: 'role' }
      if (first === 'primary') return { ...common, kind: 'ask', request: { command: 'role', role: 'primary' } }
      if (first !== 'standby') return refuse('role: expected primary or standby')
      return { ...common, kind: 'ask', request: { command: 'role', role: 'standby', primary: values.primary } }
    case 'restore':
      if (first === undefined || first === '') return refuse('restore: expected a file, or latest')
      return { ...common, kind: 'restore', which: first, dryRun: values['dry-run'] ?? false }
    default:
      if (first !== undefined) refuse(`${word}: unexpected ${first}`)
      if (word === 'take-checkpoint') return { ...common, kind: 'take' }
      if (word === 'status' || word === 'checkpoint' || word === 'reload') {
        return { ...common, kind: 'ask', request: { command: word } }
      }
      return refuse(`unknown command ${word}`)
  }
}

const options = {
  root: { type: 'string' },
  json: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  primary: { type: 'string' },
} as const

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true })
  } catch (error) {
    const message = messageOf(error).replace(/\. (?:To specify|This command).*$/s, '')
    throw new NetopsError('usage', { message, hint: 'network_server --help' })
  }
}
