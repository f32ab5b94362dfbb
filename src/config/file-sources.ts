// The content of placed files, read at the last moment: from a file, a variable or a command of this machine.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { messageOf, NetopsError } from '../model/errors.ts'
import { describeSource, type FileSource } from '../model/file-source.ts'
import { readFileUpTo } from '../system/bounded.ts'
import { execWithin } from '../system/exec.ts'
import { sha256OfFile, sha256OfText } from '../system/files.ts'

/** What a source held when it was read. */
export type Content = { readonly sha256: string } & (
  { readonly text: string } | { readonly file: string; readonly size: number }
)

/** Where a source is looked up. */
export interface SourcePlace {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

// A certificate with its chain has some KB; what is larger is brought as a file.
const mostPrinted = 4 * 2 ** 20
const longestSecret = 64 * 1024

// A secret store may ask a person to unlock it.
const commandTimeoutMs = 120_000

/**
 * Reads a source now.
 * @param what the key that names the source, for messages
 * @throws NetopsError `usage` when there is nothing; no message ever holds the content
 */
export async function readSource(source: FileSource, { cwd, env }: SourcePlace, what = 'files'): Promise<Content> {
  const refuse = (reason: string): NetopsError =>
    new NetopsError('usage', { message: `${what}: ${describeSource(source)}: ${reason}` })
  if ('file' in source) {
    const file = resolve(cwd, source.file)
    const found = await stat(file).catch((error: unknown) => {
      throw refuse(messageOf(error))
    })
    if (!found.isFile() || found.size === 0) throw refuse(found.isFile() ? 'it is empty' : 'it is no file')
    return { file, size: found.size, sha256: await sha256OfFile(file) }
  }
  const text = 'env' in source ? env[source.env] : await printedBy(source.command, cwd, refuse)
  if (text === undefined) throw refuse('it is not set')
  if (text === '') throw refuse('it is empty')
  return { text, sha256: sha256OfText(text) }
}

/**
 * Reads a secret of one line now; a line break at its end is not part of it.
 * @param what the key that names the source, for messages
 * @throws NetopsError `usage` when there is none, or more than one line
 */
export async function readSecret(what: string, source: FileSource, place: SourcePlace): Promise<string> {
  const content = await readSource(source, place, what)
  const text = (
    'text' in content ? content.text : (await readFileUpTo(content.file, longestSecret)).toString('utf8')
  ).replace(/\r?\n$/, '')
  if (text !== '' && !/[\r\n\0]/.test(text)) return text
  throw new NetopsError('usage', { message: `${what}: ${describeSource(source)}: expected one line` })
}

async function printedBy(
  command: readonly string[],
  cwd: string,
  refuse: (reason: string) => NetopsError,
): Promise<string> {
  const result = await execWithin(command, commandTimeoutMs, { cwd, most: mostPrinted })
  if (result === undefined) throw refuse(`no end within ${commandTimeoutMs / 1000} s`)
  // What it said stays out of the message: a tool that fails may print what it was to keep.
  if (result.code !== 0) throw refuse(`it exited with ${result.code}; run it by hand to see why`)
  return result.stdout
}
