// Lines of several hosts on one output: whole lines with the host's name before them, and nothing that commands a terminal.
import { styleText } from 'node:util'
import type { LineOutput } from './command.ts'

// A line without an end must not fill memory: it is passed on in pieces of this size.
const longestLine = 64 * 1024
const newline = 0x0a

/** Cuts bytes into lines as they come; the lines are without their ends. */
export class LineCutter {
  #begun: Uint8Array = new Uint8Array()

  /** The lines that are whole now. */
  push(bytes: Uint8Array): readonly Uint8Array[] {
    const lines: Uint8Array[] = []
    let rest = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes])
    for (;;) {
      const end = rest.indexOf(newline)
      if (end > longestLine || (end < 0 && rest.length > longestLine)) {
        lines.push(rest.subarray(0, longestLine))
        rest = rest.subarray(longestLine)
      } else if (end < 0) break
      else {
        lines.push(rest.subarray(0, end))
        rest = rest.subarray(end + 1)
      }
    }
    // A copy: whoever gave the bytes may use them again.
    this.#begun = Uint8Array.from(rest)
    return lines
  }

  /** What is left at the end: a last line without an end, if there is one. */
  end(): readonly Uint8Array[] {
    const rest = this.#begun
    this.#begun = new Uint8Array()
    return rest.length === 0 ? [] : [rest]
  }
}

// C0 without tab, delete, and C1; then those that reorder what is shown (as in src/config/problems.ts).
const control = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g
const reordering = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')

/** A line as a terminal may show it: `\x1b` for an escape, `\xff` for a byte that is no text. */
export function shownLine(line: Uint8Array): string {
  return wellFormedParts(line)
    .map((part) => (typeof part === 'number' ? `\\x${hex(part, 2)}` : shownText(part)))
    .join('')
}

/** A text as a terminal may show it. */
export const shownText = (text: string): string =>
  text
    .replace(control, (character) => `\\x${hex(character.charCodeAt(0), 2)}`)
    .replace(reordering, (character) => `\\u${hex(character.charCodeAt(0), 4)}`)

/** Text, and between it the bytes that are none. */
function wellFormedParts(line: Uint8Array): readonly (string | number)[] {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  try {
    return [strict.decode(line)]
  } catch {
    // Not all of it is text: character by character.
  }
  const parts: (string | number)[] = []
  for (let at = 0; at < line.length;) {
    const first = line[at] ?? 0
    const length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
    try {
      parts.push(strict.decode(line.subarray(at, at + length)))
      at += length
    } catch {
      parts.push(first)
      at += 1
    }
  }
  return parts
}

const hues = ['cyan', 'green', 'yellow', 'magenta', 'blue'] as const

/** `web1  | `: padded to the longest name, coloured by the host's place in the fleet. */
export function prefixes(hosts: readonly string[], color: boolean): ReadonlyMap<string, string> {
  const width = Math.max(...hosts.map((host) => host.length))
  const named = (host: string, index: number): string => {
    const name = host.padEnd(width)
    // Whether there are to be colours was decided before.
    return color ? styleText(hues[index % hues.length] ?? 'cyan', name, { validateStream: false }) : name
  }
  return new Map(hosts.map((host, index) => [host, `${named(host, index)} | `]))
}

/** Writes whole lines of hosts to one output, each with its host's name. */
export class HostLines {
  readonly #output: LineOutput
  readonly #prefixes: ReadonlyMap<string, string>

  constructor(output: LineOutput, hosts: readonly string[]) {
    this.#output = output
    this.#prefixes = prefixes(hosts, output.color)
  }

  /** Lines of one host, together: no other host's line gets in between. */
  async write(host: string, lines: readonly Uint8Array[]): Promise<void> {
    if (lines.length === 0) return
    const prefix = Buffer.from(this.#prefixes.get(host) ?? `${host} | `)
    const end = Buffer.from('\n')
    const shown = (line: Uint8Array) => (this.#output.terminal ? Buffer.from(shownLine(line)) : line)
    await this.#output.write(Buffer.concat(lines.flatMap((line) => [prefix, shown(line), end])))
  }
}
