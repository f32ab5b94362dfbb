// What is wrong with a configuration: as data, and as the lines that people read.
import { byUnicode, unsafe } from '../model/escape.ts'
import type { Path } from '../model/rules.ts'

export interface Problem {
  /** The file's name as the user gave it, or the environment variable that holds the value. */
  readonly file: string
  /** From 1; absent where the value does not come from a file. */
  readonly line?: number
  readonly column?: number
  /** `logging.outputs[1].level`; empty for the document itself. */
  readonly path: string
  readonly message: string
  /** What was given, unless it is missing, a whole section, or secret. */
  readonly value?: string | number | boolean | null
  /** What was probably meant. */
  readonly suggestion?: string
}

/** `config.yaml:3:3 server.max_conections: unknown key; did you mean max_connections?` */
function formatProblem(problem: Problem): string {
  const place = problem.line === undefined ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`
  const subject = problem.path === '' ? place : `${place} ${problem.path}`
  const suggestion = problem.suggestion === undefined ? '' : `; did you mean ${problem.suggestion}?`
  return `${subject}: ${problem.message}${suggestion}`
}

// A file in which everything is wrong is most likely the wrong file: its first lines say so.
const mostLines = 100

/** So many problems of a file are looked into: each costs time, and nobody reads more. */
export const mostProblems = 1000

/** All problems, one a line, in the order of the file. */
export function formatProblems(problems: readonly Problem[]): string {
  const lines = problems.slice(0, mostLines).map(formatProblem)
  const more = problems.length - mostLines
  if (more > 0) lines.push(`and ${problems.length >= mostProblems ? 'at least ' : ''}${more} more problems`)
  return lines.join('\n')
}

/** `logging.outputs[1].level`, with keys that are not plain words in quotes. */
export function formatPath(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`
      const name = showKey(part)
      return index === 0 ? name : `.${name}`
    })
    .join('')
}

export const showKey = (key: string): string => (/^[\w./@-]{1,60}$/.test(key) ? key : quote(key))

/** A given value in a message: short, on one line, and without characters that change what a terminal shows. */
export function showValue(value: unknown): string {
  if (value === null || value === undefined) return 'an empty value'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'string') return quote(value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : 'a mapping'
}

/** Text of others on one line, with nothing in it that changes what a terminal shows. */
export const visible = (text: string): string => {
  const short = text.length > 200 ? `${text.slice(0, 197)}...` : text
  return short.toWellFormed().replace(unsafe.c0, byUnicode).replace(unsafe.inJson, byUnicode)
}

const quote = (text: string): string => {
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return JSON.stringify(short.toWellFormed()).replace(unsafe.inJson, byUnicode)
}

/**
 * The candidate that was probably meant: the same but for case, or few typing errors away.
 * @returns undefined when none is near enough to be worth guessing
 */
export function nearest(given: string, candidates: readonly string[]): string | undefined {
  if (given.length > 60) return undefined
  const scored = candidates
    .map((candidate) => ({ candidate, distance: typingErrors(given.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = scored[0]
  return best !== undefined && best.distance <= Math.max(1, Math.floor(best.candidate.length / 3))
    ? best.candidate
    : undefined
}

/** Optimal string alignment distance: letters added, left out, replaced, or swapped with their neighbour. */
function typingErrors(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Infinity
      current.push(Math.min(replaced, swapped, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    before = previous
    previous = current
  }
  return previous[b.length] ?? 0
}
