// Every key of network_server's configuration as one table, read from the schema: names, variables, defaults, secrets.
import * as z from 'zod'
import { parseJson } from '../model/json.ts'
import { aboutOf, notesOf, once, type KeyNotes } from '../model/schema-notes.ts'
import { serverSections } from '../model/server-config.ts'
import { defaultOf, innermost, takesNumbers, isBoolean } from './schema-words.ts'

export interface ServerKey extends KeyNotes {
  readonly section: string
  readonly name: string
  /** `server.port` */
  readonly path: string
  readonly schema: z.ZodType
  readonly about: string
  /** As it would be written in the file; undefined where nothing stands in. */
  readonly default: unknown
  /** `NETWORK_SERVER_PORT`, and the guide's own name where it has one. */
  readonly variables: readonly string[]
}

/** All keys, in the order of the schema. */
export const serverKeys: () => readonly ServerKey[] = once(() =>
  Object.entries(serverSections).flatMap(([section, schema]) => {
    const inner = innermost(schema)
    const shape = inner instanceof z.ZodObject ? inner.shape : {}
    return Object.entries(shape as Record<string, z.ZodType>).map(([name, key]): ServerKey => {
      const notes = notesOf(key)
      const plain = `NETWORK_${section}_${name}`.toUpperCase()
      return {
        ...notes,
        section,
        name,
        path: `${section}.${name}`,
        schema: key,
        about: aboutOf(key),
        default: defaultOf(key),
        variables: [...new Set([plain, ...(notes.variable === undefined ? [] : [notes.variable])])],
      }
    })
  }),
)

/** All variables that network_server reads besides the one that names the release. */
export const serverVariables = (): readonly string[] => serverKeys().flatMap(({ variables }) => variables)

/**
 * Text of a variable or an option as a value: numbers, true and false, lists with commas, and other lists as JSON. A text
 * that is none of what its key takes is left as it is, for the check to say so.
 */
export function readAs({ schema }: ServerKey, text: string): unknown {
  if (isBoolean(schema)) return text === 'true' ? true : text === 'false' ? false : text
  if (takesNumbers(schema)) return /^-?\d{1,15}$/.test(text) ? Number(text) : text
  const inner = innermost(schema)
  if (!(inner instanceof z.ZodArray)) return text
  if (innermost(inner.element) instanceof z.ZodString) return text.split(',').map((item) => item.trim())
  const value = parseJson(text)
  // Not JSON: the check will say that it expects a list.
  return value === undefined ? text : value
}
