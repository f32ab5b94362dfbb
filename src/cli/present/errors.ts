// A host's failure as every command shows it, to scripts and to people.
import type { HostAnswer } from '../../fleet/pool.ts'
import { joinOutcomes, type NetopsError, type Outcome } from '../../model/errors.ts'

/** What a document says of a host on which something failed. */
export const errorDocument = ({ code, message, hint }: NetopsError) => ({ code, message, hint })

/** As fields of a host's entry in a document; none where nothing failed. */
export const errorField = (error: NetopsError | undefined) =>
  error === undefined ? {} : { error: errorDocument(error) }

/** `web1: MESSAGE`, and below it what to do. */
export const errorLines = (host: string, { message, hint }: NetopsError): readonly string[] => [
  `${host}: ${message}`,
  ...(hint === undefined ? [] : [`  hint: ${hint}`]),
]

/** The outcome over hosts of which nothing was changed. */
export const outcomeOfAnswers = (answers: readonly Pick<HostAnswer<unknown>, 'error'>[]): Outcome =>
  joinOutcomes(answers.map(({ error }) => ({ outcome: error?.code ?? 'done', changed: false })))
