// Paths as people write them into configuration, as schemas.
import * as z from 'zod'
import { meantPath, plainPath } from './paths.ts'
import { expects } from './schema-notes.ts'

const pathWords = 'an absolute path without ..'

/** An absolute path that says each folder once, without a slash at its end. */
export const absolutePath = expects(
  z
    .string()
    .regex(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))[^\0]*[^/\0]$/, `expected ${pathWords}`)
    .regex(plainPath, `expected ${pathWords}, // and /./`),
  pathWords,
  meantPath,
)
