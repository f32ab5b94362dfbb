// What the kernel makes of a file that is to be executed (execve(2)): a program or a script, and what it needs to run.
import { promises as fs } from 'node:fs'
import { NetopsError } from '../model/errors.ts'
import { shownText } from '../model/escape.ts'
import type { ProgramNeeds } from '../model/program-needs.ts'
import { readElf, type BytesAt } from './elf.ts'

/** The kernel reads that much of a script's first line (BINPRM_BUF_SIZE). */
const firstBytes = 256

/**
 * What an executable needs of a host.
 * @throws NetopsError `refused` for a file that no Linux host can execute
 */
export async function readProgramNeeds(path: string): Promise<ProgramNeeds> {
  const handle = await fs.open(path, 'r')
  try {
    const { size } = await handle.stat()
    const at: BytesAt = async (offset, length) => {
      // What a damaged file names may lie anywhere.
      if (offset >= size) return Buffer.alloc(0)
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    }
    const start = await at(0, firstBytes)
    const found = start.subarray(0, 4).equals(elfMagic) ? await readElf(at, size) : scriptNeeds(start)
    if (!('fault' in found)) return found
    throw new NetopsError('refused', {
      message: `${path} cannot be executed: ${found.fault}`,
      hint: 'name another file with --release; nothing was touched',
    })
  } finally {
    await handle.close()
  }
}

const elfMagic = Buffer.from('\x7fELF')
const mark = '\ufeff'

/** Other formats that end up in place of a program, by how they begin. */
const foreign: readonly (readonly [Buffer, string])[] = [
  [Buffer.from('MZ'), 'it is a program for Windows'],
  [Buffer.from('cffaedfe', 'hex'), 'it is a program for macOS'],
  [Buffer.from('cafebabe', 'hex'), 'it is a program for macOS, or a Java class'],
  [Buffer.from('1f8b', 'hex'), 'it is compressed by gzip; unpack it first'],
  [Buffer.from('PK\x03\x04'), 'it is a zip archive; unpack it first'],
]

interface Fault {
  readonly fault: string
}

/** What a script needs, by the beginning of its first line. */
export function scriptNeeds(start: Buffer): ProgramNeeds | Fault {
  if (start.length === 0) return { fault: 'it is empty' }
  const text = start.toString('utf8')
  if (text.startsWith(`${mark}#!`)) return { fault: 'a byte order mark stands before its #!; save it without' }
  if (!text.startsWith('#!')) {
    const known = foreign.find(([magic]) => start.subarray(0, magic.length).equals(magic))?.[1]
    return { fault: known ?? 'it is neither an ELF program nor a script that begins with #!' }
  }
  const [line = ''] = text.slice(2).split('\n')
  if (line.endsWith('\r')) {
    return { fault: 'its first line ends with CR LF, and the CR counts as part of the interpreter; save it with LF' }
  }
  const [interpreter = '', ...words] = line.trim().split(/[ \t]+/)
  if (interpreter === '') return { fault: 'no interpreter stands after its #!' }
  // Looked up from wherever the service manager stands.
  if (!interpreter.startsWith('/')) return { fault: `its interpreter ${shownText(interpreter)} has no absolute path` }
  const command = /\/env$/.test(interpreter) ? lookedUp(words) : undefined
  return { interpreter, ...(command === undefined ? {} : { command }) }
}

/** What env(1) looks up: the first word that is no option of it and sets no variable; none where options have arguments. */
function lookedUp(words: readonly string[]): string | undefined {
  const first = words.find((word) => !['-S', '-i', '-', '--'].includes(word) && !/^\w+=/.test(word))
  return first?.startsWith('-') === true ? undefined : first
}
