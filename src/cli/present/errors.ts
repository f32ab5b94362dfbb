// Failures as every command shows them, to scripts and to people.
import type { HostAnswer } from '../../fleet/pool.ts'
import { joinOutcomes, messageOf, NetopsError, type Outcome } from '../../model/errors.ts'
import { failureOf, type Failure } from '../../model/failure.ts'

/** What a document says of a failure, with the host and the step where it was. */
export const errorDocument = (error: NetopsError | Failure): Failure => failureOf(error)

/** The field of a host's entry in a document, which says already where it failed; none where nothing did. */
export function errorField(error: NetopsError | undefined): { readonly error?: Failure } {
  if (error === undefined) return {}
  const { code, message, hint, log } = errorDocument(error)
  return { error: failureOf({ code, message, ...(hint && { hint }), ...(log && { log }) }) }
}

/** What a host says in several lines, below its own: none of them can pass for a line about another host. */
export const below = (text: string): string => text.replaceAll('\n', '\n    ')

/** `web1: MESSAGE`, and below it what to do. */
export const errorLines = (
  host: string,
  { message, hint }: Pick<NetopsError, 'message' | 'hint'>,
): readonly string[] => [`${host}: ${below(message)}`, ...(hint === undefined ? [] : [`  hint: ${below(hint)}`])]

/** The end of what a service said, below the failure that it belongs to. */
export const logLines = (failure: Failure | undefined): readonly string[] => {
  const { log = [], host } = failure ?? {}
  const whose = host === undefined ? '' : ` on ${host}`
  return log.length === 0 ? [] : [`the service's log${whose} ends with:`, ...log.map((line) => `  | ${line}`)]
}

/** The failure of a whole command on standard error; from -vv with the stack. */
export function failureLines(thrown: unknown, verbosity: number): readonly string[] {
  const known = thrown instanceof NetopsError ? thrown : undefined
  const where = known?.host === undefined ? 'netops' : `netops: ${known.host}`
  const hint = known === undefined ? 'this is a defect of netops; -vv shows where' : known.hint
  return [
    // What no host says may have lines of its own, such as the places of all problems.
    ...(known?.host === undefined
      ? [`${where}: ${messageOf(thrown)}`, ...(hint === undefined ? [] : [`  hint: ${hint}`])]
      : errorLines(where, { message: messageOf(thrown), hint })),
    ...(verbosity >= 2 && thrown instanceof Error ? [thrown.stack ?? ''] : []),
  ]
}

/** The outcome over hosts of which nothing was changed. */
export const outcomeOfAnswers = (answers: readonly Pick<HostAnswer<unknown>, 'error'>[]): Outcome =>
  joinOutcomes(answers.map(({ error }) => ({ outcome: error?.code ?? 'done', changed: false })))
