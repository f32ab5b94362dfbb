// Standard input for a command on many hosts: each reads all of it, from its beginning, and at its own pace.
import { createReadStream, constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { messageOf, NetopsError } from '../model/errors.ts'
import { spool, type Spooled } from '../system/spool.ts'

interface InputContext {
  readonly cwd: string
  /** Standard input, as it comes. */
  readonly readBytes: () => AsyncIterable<Uint8Array>
}

/**
 * @param given a file, or `-` for standard input; neither is held in memory
 * @throws NetopsError `usage` for a file that cannot be read
 */
export async function inputFrom(given: string, { cwd, readBytes }: InputContext): Promise<Spooled> {
  if (given === '-') return spool(readBytes())
  const file = resolve(cwd, given)
  try {
    const found = await stat(file)
    if (found.isDirectory()) throw new Error('it is a folder')
    await access(file, constants.R_OK)
    // A pipe, such as that of `<(command)`, can be read once.
    if (!found.isFile()) return await spool(createReadStream(file))
  } catch (cause) {
    if (cause instanceof NetopsError) throw cause
    throw new NetopsError('usage', {
      message: `--input ${given}: ${messageOf(cause)}`,
      hint: 'name a file that can be read, or - for standard input',
      cause,
    })
  }
  return { file, close: () => Promise.resolve() }
}
