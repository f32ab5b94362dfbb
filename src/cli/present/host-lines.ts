// Lines of several hosts on one output: whole lines with the host's name before them, and nothing that commands a terminal.
import { styleText } from 'node:util'
import { shownLine } from '../../model/escape.ts'
import type { LineOutput } from '../command.ts'

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
