// The identities that decrypt, from a file that nobody else can read.
import { constants, promises as fs } from 'node:fs'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'

// age-keygen(1) writes three lines an identity; nobody has hundreds of them.
const longestFile = 64 * 1024

/**
 * Reads a file as age-keygen writes it: an identity a line, and comments.
 * @throws NetopsError `refused` where others may read it; `usage` for what is no such file. No message holds an identity
 */
export async function readIdentities(path: string): Promise<readonly string[]> {
  const unreadable = (why: string): NetopsError =>
    new NetopsError('usage', { message: `the identity file ${path}: ${why}` })
  // A pipe of the same name would be waited for without end.
  const handle = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw unreadable(messageOf(error))
  })
  try {
    const { mode, uid, size } = await handle.stat().then((found) => {
      if (!found.isFile()) throw unreadable('it is no file')
      return found
    })
    if ((mode & 0o077) !== 0 || (uid !== 0 && uid !== process.getuid?.())) {
      const message = `the identity file ${path} belongs to another, or others may read it: whoever has it can read every copy`
      throw new NetopsError('refused', {
        message,
        hint: `keep it to yourself: ${quoteCommand(['chmod', '600', path])}`,
      })
    }
    if (size > longestFile) throw unreadable('it is too long for one')
    const lines = (await handle.readFile('utf8')).split('\n').map((line) => line.trim())
    const identities = lines.filter((line) => line !== '' && !line.startsWith('#'))
    const wrong = lines.findIndex(
      (line) => line !== '' && !line.startsWith('#') && !/^AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]+$/.test(line),
    )
    if (wrong >= 0)
      throw unreadable(`line ${wrong + 1} is no identity of age (one with a passphrase has to be decrypted first)`)
    if (identities.length === 0) throw unreadable('it holds no identity')
    return identities
  } finally {
    await handle.close()
  }
}
