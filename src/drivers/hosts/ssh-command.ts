// One command over an SSH channel: its input, its output, its end, and how it is ended on the host.
import { createReadStream } from 'node:fs'
import { constants } from 'node:os'
import { PassThrough, Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientChannel } from 'ssh2'
import { NetopsError } from '../../model/errors.ts'
import { textUpTo, TooMuch } from '../../system/bounded.ts'
import { cutterOf, linesIn, mostComplaints, type ExecResult, type OutputStream } from '../../system/exec.ts'
import { whenLeftOpen } from '../../system/left-open.ts'
import type { LineCutter } from '../../system/line-cutter.ts'
import { mark } from './login-shell.ts'
import { usualAnswer, type RunOptions } from './port.ts'

/** Whether a host forbids a channel instead of failing to open it: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1). */
export const isForbidden = (error: Error & { readonly reason?: unknown }): boolean =>
  error.reason === 1 || /prohibited/.test(error.message)

export interface Opened {
  readonly channel: ClientChannel
  readonly result: Promise<ExecResult>
  /** The command's process group on the host; it never comes where the login shell did not run the command. */
  readonly group: Promise<number>
  /** Comes when the channel has closed. */
  readonly closed: Promise<unknown>
}

// Feeding that has an end of its own comes to it at once when the channel has closed.
const feedAfterCloseMs = 2000

/**
 * Listens to a channel that was just opened; what it returns is the command's.
 * @param what the command, for messages
 */
export function collect(channel: ClientChannel, what: string, options: RunOptions): Opened {
  let code: number | undefined
  let leftOpen = false
  const { promise: closed, resolve: close } = Promise.withResolvers<number | undefined>()
  const group = Promise.withResolvers<number>()
  let reached = false
  let bytes = 0
  const output = afterMark((number) => {
    reached = true
    group.resolve(number)
  })
  const complaints = new PassThrough()
  for (const [from, to] of [
    [channel, output],
    [channel.stderr, complaints],
  ] as const) {
    from.pipe(to)
    from.on('data', (chunk: Buffer) => (bytes += chunk.length))
  }
  const streams = [channel, channel.stderr, output, complaints]
  const coming = { bytes: () => bytes, isTaken: () => streams.every(({ readableLength }) => readableLength === 0) }
  channel.on('exit', (exit: number | null, signal?: string) => {
    code = exit ?? 128 + signalNumber(signal)
    const clear = whenLeftOpen(coming, () => {
      leftOpen = true
      channel.unpipe(output)
      channel.stderr.unpipe(complaints)
      for (const stream of [output, complaints]) stream.end()
      channel.close()
      close(code)
    })
    void closed.then(clear)
  })
  channel.on('close', () => close(code))
  const { onOutput, onLine, most = usualAnswer } = options
  const stderr =
    onOutput === undefined
      ? textUpTo(complaints, mostComplaints, `${what}: its complaints`)
      : passed(complaints, 'stderr', onOutput)
  const stdout =
    onOutput !== undefined
      ? passed(output, 'stdout', onOutput)
      : onLine === undefined
        ? textUpTo(output, most, `${what}: its output`)
        : lines(output, onLine, cutterOf(what, options))
  const whole = Promise.all([closed, stdout, stderr])
  // Whoever listens may fail while the input is still being fed, or have had enough: the host is not listened to any longer.
  whole.catch(() => channel.close())
  const result = async (): Promise<ExecResult> => {
    // A command that ended without reading its input may leave the feeding without an end; a source that failed is told first.
    const over = closed.then(() => sleep(feedAfterCloseMs, undefined, { ref: false }))
    const failed = whole.then(() => over)
    await Promise.race([feed(channel, options.stdin), over, failed])
    const [ended, out, complained] = await whole
    if (ended === undefined) throw new NoEnd('the host did not say how the command ended')
    if (!reached) throw new NotReached(`it exited with ${ended}`, `${out}${complained}`)
    return { code: ended, stdout: out, stderr: complained, ...(leftOpen ? { leftOpen } : {}) }
  }
  return { channel, result: result(), group: group.promise, closed }
}

/** RFC 4254, 6.10: without SIG before its name; a signal that this machine does not know counts as a lost command. */
const signalNumber = (name: string | undefined): number =>
  Object.entries(constants.signals).find(([known]) => known === name || known === `SIG${name ?? ''}`)?.[1] ?? 127

/** A channel that closed without an exit status: the connection is about to be lost, or the host broke the channel off. */
export class NoEnd extends Error {}

const mostOfLine = 200

/** The login shell did not run the command: it is restricted, or something runs in its place. */
export class NotReached extends Error {
  readonly output: string

  constructor(why: string, output: string) {
    super(why)
    const last = output.trim().split('\n').slice(-3)
    this.output = last.map((line) => line.slice(0, mostOfLine)).join('\n')
  }
}

// What a login shell's own files print comes before the mark; more than this is no greeting.
const mostBeforeMark = 64 * 1024

/** Passes on what comes after the mark. Where there is none, all of it, so that it can be told what was said instead; where none comes, nothing more. */
function afterMark(found: (group: number) => void): Transform {
  let before: Buffer | undefined = Buffer.alloc(0)
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (before === undefined) return done(null, chunk)
      before = Buffer.concat([before, chunk])
      // Bytes as characters: what the positions count is bytes.
      const match = new RegExp(`${mark} (\\d+)\\n`).exec(before.toString('latin1'))
      if (match === null && before.length < mostBeforeMark) return done()
      const all = before
      before = undefined
      if (match === null) {
        return done(new TooMuch('what the login shell says before it runs a command', mostBeforeMark, all.length))
      }
      found(Number(match[1]))
      done(null, all.subarray(match.index + match[0].length))
    },
    flush(done) {
      done(null, before)
    },
  })
}

async function lines(stream: Readable, onLine: (line: string) => void, cutter: LineCutter): Promise<string> {
  for await (const chunk of stream) for (const line of linesIn(cutter.push(chunk as Uint8Array))) onLine(line)
  for (const line of linesIn(cutter.end())) onLine(line)
  return ''
}

async function passed(
  stream: NodeJS.ReadableStream,
  name: OutputStream,
  onOutput: NonNullable<RunOptions['onOutput']>,
): Promise<string> {
  for await (const chunk of stream) await onOutput(Buffer.from(chunk), name)
  return ''
}

async function feed(channel: ClientChannel, stdin: RunOptions['stdin']): Promise<void> {
  try {
    if (stdin !== undefined && 'file' in stdin) {
      await pipeline(createReadStream(stdin.file, { highWaterMark: 256 * 1024 }), channel.stdin)
    } else if (stdin !== undefined && 'stream' in stdin) await pipeline(stdin.stream(), channel.stdin)
    else channel.stdin.end(stdin === undefined ? '' : 'text' in stdin ? stdin.text : stdin.bytes)
  } catch (error) {
    // The command ended without reading it all; its exit code and message tell why.
    if (!(error instanceof Error) || !/EPIPE|premature close/i.test(error.message)) throw error
  }
}

interface Stoppable extends RunOptions {
  readonly kill: (signal: 'TERM' | 'KILL', group: number) => Promise<void>
}

// As execa does here: time to end well, then no more.
const endWithinMs = 5000
// A busy host takes its time to open a channel; one that is lost is noticed otherwise.
const tellWithinMs = 30_000
// A login shell that has not come to the command by then may hang. Once the channel is closed, what it starts later ends at its
// first word, the mark, which nobody takes (signal(7), SIGPIPE).
const beginWithinMs = 3000

/** What is told of a command that was not waited for. */
export const left = (argv: readonly string[]): NetopsError =>
  new NetopsError('interrupted', { message: `${argv[0] ?? ''} was left` })

/** Rejects when a command is to stop: at once where nobody waits for its end, else when it has ended on the host. */
export function stopper(opened: Opened, argv: readonly string[], options: Stoppable) {
  const { promise, reject } = Promise.withResolvers<never>()
  let stopping = false
  const stop = (error: NetopsError) => {
    if (stopping) return
    stopping = true
    const ended = options.signal === undefined ? Promise.resolve() : end(opened, options.kill)
    void ended.finally(() => {
      opened.channel.close()
      reject(error)
    })
  }
  const onAbort = () => stop(left(argv))
  options.signal?.addEventListener('abort', onAbort, { once: true })
  if (options.signal?.aborted === true) onAbort()
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const message = `${argv[0] ?? ''} did not end within ${options.timeoutMs ?? 0} ms`
          stop(new NetopsError('failed', { message }))
        }, options.timeoutMs)
  promise.catch(() => undefined)
  return {
    promise,
    /** Whether it is being stopped: then its own end is no answer any more. */
    isStopping: () => stopping,
    clear: () => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', onAbort)
    },
  }
}

/** Asks a command's processes to end, and ends them where they do not. */
async function end({ group, closed }: Opened, kill: Stoppable['kill']): Promise<void> {
  const isClosed = closed.then(() => true)
  const after = (ms: number) => sleep(ms, false, { ref: false })
  const isBegun = Promise.race([group.then(() => true), isClosed, after(beginWithinMs)])
  if (!(await isBegun)) return
  for (const signal of ['TERM', 'KILL'] as const) {
    // A host that takes no further channel, or answers otherwise than a shell, is left as it is: closing the channel is all
    // that remains.
    const refused = group
      .then((number) => kill(signal, number))
      .then(
        () => false,
        () => true,
      )
    if (await Promise.race([isClosed, refused, after(tellWithinMs)])) return
    if (await Promise.race([isClosed, after(endWithinMs)])) return
  }
}
