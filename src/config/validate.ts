// Checks a YAML text against a schema and its rules, and says everything that is wrong with it at once, each with its place.
import type * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import type { Rule } from '../model/rules.ts'
import { once } from '../model/schema-notes.ts'
import { movedKeys } from '../model/server-config.ts'
import { asYamlReads, expectation, meantValue, oneOf } from './expectation.ts'
import {
  formatPath,
  formatProblems,
  mostProblems,
  nearest,
  showKey,
  showValue,
  visible,
  type Problem,
} from './problems.ts'
import { knownKeys, schemaAt, secretsIn, takesNumbers, valueAt } from './schema-words.ts'
import { readYaml, type Path, type YamlDocument } from './yaml.ts'

export type Checked<T> =
  | {
      readonly value: T
      /** The text as it was read, with the place of each key. */
      readonly document: YamlDocument
    }
  | { readonly problems: readonly Problem[] }

/** Where a value was said: a place in a file, or the name of a variable or an option. */
export type Said = Pick<Problem, 'file' | 'line' | 'column'>

/** A value that takes the place of the file's. */
export interface Override {
  readonly path: Path
  readonly value: unknown
  readonly said: Said
}

export interface CheckOptions<Config = unknown> {
  /** Why a key that the schema does not know has no place there; undefined where it is just unknown. */
  readonly barred?: (path: Path) => string | undefined
  /** Put over the file's values one after the other, and checked by the same schema. */
  readonly overrides?: readonly Override[]
  /** What keys say of each other. */
  readonly rules?: readonly Rule<Config>[]
}

// zod makes functions of a schema first, which takes longer than to go through a text of this length by the schema itself.
const shortText = 16 * 1024

/**
 * Checks a YAML text.
 * @param file the file's name in messages
 * @returns the schema's output, or all problems in the order of the file (a text that is not YAML has just one)
 */
export function checkYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
  options: CheckOptions<z.output<Schema>> = {},
): Checked<z.output<Schema>> {
  const parsed = readYaml(text)
  if ('message' in parsed) return { problems: [{ file, ...parsed.place, path: '', message: parsed.message }] }
  const { document } = parsed
  const { barred = () => undefined, overrides = [], rules = [] } = options
  const secrets = once(() => secretsIn(schema))
  const source: Source = { file, document, secrets, barred, overrides: [], jitless: text.length < shortText }
  // The file by itself first: what is wrong with it is wrong also where something else takes its place.
  const own = findProblems(document.value ?? {}, schema, source)
  const merged = overrides.reduce<unknown>((whole, { path, value }) => withValue(whole, path, value), own.rest)
  const over = { ...source, overrides }
  const joint = overrides.length === 0 ? { problems: [], rest: own.rest } : findProblems(merged, schema, over)
  const problems = [...own.problems, ...joint.problems]
  // What is wrong is left out, so that rules between other keys are told too.
  const settled = schema.safeParse(joint.rest, { jitless: source.jitless })
  if (!settled.success) return { problems: inOrder(problems.length > 0 ? problems : [unforeseen(file)], file) }
  const paths = problems.map(({ path }) => path)
  const broken = rules
    .filter(({ about }) => !about.some((name) => paths.some((path) => overlaps(path, name))))
    .flatMap((rule) => brokenBy(rule, settled.data, { given: joint.rest, schema, source: over }))
  const all = [...problems, ...broken]
  return all.length === 0 ? { value: settled.data, document } : { problems: inOrder(all, file) }
}

/**
 * As {@link checkYaml}, for a text that must be valid.
 * @throws NetopsError `usage` whose message is one line a problem
 */
export function parseYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
  options: CheckOptions<z.output<Schema>> = {},
): z.output<Schema> {
  return valueOf(checkYaml(text, file, schema, options))
}

/**
 * The value of a check that must have succeeded.
 * @throws NetopsError `usage` whose message is one line a problem
 */
export function valueOf<T>(checked: { readonly value: T } | { readonly problems: readonly Problem[] }): T {
  if ('value' in checked) return checked.value
  throw new NetopsError('usage', { message: formatProblems(checked.problems) })
}

interface Source {
  readonly file: string
  readonly document: YamlDocument
  /** Paths whose values no message may show. */
  readonly secrets: () => readonly string[]
  readonly barred: (path: Path) => string | undefined
  readonly overrides: readonly Override[]
  readonly jitless: boolean
}

interface Found {
  readonly problems: readonly Problem[]
  /** The value without what is wrong with it. */
  readonly rest: unknown
}

function findProblems(given: unknown, schema: z.ZodType, source: Source): Found {
  const context: Context = { given, schema, source }
  const ambiguous = source.overrides.length > 0 ? [] : ambiguousNumbers(context)
  const result = schema.safeParse(given, { jitless: source.jitless })
  const issues = result.success ? [] : firstOfEachPath(leafIssues(result.error.issues, []))
  const told = new Set(ambiguous.map(({ path }) => formatPath(path)))
  const wrong = [
    ...ambiguous,
    ...issues
      .filter(({ path }) => !told.has(formatPath(path)))
      .slice(0, mostProblems)
      .flatMap((placed) => problemsOf(placed, context)),
  ]
  return {
    problems: wrong.map(({ problem }) => problem),
    rest: without(
      given,
      wrong.map(({ path }) => path),
    ),
  }
}

/** A problem with the path of what is wrong, to be left out. */
interface Wrong {
  readonly problem: Problem
  readonly path: Path
}

const unforeseen = (file: string): Problem => ({ file, path: '', message: 'not valid' })

/** By file, the main one first; within a file in its order; what has no line comes last. */
function inOrder(problems: readonly Problem[], file: string): readonly Problem[] {
  const files = [...new Set([file, ...problems.map((problem) => problem.file)])]
  return problems.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  )
}

/** Whether one path lies within the other. */
const overlaps = (a: string, b: string): boolean => a === '' || b === '' || a === b || isWithin(a, b) || isWithin(b, a)
const isWithin = (path: string, whole: string): boolean =>
  path.startsWith(whole) && ['.', '['].includes(path[whole.length] ?? '')

/** What a rule says, each with the place of the key that is to change. */
function brokenBy<Config>(rule: Rule<Config>, config: Config, context: Context): readonly Problem[] {
  const { given, source } = context
  return rule.broken(config).map(({ path, message }) => {
    const value = valueAt(given, path)
    const secret = isHidden(source, path, value)
    const cause = rule.about.map((name) => name.split('.')).find((name) => valueAt(given, name) !== undefined)
    const whole =
      value !== undefined
        ? `${message}, not ${secret ? 'the value given' : showValue(value)}`
        : message.startsWith('missing;')
          ? message
          : `${message}; its default does not fit`
    return {
      // What is not given has no place: that of what asks for it.
      ...saidAt(source, value === undefined && cause !== undefined ? cause : path),
      path: formatPath(path),
      message: whole,
      ...(secret ? {} : scalar(value)),
    }
  })
}

/** Numbers that other readers of YAML take for octal: what is meant has to be written so that all agree. */
function ambiguousNumbers({ given, schema, source }: Context): readonly Wrong[] {
  return source.document.octals().flatMap(({ path, text }) => {
    const value = valueAt(given, path)
    if (typeof value !== 'number') return []
    const meant = takesNumbers(schemaAt(schema, path, given)) ? `write ${value}` : `write "${text}" in quotes`
    const message = `${text} is the number ${value} in YAML 1.2 and an octal one in YAML 1.1; ${meant}`
    const shown = isSecret(source, path) ? 'a number that begins with 0; write it in quotes' : message
    const problem = { ...saidAt(source, path), path: formatPath(path), message: shown }
    return [{ path, problem }]
  })
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
    // Among mappings it is the one that knows all keys that were given.
    const knowing = meant.filter((errors) => !errors.some(isOfOtherKeys))
    const [only] = knowing.length === 1 ? knowing : meant
    return only !== undefined && (meant.length === 1 || knowing.length === 1)
      ? leafIssues(only, path)
      : [{ issue, path }]
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

const isOfOtherKeys = (issue: Issue): boolean => issue.path.length === 0 && issue.code === 'unrecognized_keys'

// yaml.org/type/merge.html: of YAML 1.1, and no part of 1.2.
export const mergeKey = '<<'
export const noMerging =
  'merge keys are not read, YAML 1.2 has none; write the keys out, or let an alias stand for a whole value (key: *name)'

interface Context {
  readonly given: unknown
  readonly schema: z.ZodType
  readonly source: Source
}

function problemsOf({ issue, path }: PlacedIssue, context: Context): readonly Wrong[] {
  const { given, schema, source } = context
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schemaAt(schema, path, given), valueAt(given, path))
    const used = new Set(Object.keys(valueAt(given, path) ?? {}))
    const unused = known.filter((name) => !used.has(name))
    return issue.keys.slice(0, mostProblems).map((key): Wrong => {
      const at = [...path, key]
      const bar = source.barred(at) ?? (key === mergeKey ? noMerging : undefined)
      const moved = movedKeys.get(at.slice(-2).join('.'))
      const meant = bar === undefined ? (moved ?? nearest(key, unused) ?? nearest(key, known)) : undefined
      const problem = {
        file: source.file,
        ...source.document.placeOfKey(at),
        path: formatPath(at),
        message:
          bar ?? (meant === undefined && known.length > 0 ? `unknown key; expected ${oneOf(known)}` : 'unknown key'),
        ...(meant === undefined ? {} : { suggestion: showKey(meant) }),
      }
      return { problem, path: at }
    })
  }
  if (issue.code === 'invalid_key') {
    const reason = issue.issues[0]?.message ?? ''
    const expected = reason.startsWith('expected ') ? reason : 'expected another key'
    const name = String(path.at(-1))
    const message = name === mergeKey ? (source.barred(path) ?? noMerging) : `${expected}, not ${showValue(name)}`
    const place = source.document.placeOfKey(path)
    return [{ problem: { file: source.file, ...place, path: formatPath(path), message, value: name }, path }]
  }
  const value = valueAt(given, path)
  const wanted = schemaAt(schema, path, given)
  const expected = expectation(issue, wanted)
  const secret = isHidden(source, path, value)
  const shown = secret ? 'the value given' : `${showValue(value)}${asYamlReads(value, wanted)}`
  const meant = typeof value === 'string' && !secret ? meantValue(value, wanted) : undefined
  const problem = {
    ...saidAt(source, path),
    path: formatPath(path),
    message: value === undefined ? `missing; ${expected}` : `${expected}, not ${shown}`,
    ...(secret ? {} : scalar(value)),
    ...(meant === undefined ? {} : { suggestion: visible(meant) }),
  }
  return [{ problem, path }]
}

const scalar = (value: unknown): Pick<Problem, 'value'> =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? { value }
    : {}

/** Whether a value may be a secret; of a list or a mapping only that it is one is told. */
const isHidden = (source: Source, path: Path, value: unknown): boolean =>
  typeof value !== 'object' && isSecret(source, path)

const isSecret = (source: Source, path: Path): boolean => source.secrets().some((pattern) => touches(pattern, path))

/** Where a value was said: by the last override that touches it, else at its place in the file. */
const saidAt = (source: Source, path: Path): Said => {
  const override = source.overrides.findLast((one) => overlaps(formatPath(one.path), formatPath(path)))
  return override === undefined ? { file: source.file, ...source.document.placeOfValue(path) } : override.said
}

/** Whether a path is a secret, lies within one, or holds one. */
const touches = (pattern: string, path: Path): boolean => {
  const parts = pattern.split('.')
  return path.slice(0, parts.length).every((name, index) => parts[index] === '*' || parts[index] === String(name))
}

/** The same value with another one at a path; sections that are not there are made. */
export function withValue(whole: unknown, path: Path, value: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return value
  const next = withValue(valueAt(whole, [name]), rest, value)
  return Array.isArray(whole)
    ? whole.map((item: unknown, index) => (index === name ? next : item))
    : { ...(whole as object | null | undefined), [name]: next }
}

/** The same value without what is at these paths; a list loses itself rather than an item. */
function without(whole: unknown, paths: readonly Path[]): unknown {
  if (paths.length === 0) return whole
  if (
    typeof whole !== 'object' ||
    whole === null ||
    Array.isArray(whole) ||
    paths.some(([name]) => name === undefined)
  ) {
    return undefined
  }
  const below = new Map<string, Path[]>()
  for (const [name, ...rest] of paths) {
    const known = below.get(String(name))
    if (known === undefined) below.set(String(name), [rest])
    else known.push(rest)
  }
  const kept = Object.entries(whole).flatMap(([name, value]: [string, unknown]): [string, unknown][] => {
    const left = without(value, below.get(name) ?? [])
    return below.has(name) && left === undefined ? [] : [[name, left]]
  })
  return Object.fromEntries(kept)
}
