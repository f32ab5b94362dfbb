// What a schema expects, in words, and which keys it knows: read from the zod schema, so that messages cannot drift from it.
import * as z from 'zod'
import { expectedBy, guessOf, notesOf } from '../model/schema-notes.ts'
import type { Path } from './yaml.ts'

/** `a whole number from 1 to 65535`, `true or false`, `one of console, file, syslog`. */
export function describeSchema(schema: unknown): string {
  const described = layers(schema)
    .map(expectedBy)
    .find((words) => words !== undefined)
  if (described !== undefined) return described
  const inner = unwrap(schema)
  if (inner instanceof z.ZodUnion) return joinWords(inner.options.map(describeSchema))
  if (inner instanceof z.ZodEnum) return choice(Object.values(inner.enum).map(String))
  if (inner instanceof z.ZodLiteral) return choice([...inner.values].map(String))
  if (inner instanceof z.ZodBoolean) return 'true or false'
  if (inner instanceof z.ZodNumber) return describeNumber(inner)
  if (inner instanceof z.ZodString) return 'text'
  if (inner instanceof z.ZodArray || inner instanceof z.ZodTuple) return 'a list'
  if (inner instanceof z.ZodObject || inner instanceof z.ZodRecord) return 'a mapping'
  if (inner instanceof z.ZodNull) return 'nothing'
  return 'another value'
}

/** The values that a schema names one by one, for guessing what was meant. */
export function namedValues(schema: unknown): readonly string[] {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodUnion) return inner.options.flatMap(namedValues)
  if (inner instanceof z.ZodEnum) return Object.values(inner.enum).map(String)
  if (inner instanceof z.ZodLiteral) return [...inner.values].map(String)
  return []
}

/** What a text was probably meant to be where a schema has its own way to guess. */
export const guessed = (schema: unknown, given: string): string | undefined =>
  layers(schema)
    .map((layer) => guessOf(layer)?.(given))
    .find((meant) => meant !== undefined)

/** The paths of all keys that are secret, with `*` for any name or index: `hosts.*.ssh.become_password`. */
export function secretsIn(schema: unknown, path: readonly string[] = []): readonly string[] {
  if (layers(schema).some((layer) => notesOf(layer).secret === true)) return [path.join('.')]
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([name, child]) => secretsIn(child, [...path, name]))
  }
  if (inner instanceof z.ZodUnion) return [...new Set(inner.options.flatMap((option) => secretsIn(option, path)))]
  if (inner instanceof z.ZodRecord) return secretsIn(inner.valueType, [...path, '*'])
  return inner instanceof z.ZodArray ? secretsIn(inner.element, [...path, '*']) : []
}

/** Whether a schema wants true or false and nothing else. */
export const isBoolean = (schema: unknown): boolean => unwrap(schema) instanceof z.ZodBoolean

/** Whether a number can be what a schema wants. */
export function takesNumbers(schema: unknown): boolean {
  const inner = unwrap(schema)
  return inner instanceof z.ZodUnion ? inner.options.some(takesNumbers) : inner instanceof z.ZodNumber
}

/** What stands in for a key that is not given, as it would be written; undefined where nothing does. */
export function defaultOf(schema: unknown): unknown {
  const layer = layers(schema).find((one) => one instanceof z.ZodDefault || one instanceof z.ZodPrefault)
  return layer instanceof z.ZodDefault || layer instanceof z.ZodPrefault ? layer.def.defaultValue : undefined
}

/** The schema that looks at the value as given: without defaults, optionality and transformations around it. */
export const innermost = (schema: unknown): unknown => unwrap(schema)

/** The keys that a schema knows, among alternatives those of what was given; none where any key is allowed. */
export function knownKeys(schema: unknown, given: unknown): readonly string[] {
  const inner = unwrap(schema)
  const meant = inner instanceof z.ZodDiscriminatedUnion ? meantOption(inner, given) : undefined
  if (meant !== undefined) return knownKeys(meant, given)
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => knownKeys(option, given))
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}

/**
 * The part of a schema that is in force at a path, choosing among alternatives by what was given there.
 * @returns undefined where the schema does not reach that far
 */
export function schemaAt(schema: unknown, path: Path, given: unknown): unknown {
  const inner = unwrap(schema)
  const [name, ...rest] = path
  if (name === undefined) return schema
  if (inner instanceof z.ZodDiscriminatedUnion) {
    const key = inner.def.discriminator
    const fits = meantOption(inner, given)
    if (fits !== undefined) return schemaAt(fits, path, given)
    // Without a discriminator that fits, only the discriminator itself can be described: by all its values.
    return name === key ? z.union(inner.options.map((option) => childSchema(option, key) as z.ZodType)) : undefined
  }
  if (inner instanceof z.ZodUnion) {
    return inner.options.map((option) => schemaAt(option, path, given)).find((found) => found !== undefined)
  }
  const next = childSchema(inner, name)
  return next === undefined ? undefined : schemaAt(next, rest, child(given, name))
}

/** The alternative whose discriminator has the value that was given. */
const meantOption = (union: z.ZodDiscriminatedUnion, given: unknown): unknown => {
  const key = union.def.discriminator
  return union.options.find((option) => namedValues(childSchema(option, key)).includes(String(child(given, key))))
}

/** What was given at a path, or undefined. */
export const valueAt = (given: unknown, path: Path): unknown => path.reduce(child, given)

const child = (given: unknown, name: string | number): unknown =>
  typeof given === 'object' && given !== null && Object.hasOwn(given, name)
    ? (given as Record<string | number, unknown>)[name]
    : undefined

const childSchema = (schema: unknown, name: string | number): unknown => {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) return Object.hasOwn(inner.shape, name) ? inner.shape[name] : undefined
  if (inner instanceof z.ZodArray) return inner.element
  if (inner instanceof z.ZodRecord) return inner.valueType
  if (inner instanceof z.ZodTuple) return inner.def.items[Number(name)]
  return undefined
}

/** The schema that looks at the value as given: without defaults, optionality and transformations around it. */
const unwrap = (schema: unknown): unknown => layers(schema).at(-1)

/** A schema and what it wraps, from the outside to the schema that looks at the value as given. */
function layers(schema: unknown): readonly z.ZodType[] {
  const found: z.ZodType[] = []
  for (let current = schema; current instanceof z.ZodType; current = wrapped(current)) found.push(current)
  return found
}

function wrapped(schema: z.ZodType): unknown {
  if (schema instanceof z.ZodPipe) return schema.in instanceof z.ZodTransform ? schema.out : schema.in
  if (schema instanceof z.ZodLazy) return schema.def.getter()
  const wraps =
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodCatch ||
    schema instanceof z.ZodNonOptional
  return wraps ? schema.def.innerType : undefined
}

function describeNumber(number: z.ZodNumber): string {
  const kind = number.format?.includes('int') === true ? 'a whole number' : 'a number'
  const least = bound(number.minValue)
  const most = bound(number.maxValue)
  if (least !== undefined && most !== undefined) return `${kind} from ${least} to ${most}`
  if (least !== undefined) return `${kind} of at least ${least}`
  return most === undefined ? kind : `${kind} of at most ${most}`
}

const bound = (value: number | null): number | undefined =>
  value === null || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? undefined : value

const choice = (values: readonly string[]): string =>
  values.length === 1 ? (values[0] ?? '') : `one of ${values.join(', ')}`

const joinWords = (words: readonly string[]): string => {
  const distinct = [...new Set(words)]
  return distinct.length < 3 ? distinct.join(' or ') : `${distinct.slice(0, -1).join(', ')} or ${distinct.at(-1) ?? ''}`
}
