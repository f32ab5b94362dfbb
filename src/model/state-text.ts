// Texts of netops' own state files: what is wrong with one is told with its name and what to do about it.
import type * as z from 'zod'
import { NetopsError } from './errors.ts'
import { parseJson } from './json.ts'
import { quoteCommand } from './quote.ts'

/** Where a text comes from, and what can be done where it is not what netops writes. */
export interface StateSource {
  readonly path: string
  readonly host?: string | undefined
  /** The next command to run where it is damaged. */
  readonly hint: string
}

/** The command that puts a file or folder aside, where nothing better helps. */
export const putAside = (path: string): string => `put it aside: ${quoteCommand(['mv', '--', path, `${path}.aside`])}`

/**
 * The value that a state file holds.
 * @throws NetopsError `damaged` for a text that netops does not write, `refused` for one of a netops that knows more
 */
export function parseState<T>(schema: z.ZodType<T>, text: string, { path, host, hint }: StateSource): T {
  const value = parseJson(text)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  if (isNewer(value, parsed.error.issues)) {
    throw new NetopsError('refused', {
      host,
      message: `${path} was written by a netops that this one does not understand`,
      hint: `use the newer netops; or ${hint}`,
    })
  }
  throw damagedState({ path, host, hint }, faultOf(text, value, parsed.error.issues))
}

/**
 * The text of a state file, however it is read; what lies in its place or a broken disk is told as its damage.
 * @param read what reads a file's text; it throws `failed` where there is something that it cannot read
 */
export async function readStateBy(
  source: StateSource,
  read: (path: string) => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await read(source.path)
  } catch (error) {
    if (!(error instanceof NetopsError) || error.code !== 'failed' || !unreadable.test(error.message)) throw error
    throw damagedState(source, error.message.replace(`cannot read ${source.path}: `, ''), error)
  }
}

// As Node and as coreutils say it (errno(3)).
const unreadable = /EISDIR|EIO|ELOOP|Is a directory|Input\/output error|Too many levels of symbolic links/

/** What is thrown where a state file is not what it should be. */
export const damagedState = ({ path, host, hint }: StateSource, fault: string, cause?: unknown): NetopsError =>
  new NetopsError('damaged', { host, message: `${path} is damaged: ${fault}`, hint, cause })

/** Another schema, or keys beside those that are known: all else is as it should be. */
function isNewer(value: unknown, issues: readonly z.core.$ZodIssue[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  const schema = 'schema' in value ? value.schema : undefined
  if (typeof schema !== 'string' || !schema.startsWith('netops/')) return false
  return issues.every((issue) => issue.code === 'unrecognized_keys' || issue.path[0] === 'schema')
}

function faultOf(text: string, value: unknown, issues: readonly z.core.$ZodIssue[]): string {
  if (text === '') return 'it is empty'
  if (value === undefined) return 'it is cut off, or no JSON'
  const [issue] = issues
  const place = issue?.path.map(String).join('.') ?? ''
  return `${place === '' ? 'it' : place} is not what netops writes there`
}
