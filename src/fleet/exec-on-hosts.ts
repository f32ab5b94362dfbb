// One command on every chosen host at once, over each host's own connection.
import { randomBytes } from 'node:crypto'
import type { HostConnection } from '../drivers/hosts/port.ts'
import { locate, type NetopsError } from '../model/errors.ts'
import { hostPaths } from '../model/paths.ts'
import type { Target } from '../model/target.ts'
import { refuseOtherEnvironment } from '../procedures/environment-mark.ts'
import type { Input, OutputStream } from '../system/exec.ts'
import type { FleetContext } from './context.ts'
import type { Fleet } from './fleet.ts'
import { onEachHost } from './pool.ts'

/** The command, and where and how it is run. */
export interface ExecOnHosts {
  readonly fleet: Pick<Fleet, 'targets' | 'environment'>
  readonly argv: readonly string[]
  readonly input: Input | undefined
  readonly timeout?: number | undefined
  readonly atOnce: number
}

/** What became of the command on one host. */
export interface HostExecution {
  readonly host: string
  /** Undefined where the command did not run to its end. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
  readonly error: NetopsError | undefined
}

/** Where the output of one host goes. */
export interface OutputSink {
  readonly take: (bytes: Uint8Array, stream: OutputStream) => Promise<void>
  /** What is left of it for the document. */
  readonly end: () => Promise<Pick<HostExecution, 'stdout' | 'stderr'>>
}

/** Runs it, and returns what became of it on each host in the order of the fleet. */
export async function execOnHosts(
  exec: ExecOnHosts,
  sinkOf: (host: string) => OutputSink,
  context: Pick<FleetContext, 'connections' | 'signal'>,
): Promise<readonly HostExecution[]> {
  const answers = await onEachHost<HostExecution>(
    {
      targets: exec.fleet.targets,
      atOnce: exec.atOnce,
      work: (connection, target) => execOnHost({ connection, target }, exec, sinkOf(target.name), context.signal),
    },
    context,
  )
  return answers.map(
    ({ host, value, error }) => value ?? { host, code: undefined, stdout: '', stderr: '', ms: 0, error },
  )
}

/** Runs the command on one host; whatever becomes of it is returned with what it printed until then. */
async function execOnHost(
  { connection, target }: { readonly connection: HostConnection; readonly target: Target },
  { argv, input, timeout, fleet: { environment } }: ExecOnHosts,
  sink: OutputSink,
  signal: AbortSignal,
): Promise<HostExecution> {
  const host = target.name
  const begun = performance.now()
  let end: Pick<HostExecution, 'code' | 'error'>
  try {
    const guard = target.kind === 'ssh' ? guardOf(environment, hostPaths(target.root).environment) : undefined
    const onOutput: OutputSink['take'] = async (bytes, stream) => {
      if (guard?.refuses(bytes) !== true) await sink.take(bytes, stream)
    }
    const guarded = guard?.around(argv) ?? argv
    const { code } = await connection.run(guarded, { stdin: input, timeoutMs: timeout, signal, onOutput })
    guard?.check(host)
    end = { code, error: undefined }
  } catch (thrown) {
    end = { code: undefined, error: locate(thrown, { host }) }
  }
  const ms = Math.round(performance.now() - begun)
  return { host, ...end, ms, ...(await sink.end()) }
}

/**
 * Keeps a command from a host that is marked as another environment. The host looks in the very command that it is given:
 * another one just to look would cost an SSH server as much as half a login.
 */
function guardOf(environment: string | undefined, path: string) {
  // What the guard says is told from what the command says by a word that nobody knows before.
  const word = `netops-${randomBytes(8).toString('hex')}`
  // The shell does it alone: starting a cat takes as long as starting the command.
  const look = [
    'mark=; [ ! -e "$1" ] || mark="(unreadable)"',
    '[ ! -f "$1" ] || [ ! -r "$1" ] || { mark=; read -r mark < "$1"; }',
    'if [ -n "$mark" ] && [ "$mark" != "$2" ]; then echo "$3 $mark" >&2; exit 1; fi',
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
    check: (host: string): void => refuseOtherEnvironment(host, marked, environment),
  }
}
