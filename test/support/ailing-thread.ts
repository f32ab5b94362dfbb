// A program that is loaded into every thread of the server, and ails one of them when a file appears.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { here } from './server-process.ts'

export interface AilingThread {
  /** What the server is to be started with. */
  readonly env: Readonly<Record<string, string>>
  /** Has serving thread 1 fail. */
  readonly kill: () => void
  /** Has it do nothing else, and gives it back. */
  readonly stun: (on: boolean) => void
  /** The next process is well. */
  readonly heal: () => void
}

export function ailingThread(): AilingThread {
  const [program, death, stupor] = ['ailing.cjs', 'die', 'stand-still'].map((name) => join(here.root, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(
    program,
    `const { threadName } = require('node:worker_threads')
     const { existsSync } = require('node:fs')
     if (threadName === 'serving-1') setInterval(() => {
       if (existsSync(${JSON.stringify(death)})) throw new Error('rehearsed')
       while (existsSync(${JSON.stringify(stupor)})) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
     }, 10)`,
  )
  return {
    env: { NODE_OPTIONS: `--require=${program}` },
    kill: () => writeFileSync(death, ''),
    stun: (on) => (on ? writeFileSync(stupor, '') : rmSync(stupor)),
    heal: () => writeFileSync(program, ''),
  }
}
