// Failures as scripts and people read them.
import { messageOf, NetopsError, type ErrorCode } from '../../model/errors.ts'

/** What documents say of a failure. */
export interface ErrorDocument {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
  readonly host?: string | undefined
  readonly step?: string | undefined
}

/** A failure in a document. @param defectHint the hint where it is a defect of netops */
export function errorDocument(thrown: unknown, defectHint?: string): ErrorDocument {
  if (!(thrown instanceof NetopsError)) return { code: 'failed', message: messageOf(thrown), hint: defectHint }
  const { code, message, hint, host, step } = thrown
  return { code, message, hint, host, step }
}

/** `web1: the host is marked as staging`, and a line below it for what to do. */
export const errorLines = (
  host: string,
  { message, hint }: Pick<NetopsError, 'message' | 'hint'>,
): readonly string[] => [`${host}: ${message}`, ...(hint === undefined ? [] : [`  hint: ${hint}`])]

/** The failure of a whole command on standard error; from -vv with the stack. */
export function failureLines(thrown: unknown, verbosity: number): readonly string[] {
  const known = thrown instanceof NetopsError ? thrown : undefined
  const where = known?.host === undefined ? '' : `${known.host}: `
  const hint = known === undefined ? 'this is a defect of netops; -vv shows where' : known.hint
  return [
    `netops: ${where}${messageOf(thrown)}`,
    ...(hint === undefined ? [] : [`  hint: ${hint}`]),
    ...(verbosity >= 2 && thrown instanceof Error ? [thrown.stack ?? ''] : []),
  ]
}
