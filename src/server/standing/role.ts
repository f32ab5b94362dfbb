// The role as state on disk: a service that was made standby is standby after every start, until somebody says otherwise.
import { constants, promises as fs } from 'node:fs'
import * as z from 'zod'
import { messageOf, systemCode } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { writeFileAtomic } from '../../system/files.ts'
import { longestAddress, type Role } from './standing.ts'

/** The address of another service: http or https, without a user's name. It goes into answers as it is. */
export const primaryAddress = z
  .string()
  .max(longestAddress)
  .regex(/^https?:\/\/[\x21-\x7e]+$/, 'expected an address such as https://db1.example.com:8443')
  .refine((text) => {
    const url = URL.parse(text)
    return url !== null && url.username === '' && url.password === ''
  }, 'expected an address without a user or password')

const roleFile = z.discriminatedUnion('role', [
  z.strictObject({ schema: z.literal(1), role: z.literal('primary') }),
  z.strictObject({ schema: z.literal(1), role: z.literal('standby'), primary: primaryAddress.optional() }),
])

const mostBytes = 8192

export interface ReadRole {
  readonly role: Role
  /** What is wrong with the file; then it is a standby that does not know its primary. */
  readonly problem: string | undefined
}

/**
 * The role that a file holds; without a file, primary. Whatever cannot be read may have said standby, and two primaries are
 * worse than none: it counts as that.
 */
export async function readRole(path: string): Promise<ReadRole> {
  const standby = (problem: string): ReadRole => ({ role: { kind: 'standby', primary: undefined }, problem })
  let text: string
  try {
    const handle = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(mostBytes), 0, mostBytes, 0)
      text = buffer.toString('utf8', 0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { role: { kind: 'primary' }, problem: undefined }
    return standby(`it cannot be read: ${messageOf(error)}`)
  }
  const parsed = roleFile.safeParse(parseJson(text))
  if (!parsed.success) return standby('it holds no role that this release knows')
  const { data } = parsed
  const role: Role = data.role === 'primary' ? { kind: 'primary' } : { kind: 'standby', primary: data.primary }
  return { role, problem: undefined }
}

/** Keeps the role; it is on the disk when this resolves. */
export function writeRole(path: string, role: Role): Promise<void> {
  const named = role.kind === 'standby' && role.primary !== undefined ? { primary: role.primary } : {}
  return writeFileAtomic(path, `${JSON.stringify({ schema: 1, role: role.kind, ...named })}\n`, 0o640)
}
