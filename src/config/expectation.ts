// What stands behind `expected`, and what was probably meant: the words of a problem for one value.
import type * as z from 'zod'
import { nearest } from './problems.ts'
import { describeSchema, guessed, isBoolean, namedValues, takesNumbers } from './schema-words.ts'

/** `expected ...`: a schema's own message where it has one, else derived from the schema. */
export const expectation = (issue: z.core.$ZodIssue, schema: unknown): string => {
  if (issue.message.startsWith('expected ')) return issue.message
  if (schema === undefined) return 'expected another value'
  if (issue.code === 'too_small' && issue.origin !== 'number') {
    return `expected ${ofKind(issue.origin, schema)} with at least ${count(issue.minimum, issue.origin)}`
  }
  if (issue.code === 'too_big' && issue.origin !== 'number') {
    return `expected ${ofKind(issue.origin, schema)} with at most ${count(issue.maximum, issue.origin)}`
  }
  if (issue.code === 'custom' || issue.code === 'invalid_format') return `expected something else (${issue.message})`
  return `expected ${describeSchema(schema)}`
}

/** What was measured, where alternatives could be described by another kind. */
const ofKind = (origin: string, schema: unknown): string => {
  const words = describeSchema(schema)
  return origin === 'array' && words === 'text' ? 'a list' : words
}

const count = (amount: number | bigint, of: string): string => {
  const unit = of === 'string' ? 'character' : 'item'
  return `${amount} ${unit}${Number(amount) === 1 ? '' : 's'}`
}

/** What a text was probably meant to be. */
export const meantValue = (value: string, schema: unknown): string | undefined => {
  if (isBoolean(schema)) return booleans.get(value.toLowerCase())
  const guess = guessed(schema, value)
  if (guess !== undefined) return guess
  const named = nearest(value, namedValues(schema))
  if (named !== undefined) return named
  if (!takesNumbers(schema)) return undefined
  if (/^\d+$/.test(value)) return `${value} without quotes`
  return /^\d{1,3}(?:_\d{3})+$/.test(value) ? `${value.replaceAll('_', '')} without underscores` : undefined
}

// What YAML 1.1 took for booleans (yaml.org/type/bool.html), and those of 1.2 in quotes.
const booleans: ReadonlyMap<string, string> = new Map([
  ...['on', 'yes', 'y'].map((word) => [word, 'true'] as const),
  ...['off', 'no', 'n'].map((word) => [word, 'false'] as const),
  ['true', 'true without quotes'],
  ['false', 'false without quotes'],
])

/** Why a word is not what it looks like. */
export const asYamlReads = (value: unknown, schema: unknown): string =>
  typeof value === 'string' && isBoolean(schema) && /^(?:on|off|yes|no|y|n)$/i.test(value)
    ? ', which is text in YAML 1.2'
    : ''

/** Several names as `one of a, b`, each once. */
export const oneOf = (names: readonly string[]): string => {
  const distinct = [...new Set(names)]
  return distinct.length === 1 ? (distinct[0] ?? '') : `one of ${distinct.join(', ')}`
}
