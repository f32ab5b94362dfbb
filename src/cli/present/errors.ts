// Failures as scripts and people read them.
import { messageOf, NetopsError } from '../../model/errors.ts'
import { failureOf, type Failure } from '../../model/failure.ts'

/**
 * A failure in a document.
 * @param defectHint what to do where it is no failure that netops knows, but a defect of it
 */
export function errorDocument(thrown: unknown, defectHint?: string): Failure {
  if (thrown instanceof NetopsError) return failureOf(thrown)
  return { code: 'failed', message: messageOf(thrown), ...(defectHint === undefined ? {} : { hint: defectHint }) }
}

/** A failure in the entry of its host, which says where it was; nothing where there is none. */
export function hostError(error: NetopsError | undefined): { readonly error?: Failure } {
  if (error === undefined) return {}
  const { code, message, hint } = errorDocument(error)
  return { error: { code, message, ...(hint === undefined ? {} : { hint }) } }
}

/** `web1: the host is marked as staging`, and below it what to do. */
export const errorLines = (
  host: string,
  { message, hint }: Pick<NetopsError, 'message' | 'hint'>,
): readonly string[] => [`${host}: ${message}`, ...(hint === undefined ? [] : [`  hint: ${hint}`])]

/** The failure of a whole command on standard error; from -vv with the stack. */
export function failureLines(thrown: unknown, verbosity: number): readonly string[] {
  const known = thrown instanceof NetopsError ? thrown : undefined
  const where = known?.host === undefined ? 'netops' : `netops: ${known.host}`
  const hint = known === undefined ? 'this is a defect of netops; -vv shows where' : known.hint
  return [
    ...errorLines(where, { message: messageOf(thrown), hint }),
    ...(verbosity >= 2 && thrown instanceof Error ? [thrown.stack ?? ''] : []),
  ]
}
