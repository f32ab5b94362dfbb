// What a schema's keys mean beyond their type: kept beside the schema itself, so that messages, documents and editors say the same.
import * as z from 'zod'

/** What a text that does not fit was probably meant to be, in the words of `did you mean ...?`. */
export type Meant = (given: string) => string | undefined

/** The words of a message for what a value must look like: `an absolute path`. */
const wording = z.registry<{ readonly expects: string; readonly meant: Meant | undefined }>()

/** Says in words what a schema expects, where its type alone does not tell. */
export function expects<Schema extends z.ZodType>(schema: Schema, words: string, meant?: Meant): Schema {
  // A copy: the same schema may be expected in other words elsewhere.
  const copy = schema.clone()
  wording.add(copy, { expects: words, meant })
  return copy
}

/** What {@link expects} said of this very schema. */
export const expectedBy = (schema: z.ZodType): string | undefined => wording.get(schema)?.expects

/** How {@link expects} guesses what was meant. */
export const guessOf = (schema: z.ZodType): Meant | undefined => wording.get(schema)?.meant

export interface KeyNotes {
  /** Its value is never shown: not in output, messages or journals. */
  readonly secret?: true
  /** The guide's own name for its environment variable, beside `NETWORK_<SECTION>_<KEY>`. */
  readonly variable?: string
  /** What the server does although this key is set; absent where the key is in effect. */
  readonly pending?: string
  /** The default, where it depends on other keys: in words. */
  readonly otherwise?: string
}

const notes = z.registry<KeyNotes>()

/**
 * A key of a configuration file with what it is for.
 * @param about one or two sentences, with the unit and the source of a default
 */
export function key<Schema extends z.ZodType>(schema: Schema, about: string, more: KeyNotes = {}): Schema {
  const described = schema.meta({ description: about, ...(more.secret === true ? { writeOnly: true } : {}) })
  notes.add(described, more)
  return described
}

export const notesOf = (schema: z.ZodType): KeyNotes => notes.get(schema) ?? {}
export const aboutOf = (schema: z.ZodType): string => schema.meta()?.description ?? ''

/** What is made when it is first needed, and then kept. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
