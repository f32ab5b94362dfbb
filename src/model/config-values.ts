// Values that several sections of network_server's configuration take.
import * as z from 'zod'
import { meantPath, plainPath } from './paths.ts'
import { expects } from './schema-notes.ts'
import { formatBytes, size } from './units.ts'

export const absolutePath = expects(
  z
    .string()
    .regex(/^\/[^\0]*$/, 'expected an absolute path')
    .regex(plainPath, 'expected an absolute path without .., //, /./ and a slash at its end'),
  'an absolute path',
  meantPath,
)

/** A number of bytes, or a size with its unit, of at least one byte. */
export const bytes = (most: number) =>
  z.union([
    z.int().min(1).max(most),
    expects(
      size.refine((value) => value >= 1 && value <= most, `expected a size from 1B to ${formatBytes(most)}`),
      'a size such as 10MB',
    ),
  ])
