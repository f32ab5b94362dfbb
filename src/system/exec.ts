// The only module that starts processes: argv arrays, no shell, time limits, output collected or streamed by line.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { constants } from 'node:os'
import { Socket } from 'node:net'
import { Readable, type Duplex } from 'node:stream'
import { NetopsError, systemCode } from '../model/errors.ts'
import { TooMuch } from './bounded.ts'
import { whenLeftOpen } from './left-open.ts'
import { LineCutter } from './line-cutter.ts'

/** What only talks to hosts starts no process here, and is spared the tenth of a start-up that loading this takes. */
const execaWhenNeeded = () => import('execa')

export interface ExecOptions {
  readonly cwd?: string
  /** Added to this process's environment; undefined removes a name. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Text or bytes for standard input, or a file or stream to feed it from; without any it is empty. */
  readonly stdin?: Input | undefined
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** In a process group of its own, so that what ends the command ends all that it has started too. */
  readonly group?: boolean | undefined
  /** What messages call it; its program, unless they are told. */
  readonly called?: string | undefined
  /** How many bytes of output are expected at most, where it is collected: more end the command. */
  readonly most?: number | undefined
  /** Called for each line of standard output as it comes; the result then holds no stdout. */
  readonly onLine?: ((line: string) => void) | undefined
  /** How long a line may be, in bytes: a longer one ends the command. Without it, such a line comes in pieces. */
  readonly longestLine?: number | undefined
  /**
   * Called for each piece of output as it comes, byte for byte; the result then holds none. What it returns is waited for
   * before more is read, so that a slow reader slows the command instead of filling memory.
   */
  readonly onOutput?: ((bytes: Uint8Array, stream: OutputStream) => Promise<void> | void) | undefined
}

export type Input =
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly file: string }
  | { readonly stream: () => AsyncIterable<Uint8Array> }
export type OutputStream = 'stdout' | 'stderr'

export interface ExecResult {
  /** The exit code; 128 + n where signal n ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** A process that it left still holds its output open: more of that may come, and was not waited for. */
  readonly leftOpen?: true
}

// What a command of this machine is expected to print at most on either stream, unless its caller says what is expected of it.
const usualOutput = 64 * 2 ** 20
/** What a command on a host may complain. */
export const mostComplaints = 2 ** 20

/** @returns the lines that came in some bytes, as text */
export const linesIn = (pieces: readonly Uint8Array[]): readonly string[] =>
  pieces.map((line) => Buffer.from(line).toString('utf8').replace(/\r$/, ''))

/** @returns what cuts the output of a command into lines */
export const cutterOf = (what: string, { longestLine }: Pick<ExecOptions, 'longestLine'>): LineCutter =>
  new LineCutter(longestLine === undefined ? undefined : { most: longestLine, what: `${what}: a line of its output` })

/**
 * Runs a command to its end and returns its exit code and output, whatever the code.
 * @throws NetopsError `failed` when the command does not exist, cannot be started, exceeds its time or prints more than is
 * expected; `interrupted` when aborted
 */
export async function exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [file, ...args] = argv
  if (file === undefined) throw new TypeError('an empty command')
  const { onLine, onOutput } = options
  const { timeoutMs, signal, group = false, most = usualOutput } = options
  const { execa } = await execaWhenNeeded()
  const child = execa(file, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(timeoutMs === undefined || group ? {} : { timeout: timeoutMs }),
    ...(signal === undefined || group ? {} : { cancelSignal: signal }),
    ...(group ? { detached: true } : {}),
    ...stdinOf(options),
    buffer: { stdout: onLine === undefined && onOutput === undefined, stderr: onOutput === undefined },
    maxBuffer: most,
    stripFinalNewline: false,
    reject: false,
  })
  const pass = async (from: OutputStream): Promise<void> => {
    for await (const bytes of child.iterable({ from, binary: true })) await onOutput?.(bytes, from)
  }
  const ender = group ? groupEnder(child.pid, { timeoutMs, signal }) : undefined
  const output = outputLetGo(child.nodeChildProcess)
  let result: Awaited<typeof child>
  try {
    if (onOutput !== undefined) await Promise.all([pass('stdout'), pass('stderr')])
    else if (onLine !== undefined) {
      const cutter = cutterOf(file, options)
      for await (const bytes of child.iterable({ from: 'stdout', binary: true })) {
        for (const line of linesIn(cutter.push(bytes))) onLine(line)
      }
      for (const line of linesIn(cutter.end())) onLine(line)
    }
    result = await child
  } catch (error) {
    // Whoever listens has had enough.
    child.kill()
    throw error
  } finally {
    ender?.clear()
    output.clear()
  }
  if (result.isMaxBuffer) {
    throw new TooMuch(`${options.called ?? file}: its output`, most, most)
  }
  if (result.isCanceled || ender?.why() === 'stopped') {
    throw new NetopsError('interrupted', { message: `${file} was stopped` })
  }
  if (result.timedOut || ender?.why() === 'late') {
    throw new NetopsError('failed', {
      message: `${file} did not end within ${timeoutMs ?? 0} ms and was stopped`,
    })
  }
  if (result.exitCode === undefined && result.signal === undefined) {
    throw new NetopsError('failed', {
      message: `cannot run ${file}: ${result.shortMessage}`,
      cause: result,
    })
  }
  // A stream that breaks off looks like a shorter one to the command.
  if (result.failed && result.exitCode === 0 && options.stdin !== undefined && 'stream' in options.stdin) {
    throw new NetopsError('failed', {
      message: `${file} did not get all its input: ${result.shortMessage}`,
      cause: result,
    })
  }
  return {
    code: result.exitCode ?? 128 + signalNumber(result.signal),
    stdout: typeof result.stdout === 'string' ? result.stdout : '',
    stderr: typeof result.stderr === 'string' ? result.stderr : '',
    ...(output.isLeftOpen() ? { leftOpen: true } : {}),
  }
}

/** Takes the output of a child for ended where a process that it left behind holds it open. */
function outputLetGo(child: ChildProcess) {
  const streams = [child.stdout, child.stderr].filter((stream) => stream instanceof Socket)
  const coming = {
    bytes: () => streams.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    isTaken: () => streams.every(({ readableLength }) => readableLength === 0),
  }
  let isLeftOpen = false
  let clear = (): void => undefined
  child.once('exit', () => {
    clear = whenLeftOpen(coming, () => {
      isLeftOpen = true
      for (const stream of streams) stream.push(null)
    })
  })
  return { isLeftOpen: () => isLeftOpen, clear: () => clear() }
}

/**
 * As {@link exec}, for a command that must succeed: returns its standard output.
 * @throws NetopsError `failed` also when it exits with another code than 0
 */
export async function execText(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  const result = await exec(argv, options)
  if (result.code === 0) return result.stdout
  const reason = result.stderr.trim().split('\n').slice(-5).join('\n')
  throw new NetopsError('failed', { message: `${argv.join(' ')} exited with ${result.code}: ${reason}` })
}

/**
 * As {@link exec}, with an end for all that the command starts: it has a process group of its own (timeout(1)), so that
 * what it leaves behind neither goes on nor holds its output open.
 * @returns undefined when it had not ended within `limitMs`
 */
export async function execWithin(
  argv: readonly string[],
  limitMs: number,
  options: Omit<ExecOptions, 'timeoutMs'> = {},
): Promise<ExecResult | undefined> {
  const limited = ['timeout', '--kill-after=2', `${limitMs / 1000}`, ...argv]
  const result = await exec(limited, { called: argv[0], ...options, timeoutMs: limitMs + 10_000 })
  // timeout(1): its time was over; killed a little later because it did not end by itself.
  return [124, 137].includes(result.code) ? undefined : result
}

/** What such a command may complain, in bytes. */

/**
 * A command whose standard input and output are a stream, such as ssh_config's ProxyCommand. Destroying the stream ends it.
 * @param tell hears each line of what it says to standard error, which is for whoever sits there
 * @param ended is called after the last of them
 */
export async function pipeTo(
  [file = '', ...args]: readonly string[],
  tell: (line: string) => void,
  ended: () => void,
): Promise<Duplex> {
  const { execa } = await execaWhenNeeded()
  const child = execa(file, args, { buffer: false, encoding: 'buffer', reject: false })
  const complaints = new LineCutter()
  let told = 0
  const tellAll = (lines: readonly Uint8Array[]): void => {
    for (const line of lines) {
      told += line.length + 1
      // Nobody reads more, and a terminal that is slow would fill memory.
      if (told <= mostComplaints) tell(Buffer.from(line).toString('utf8').replace(/\r$/, ''))
    }
  }
  child.stderr.on('data', (bytes: Buffer) => tellAll(complaints.push(bytes)))
  child.stderr.once('end', () => {
    tellAll(complaints.end())
    ended()
  })
  const stream = child.duplex()
  stream.once('close', () => child.kill())
  return stream
}

/**
 * Waits until nobody reads this process's standard output any more.
 * @returns whether that is so; false where it cannot be told (another tail than that of coreutils)
 */
export async function outputUnread(): Promise<boolean> {
  const { execa } = await execaWhenNeeded()
  // It ends with this process too, else it would keep the pipe open.
  const watcher = execa('tail', ['-f', `--pid=${process.pid}`, '/dev/null'], {
    ...{ stdin: 'ignore', stdout: 'inherit', stderr: 'ignore' },
    ...{ buffer: false, reject: false },
  })
  watcher.nodeChildProcess.unref()
  return (await watcher).signal === 'SIGPIPE'
}

// As execa does with a process alone: time to end well, then no more.
const endWithinMs = 5000

/** Ends a process group when it is told to stop or its time is over. */
function groupEnder(pid: number | undefined, { timeoutMs, signal }: Pick<ExecOptions, 'timeoutMs' | 'signal'>) {
  let why: 'stopped' | 'late' | undefined
  const timers: NodeJS.Timeout[] = []
  const tell = (name: 'SIGTERM' | 'SIGKILL'): void => {
    try {
      if (pid !== undefined) process.kill(-pid, name)
    } catch (error) {
      // It has ended meanwhile.
      if (systemCode(error) !== 'ESRCH') throw error
    }
  }
  const end = (reason: 'stopped' | 'late'): void => {
    if (why !== undefined) return
    why = reason
    tell('SIGTERM')
    timers.push(setTimeout(() => tell('SIGKILL'), endWithinMs))
  }
  const onAbort = (): void => end('stopped')
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted === true) onAbort()
  if (timeoutMs !== undefined) timers.push(setTimeout(() => end('late'), timeoutMs))
  return {
    why: () => why,
    clear: (): void => {
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    },
  }
}

const stdinOf = (options: ExecOptions) => {
  if (options.stdin === undefined) return { stdin: 'ignore' } as const
  if ('file' in options.stdin) return { inputFile: options.stdin.file }
  if ('stream' in options.stdin) return { input: Readable.from(options.stdin.stream()) }
  return { input: 'text' in options.stdin ? options.stdin.text : options.stdin.bytes }
}

const signalNumber = (name: NodeJS.Signals | undefined): number => (name === undefined ? 0 : constants.signals[name])

/** A process that was started and goes on by itself. */
export interface StartedProcess {
  readonly pid: number
  /** The exit code when it ends; 128 + n where signal n ended it. */
  readonly ended: Promise<number>
}

export interface StartOptions {
  /** Where its output is appended to. */
  readonly output: string
  /** In a session of its own, going on when this process ends. */
  readonly detached?: boolean
  /** Its whole environment; without it, this process's. */
  readonly env?: Readonly<Record<string, string>>
  /** Descriptors of this process that it gets as its 3, 4, ... */
  readonly descriptors?: readonly number[]
}

/**
 * Starts a process and returns while it runs.
 * @throws NetopsError `failed` when it cannot be started
 */
export async function start(argv: readonly string[], options: StartOptions): Promise<StartedProcess> {
  const [file, ...args] = argv
  if (file === undefined) throw new TypeError('an empty command')
  const { execa } = await execaWhenNeeded()
  // The child inherits the file's descriptor itself: nothing is piped through this process.
  const output = createWriteStream(options.output, { flags: 'a', mode: 0o640 })
  await once(output, 'open')
  try {
    const child = execa(file, args, {
      // execa takes numbers here, which its types do not say.
      stdio: ['ignore', output, output, ...((options.descriptors ?? []) as readonly never[])],
      buffer: false,
      reject: false,
      detached: options.detached ?? false,
      ...(options.env === undefined ? {} : { env: options.env, extendEnv: false }),
      cleanup: false,
    })
    const { pid } = child
    if (pid === undefined) {
      const { shortMessage } = await child
      throw new NetopsError('failed', { message: `cannot run ${file}: ${shortMessage ?? 'unknown reason'}` })
    }
    if (options.detached === true) child.nodeChildProcess.unref()
    return { pid, ended: child.then((result) => result.exitCode ?? 128 + signalNumber(result.signal)) }
  } finally {
    output.destroy()
  }
}
