// What a program of this folder is told: the path of this document is its argument.
import { readFileSync } from 'node:fs'
import type { Host } from '../ssh-hosts.ts'

export interface Order {
  readonly hosts: readonly Host[]
  /** The program to run on each. */
  readonly command?: string
  /** The file to bring to each, as this name in its folder. */
  readonly file?: string
  readonly to?: string
  /** Where netops' builds lie on each. */
  readonly builds?: string
}

export const readOrder = (): Order => JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Order
