// By whom a copy can be read, as the catalogue remembers it. Pure but for the hash.
import { sha256OfText } from '../../system/files.ts'

/** Tells whether two copies are for the same recipients, in whatever order; undefined for nobody: it is not encrypted. */
export const recipientsDigest = (recipients: readonly string[]): string | undefined =>
  recipients.length === 0 ? undefined : sha256OfText([...new Set(recipients)].toSorted().join('\n'))
