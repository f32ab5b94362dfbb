// One run of a program: what it said, and the most memory that it held.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Watched {
  /** The high-water mark of its own resident memory, without that of what it starts. */
  readonly megabytes: number
  readonly stdout: string
}

export interface WatchOptions {
  /** Added to this process's environment; undefined removes a name. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly signal: AbortSignal
}

const samplingMs = 10

/**
 * Runs a program to its end. Its memory is read while it is there, so the very last of it may be missed.
 * @throws where it exits with another code than 0, and after an abort, once it has ended
 */
export async function watch(argv: readonly string[], { env, cwd, signal }: WatchOptions): Promise<Watched> {
  signal.throwIfAborted()
  const [file = '', ...words] = argv
  const child = spawn(file, words, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  const stop = () => child.kill()
  signal.addEventListener('abort', stop)
  const ending = Promise.all([once(child, 'exit') as Promise<[code: number | null]>, text(child.stdout)])
  let over = false
  const ended = () => (over = true)
  ending.then(ended, ended) // it is awaited below
  let kilobytes = 0
  // proc(5): VmHWM, in units of 1,024 bytes.
  for (; !over; await sleep(samplingMs)) {
    const status = await readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').catch(() => '') // it has just ended
    kilobytes = Math.max(kilobytes, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0))
  }
  signal.removeEventListener('abort', stop)
  const [[code], stdout] = await ending
  if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code ?? 'a signal'}: ${stdout.slice(-1000)}`)
  return { megabytes: kilobytes / 1024, stdout }
}
