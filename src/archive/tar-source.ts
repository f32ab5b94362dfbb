// Has GNU tar write entries: it alone reads extended attributes, access control lists and holes, for which Node has no call.
import { NetopsError } from '../model/errors.ts'
import { exec } from '../system/exec.ts'
import type { Seen } from './entries.ts'
import { bytesOf } from './names.ts'
import type { Trouble } from './walk.ts'

const createOptions = [
  ...['--create', '--file=-', '--format=posix', '--sparse', '--no-recursion', '--hard-dereference'],
  ...['--acls', '--xattrs', '--xattrs-include=*', '--xattrs-exclude=system.posix_acl_*'],
  // As much in each write as a pipe takes at once; the filling at the end is cut away.
  '--blocking-factor=128',
  // Without what changes at each reading, and without the process's number in names: the same files give the same bytes.
  '--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f',
  ...['--quoting-style=escape', '--null', '--verbatim-files-from'],
]

export interface TarSource {
  readonly base: string
  /** What is written, in this order: no hard links, which need no reading. */
  readonly entries: readonly Seen[]
  readonly signal?: AbortSignal | undefined
  /** Hears the tar's bytes; what it returns is waited for. */
  onBytes(bytes: Uint8Array): Promise<void> | void
}

/**
 * Writes entries as a tar. What is not there any more or cannot be read is left out of it, and told.
 * @returns what was in the way, by name
 * @throws NetopsError `failed` where tar could not do its work, `interrupted` when aborted
 */
export async function writeTar(source: TarSource): Promise<readonly Trouble[]> {
  const complaints = new Complaints()
  const argv = ['tar', ...createOptions, '--directory', source.base, '--files-from=-']
  const { code } = await exec(argv, {
    env: { LC_ALL: 'C', TAR_OPTIONS: undefined, TAPE: undefined, GZIP: undefined },
    signal: source.signal,
    stdin: { bytes: bytesOf(source.entries.map(({ name }) => `${name}\0`).join('')) },
    onOutput: (bytes, stream) => (stream === 'stdout' ? source.onBytes(bytes) : complaints.push(bytes)),
  })
  return complaints.end(code)
}

const mostComplaints = 16 << 20

// GNU tar 1.34, src/misc.c, src/create.c, src/system.c: what it says of one file, and goes on.
const meanings: readonly (readonly [RegExp, Trouble['what']])[] = [
  [/^(.*): (file changed as we read it)$/, 'changed'],
  [/^(.*): (File shrank by \d+ bytes?; padding with zeros)$/, 'changed'],
  [/^(.*): (File removed before we read it)$/, 'vanished'],
  [/^(.*): Cannot \w+: (No such file or directory)$/, 'vanished'],
  [/^(.*): (Read error at byte \d+, while reading \d+ bytes: .*)$/, 'unreadable'],
  [/^(.*): (Cannot \w+: .*)$/, 'unreadable'],
  [/^(.*): (Warning: .*)$/, 'unreadable'],
  [/^(.*): (socket ignored|door ignored|Unknown file type; file ignored)$/, 'vanished'],
]
// What it ends with after such.
const ending = /^(?:Exiting with failure status due to previous errors|Error exit delayed from previous errors)$/

class Complaints {
  readonly #pieces: Uint8Array[] = []
  #bytes = 0

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    if (this.#bytes > mostComplaints) throw new NetopsError('failed', { message: 'tar complains without an end' })
    this.#pieces.push(Uint8Array.from(bytes))
  }

  end(code: number): readonly Trouble[] {
    const lines = Buffer.concat(this.#pieces).toString('latin1').split('\n')
    const said = lines.filter((line) => line !== '').map((line) => line.replace(/^[^:]*tar: /, ''))
    const troubles: Trouble[] = []
    const others: string[] = []
    for (const line of said) {
      if (ending.test(line)) continue
      const trouble = troubleOf(line)
      if (trouble === undefined) others.push(line)
      else troubles.push(trouble)
    }
    // 1: some files changed while they were read; 2: some could not be read. Anything without a name is tar's own failure.
    if (code > 2 || others.length > 0 || (code !== 0 && troubles.length === 0)) {
      const why = others.length > 0 ? others.slice(-5).join('\n') : `tar exited with ${code}`
      throw new NetopsError('failed', { message: `cannot archive: ${why}` })
    }
    return troubles
  }
}

function troubleOf(line: string): Trouble | undefined {
  for (const [pattern, what] of meanings) {
    const [, name, reason] = pattern.exec(line) ?? []
    if (name !== undefined && reason !== undefined) return { name: unescaped(name), what, reason }
  }
  return undefined
}

const letters: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', v: '\v', a: '\x07' }

/** GNU tar manual, "quoting styles": as in C, without the quotes. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (letters[code] ?? code),
  )
