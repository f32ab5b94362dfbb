// What the parts of the benchmark over many hosts have in common.
import type { Aim } from './figures.ts'
import type { SshHosts } from './ssh-hosts.ts'

/** What the parts of this benchmark have in common. */
export interface Bench {
  readonly folder: string
  readonly hosts: SshHosts
  readonly netops: string
  /** The argv of a program of scripts/bench/programs. */
  program(name: string): readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
  /** How often each tool runs, where it is said. */
  readonly rounds: number | undefined
  readonly tell: (line: string) => void
}

/** What a part came to. */
export interface Measured {
  readonly data: unknown
  readonly text: string
  readonly aims?: readonly Aim[]
}
