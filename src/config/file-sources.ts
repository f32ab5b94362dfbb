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

/** What sources may use of the outside. */
export interface SourcesOutside {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when their commands are not waited for any longer. */
  readonly leaving: AbortSignal
}

// A certificate with its chain has some KB; what is larger is brought as a file.
const mostPrinted = 4 * 2 ** 20
const longestSecret = 64 * 1024

// A secret store may ask a person to unlock it.
const commandTimeoutMs = 120_000

/** The sources of one command. Each of their own commands runs once, when it is first needed: a secret store may ask a person. */
export class Sources {
  readonly #outside: SourcesOutside
  /** What commands printed, by the command and its folder. */
  readonly #printed = new Map<string, Promise<string>>()

  constructor(outside: SourcesOutside) {
    this.#outside = outside
  }

  /**
   * Reads a source now.
   * @param cwd where it is looked up
   * @param what the key that names the source, for messages
   * @throws NetopsError `usage` when there is nothing; no message ever holds the content
   */
  async read(source: FileSource, cwd: string, what = 'files'): Promise<Content> {
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
    const text = 'env' in source ? this.#outside.env[source.env] : await this.#print(source.command, cwd, refuse)
    if (text === undefined) throw refuse('it is not set')
    if (text === '') throw refuse('it is empty')
    return { text, sha256: sha256OfText(text) }
  }

  /**
   * Reads a secret of one line now; a line break at its end is not part of it.
   * @throws NetopsError `usage` when there is none, or more than one line
   */
  async secret(what: string, source: FileSource, cwd: string): Promise<string> {
    const content = await this.read(source, cwd, what)
    const text = (
      'text' in content ? content.text : (await readFileUpTo(content.file, longestSecret)).toString('utf8')
    ).replace(/\r?\n$/, '')
    if (text !== '' && !/[\r\n\0]/.test(text)) return text
    throw new NetopsError('usage', { message: `${what}: ${describeSource(source)}: expected one line` })
  }

  #print(command: readonly string[], cwd: string, refuse: Refuse): Promise<string> {
    const key = JSON.stringify([cwd, command])
    const printed = this.#printed.get(key) ?? printedBy(command, { cwd, signal: this.#outside.leaving }, refuse)
    this.#printed.set(key, printed)
    return printed
  }
}

type Refuse = (reason: string) => NetopsError

async function printedBy(
  command: readonly string[],
  how: { readonly cwd: string; readonly signal: AbortSignal },
  refuse: Refuse,
): Promise<string> {
  const result = await execWithin(command, commandTimeoutMs, { ...how, most: mostPrinted })
  if (result === undefined) throw refuse(`no end within ${commandTimeoutMs / 1000} s`)
  // What it said stays out of the message: a tool that fails may print what it was to keep.
  if (result.code !== 0) throw refuse(`it exited with ${result.code}; run it by hand to see why`)
  return result.stdout
}
