// Checks a YAML text against a schema and says everything that is wrong with it at once, each with its place.
import type { z } from 'zod'
import { NetopsError } from '../model/errors.ts'
import { formatPath, formatProblems, nearest, showKey, showValue, type Problem } from './problems.ts'
import { describeSchema, knownKeys, namedValues, schemaAt, valueAt } from './schema-words.ts'
import { readYaml, type Path, type YamlDocument } from './yaml.ts'

export type Checked<T> = { readonly value: T } | { readonly problems: readonly Problem[] }

/** A value that takes the place of the file's. */
export interface Override {
  readonly path: Path
  readonly value: unknown
  /** Where it comes from, as a message names it: `NETWORK_SERVER_PORT`. */
  readonly origin: string
}

export interface CheckOptions {
  /** Paths whose values no message may show; `*` stands for any one key or index: `notify.*.password`. */
  readonly secrets?: readonly string[]
  /** Checked by the same schema after the file by itself has been found valid. */
  readonly overrides?: readonly Override[]
}

/**
 * Checks a YAML text.
 * @param file the file's name in messages
 * @returns the schema's output, or all problems in the order of the file (a text that is not YAML has just one)
 */
export function checkYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
  options: CheckOptions = {},
): Checked<z.output<Schema>> {
  const parsed = readYaml(text)
  if ('message' in parsed) return { problems: [{ file, ...parsed.place, path: '', message: parsed.message }] }
  const overrides = options.overrides ?? []
  const given = parsed.document.value ?? {}
  const source: Source = { file, document: parsed.document, secrets: options.secrets ?? [], overrides: [] }
  const byItself = checkValue(given, schema, source)
  if ('problems' in byItself || overrides.length === 0) return byItself
  const merged = overrides.reduce<unknown>((whole, { path, value }) => withValue(whole, path, value), given)
  return checkValue(merged, schema, { ...source, overrides })
}

/**
 * As {@link checkYaml}, for a text that must be valid.
 * @throws NetopsError `usage` whose message is one line a problem
 */
export function parseYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
  options: CheckOptions = {},
): z.output<Schema> {
  return valueOf(checkYaml(text, file, schema, options))
}

/**
 * The value of a check that must have succeeded.
 * @throws NetopsError `usage` whose message is one line a problem
 */
export function valueOf<T>(checked: Checked<T>): T {
  if ('value' in checked) return checked.value
  throw new NetopsError('usage', { message: formatProblems(checked.problems) })
}

interface Source {
  readonly file: string
  readonly document: YamlDocument
  readonly secrets: readonly string[]
  readonly overrides: readonly Override[]
}

function checkValue<Schema extends z.ZodType>(
  given: unknown,
  schema: Schema,
  source: Source,
): Checked<z.output<Schema>> {
  const result = schema.safeParse(given)
  if (result.success) return { value: result.data }
  const issues = firstOfEachPath(leafIssues(result.error.issues, []))
  const problems = issues.flatMap((issue) => problemsOf(issue, { given, schema, source }))
  return { problems: problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)) }
}

type Issue = z.core.$ZodIssue

interface PlacedIssue {
  readonly issue: Issue
  readonly path: Path
}

/** Issues with whole paths; where alternatives failed, those of the one alternative that was evidently meant. */
function leafIssues(issues: readonly Issue[], base: Path): readonly PlacedIssue[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
    if (issue.code !== 'invalid_union') return [{ issue, path }]
    const meant = issue.errors.filter((errors) => !errors.some((error) => isOfOtherKind(error)))
    const [only] = meant
    return only !== undefined && meant.length === 1 ? leafIssues(only, path) : [{ issue, path }]
  })
}

/** A value that is wrong in its kind is also too short, too large and so on: one reason is enough. */
function firstOfEachPath(placed: readonly PlacedIssue[]): readonly PlacedIssue[] {
  const seen = new Set<string>()
  return placed.filter(({ issue, path }) => {
    if (issue.code === 'unrecognized_keys') return true
    const key = JSON.stringify(path)
    const first = !seen.has(key)
    seen.add(key)
    return first
  })
}

/** Whether an alternative failed as a whole: the value is not even of its kind. */
const isOfOtherKind = (issue: Issue): boolean =>
  issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')

interface Context {
  readonly given: unknown
  readonly schema: z.ZodType
  readonly source: Source
}

function problemsOf({ issue, path }: PlacedIssue, context: Context): readonly Problem[] {
  const { given, schema, source } = context
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schemaAt(schema, path, given), valueAt(given, path))
    const used = Object.keys(valueAt(given, path) ?? {})
    return issue.keys.map((key) => {
      const unused = known.filter((name) => !used.includes(name))
      const meant = nearest(key, unused) ?? nearest(key, known)
      return {
        file: source.file,
        ...source.document.placeOfKey([...path, key]),
        path: formatPath([...path, key]),
        message: meant === undefined && known.length > 0 ? `unknown key; expected ${oneOf(known)}` : 'unknown key',
        ...(meant === undefined ? {} : { suggestion: showKey(meant) }),
      }
    })
  }
  if (issue.code === 'invalid_key') {
    const reason = issue.issues[0]?.message ?? ''
    const expected = reason.startsWith('expected ') ? reason : 'expected another key'
    const name = String(path.at(-1))
    return [
      {
        file: source.file,
        ...source.document.placeOfKey(path),
        path: formatPath(path),
        message: `${expected}, not ${showValue(name)}`,
        value: name,
      },
    ]
  }
  const value = valueAt(given, path)
  const expected = expectation(issue, schemaAt(schema, path, given))
  const missing = value === undefined
  const secret = source.secrets.some((pattern) => touches(pattern, path))
  const shown = secret ? 'the value given' : showValue(value)
  const meant = typeof value === 'string' && !secret ? meantValue(value, schemaAt(schema, path, given)) : undefined
  return [
    {
      ...origin(source, path),
      path: formatPath(path),
      message: missing ? `missing; ${expected}` : `${expected}, not ${shown}`,
      ...(secret ? {} : scalar(value)),
      ...(meant === undefined ? {} : { suggestion: meant }),
    },
  ]
}

const scalar = (value: unknown): Pick<Problem, 'value'> =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? { value }
    : {}

/** Where a value comes from: a variable of the environment, or a place in the file. */
const origin = (source: Source, path: Path): Pick<Problem, 'file' | 'line' | 'column'> => {
  const override = source.overrides.find((one) => formatPath(one.path) === formatPath(path))
  return override === undefined
    ? { file: source.file, ...source.document.placeOfValue(path) }
    : { file: override.origin }
}

/** `expected ...`: a schema's own message where it has one, else derived from the schema. */
const expectation = (issue: Issue, schema: unknown): string => {
  if (issue.message.startsWith('expected ')) return issue.message
  if (schema === undefined) return 'expected another value'
  if (issue.code === 'too_small' && issue.origin !== 'number') {
    return `expected ${describeSchema(schema)} with at least ${count(issue.minimum, issue.origin)}`
  }
  if (issue.code === 'too_big' && issue.origin !== 'number') {
    return `expected ${describeSchema(schema)} with at most ${count(issue.maximum, issue.origin)}`
  }
  if (issue.code === 'custom' || issue.code === 'invalid_format') return `expected something else (${issue.message})`
  return `expected ${describeSchema(schema)}`
}

const count = (amount: number | bigint, of: string): string => {
  const unit = of === 'string' ? 'character' : 'item'
  return `${amount} ${unit}${Number(amount) === 1 ? '' : 's'}`
}

const meantValue = (value: string, schema: unknown): string | undefined => {
  const named = nearest(value, namedValues(schema))
  if (named !== undefined) return named
  const words = describeSchema(schema)
  return /^\d+$/.test(value) && words.includes('number') ? `${value} without quotes` : undefined
}

const oneOf = (names: readonly string[]): string => {
  const distinct = [...new Set(names)]
  return distinct.length === 1 ? (distinct[0] ?? '') : `one of ${distinct.join(', ')}`
}

/** Whether a path is a secret, lies within one, or holds one. */
const touches = (pattern: string, path: Path): boolean => {
  const parts = pattern.split('.')
  return path.slice(0, parts.length).every((name, index) => parts[index] === '*' || parts[index] === String(name))
}

/** The same value with another one at a path; sections that are not there are made. */
function withValue(whole: unknown, path: Path, value: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value
  const next = withValue(valueAt(whole, [name]), rest, value)
  return Array.isArray(whole)
    ? whole.map((item: unknown, index) => (index === name ? next : item))
    : { ...(whole as object | null | undefined), [name]: next }
}
