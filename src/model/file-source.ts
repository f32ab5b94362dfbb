// Where the content of a placed file comes from: named in plans and journals, while the content itself never is.
import * as z from 'zod'
import { absolutePath } from './path-values.ts'
import { expects, key } from './schema-notes.ts'

const word = z.string().min(1)

export const argv = expects(z.array(word).min(1).readonly(), 'a command as a list of words')

const variable = expects(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of a variable'),
  'the name of a variable',
)

const sourceWords = 'one of file, env and command'

export const fileSource = expects(
  z.union([
    z.strictObject({ file: key(word, 'A file of this machine, relative to the fleet file.') }),
    z.strictObject({ env: key(variable, 'An environment variable of this machine.') }),
    z.strictObject({ command: key(argv, 'A command of this machine that prints it, as UTF-8 text.') }),
  ]),
  sourceWords,
)

/** A secret that each host reads for itself. */
export const hostSource = expects(
  z.union([
    z.strictObject({ file: key(absolutePath, 'A file of the host that only its owner may read.') }),
    z.strictObject({ env: key(variable, 'A variable of whatever starts netops on the host.') }),
    z.strictObject({ command: key(argv, 'A command of the host that prints it.') }),
  ]),
  sourceWords,
)
export type FileSource = z.infer<typeof fileSource>

/** A source in words, without what it holds: `the variable TLS_KEY`. */
export function describeSource(source: FileSource): string {
  if ('file' in source) return source.file
  return 'env' in source ? `the variable ${source.env}` : `the output of ${source.command.join(' ')}`
}
