// One command on every host at once, each with its output as it comes.
import type { HostConnection } from '../drivers/hosts/port.ts'
import { locate, NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import { quoteCommand } from '../model/quote.ts'
import type { Target } from '../model/target.ts'
import { noMark, refuseOtherEnvironment } from '../procedures/environment-mark.ts'
import type { Input, OutputStream } from '../system/exec.ts'
import type { FleetContext } from './context.ts'
import { onEachHost } from './pool.ts'

export interface ExecOnHosts {
  readonly targets: readonly Target[]
  /** What the fleet file says that the hosts are. */
  readonly environment: string | undefined
  readonly argv: readonly string[]
  readonly input: Input | undefined
  /** In ms. */
  readonly timeout?: number | undefined
  readonly atOnce: number
}

/** What a command came to on one host. */
export interface HostExecution {
  readonly host: string
  /** Undefined where the command did not run to its end. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
  readonly error: NetopsError | undefined
  /** A process that it left holds its output open. */
  readonly leftOpen?: true
}

/** Where the output of one host goes. */
export interface OutputSink {
  readonly take: (bytes: Uint8Array, stream: OutputStream) => Promise<void>
  /** What is left of it for the document. */
  readonly end: () => Promise<Pick<HostExecution, 'stdout' | 'stderr'>>
}

/** @throws NetopsError `usage` for no command, and for a whole command line given as one word */
export function requireCommand(argv: readonly string[]): void {
  const [first = ''] = argv
  if (argv.length === 0) {
    throw new NetopsError('usage', { message: 'no command given', hint: 'netops exec -- COMMAND [ARGUMENT...]' })
  }
  if (argv.length > 1 || !first.includes(' ')) return
  throw new NetopsError('usage', {
    message: `no shell reads the command: '${first}' would be looked for as a program of that name`,
    hint: `give the words by themselves, or ask for a shell: netops exec -- ${quoteCommand(['sh', '-c', first])}`,
  })
}

/** Runs it everywhere; the executions are in the order of the hosts. */
export async function execOnHosts(
  command: ExecOnHosts,
  sinkOf: (host: string) => OutputSink,
  context: FleetContext,
): Promise<readonly HostExecution[]> {
  const answers = await onEachHost(
    {
      targets: command.targets,
      atOnce: command.atOnce,
      work: (connection, target) => execOn(connection, target, command, { sink: sinkOf(target.name), context }),
    },
    context,
  )
  return answers.map(
    ({ host, value, error }) => value ?? { host, code: undefined, stdout: '', stderr: '', ms: 0, error },
  )
}

/**
 * Keeps a command from a host that is marked as another environment. The host looks in the very command that it is given:
 * another one just to look would cost an SSH server as much as half a login.
 */
async function guardOf(environment: string | undefined, path: string) {
  // Late: loading it takes longer than hosts take to answer a connection.
  const { randomBytes } = await import('node:crypto')
  // What the guard says is told from what the command says by a word that nobody knows before.
  const word = `netops-${randomBytes(8).toString('hex')}`
  // The shell does it alone: starting a cat takes as long as starting the command. Without an exclamation mark, so that it
  // is the shell that runs there anyway (src/drivers/hosts/login-shell.ts).
  const look = [
    'mark=; [ -e "$1" ] && mark="(unreadable)"',
    '[ -f "$1" ] && [ -r "$1" ] && { read -r mark < "$1"; [ -n "$mark" ] || mark="(empty)"; }',
    'case "$mark" in ""|"$2") ;; *) echo "$3 $mark" >&2; exit 1 ;; esac',
    'shift 3; exec "$@"',
  ].join('; ')
  let marked: string | undefined
  return {
    around: (argv: readonly string[]) => ['sh', '-c', look, 'sh', path, environment ?? '', word, ...argv],
    refuses(bytes: Uint8Array): boolean {
      if (marked !== undefined || bytes.length > 1024) return false
      const [, mark] = new RegExp(`^${word} (.+)$`, 'm').exec(Buffer.from(bytes).toString()) ?? []
      marked = mark
      return mark !== undefined
    },
    check(host: string): void {
      if (marked === '(empty)') throw noMark(host, path)
      refuseOtherEnvironment(host, marked, environment)
    },
  }
}

/** Runs the command on one host; whatever becomes of it is told with what it printed until then. */
async function execOn(
  connection: HostConnection,
  target: Target,
  { argv, input, timeout, environment }: ExecOnHosts,
  { sink, context }: { readonly sink: OutputSink; readonly context: FleetContext },
): Promise<HostExecution> {
  const host = target.name
  const begun = performance.now()
  let end: Pick<HostExecution, 'code' | 'error' | 'leftOpen'>
  try {
    const { signal } = context
    const guard = target.kind === 'ssh' ? await guardOf(environment, hostPaths(target.root).environment) : undefined
    const onOutput: OutputSink['take'] = async (bytes, stream) => {
      if (guard?.refuses(bytes) !== true) await sink.take(bytes, stream)
    }
    const guarded = guard?.around(argv) ?? argv
    const how = { stdin: input, timeoutMs: timeout, signal, onOutput }
    const { code, leftOpen } = await connection.run(guarded, how)
    guard?.check(host)
    end = { code, error: undefined, ...(leftOpen && { leftOpen }) }
  } catch (thrown) {
    end = { code: undefined, error: locate(thrown, { host }) }
  }
  const ms = Math.round(performance.now() - begun)
  return { host, ...end, ms, ...(await sink.end()) }
}
