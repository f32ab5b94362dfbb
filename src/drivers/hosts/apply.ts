// Executes the commands of an effect over a connection, and names what failed.
import type { HostEffect } from '../../model/effects.ts'
import { NetopsError } from '../../model/errors.ts'
import type { ExecResult } from '../../system/exec.ts'
import { quoteCommand } from '../../model/quote.ts'
import { commandsOf, halfMadeBy } from './commands.ts'
import type { HostCommand, HostConnection } from './port.ts'

const commandTimeoutMs = 600_000
// One argument may have 128 KiB (MAX_ARG_STRLEN, execve(2)), and quoting it again can make it several times as long.
const longestBatch = 16 * 1024

/**
 * Runs commands in order and stops at the first that fails. Those that need nothing of netops between them are given to the
 * host together: each call costs a way there and back, and an SSH server as much as several small commands.
 * @throws NetopsError with the command's own code (`failAs`, else `failed`), naming the command and its output
 */
export async function applyCommands(connection: HostConnection, commands: readonly HostCommand[]): Promise<void> {
  for (let next = 0; next < commands.length;) {
    const batch = batchOf(commands.slice(next))
    const timeoutMs = batch.reduce((sum, command) => sum + (command.timeoutMs ?? commandTimeoutMs), 0)
    const last = batch.at(-1)
    const result = await connection.run(argvOf(batch), { stdin: last?.stdin, timeoutMs })
    const { failed, ...rest } = whichFailed(batch, result)
    if (failed !== undefined) throw commandFailed(connection.name, failed, rest)
    next += batch.length + (result.code === 0 ? (last?.skipNextIfOk ?? 0) : 0)
  }
}

/** The first of some commands: as many as take no input and may answer success alone, and the one after them. */
function batchOf(commands: readonly HostCommand[]): readonly HostCommand[] {
  let length = quoteCommand(commands[0]?.argv ?? []).length
  const last = commands.findIndex(({ stdin, okCodes, skipNextIfOk }, index) => {
    length += quoteCommand(commands[index + 1]?.argv ?? []).length
    return stdin !== undefined || okCodes !== undefined || skipNextIfOk !== undefined || length > longestBatch
  })
  return last === -1 ? commands : commands.slice(0, last + 1)
}

/**
 * Carries out an effect. One that fails leaves nothing half made where the host can still be reached.
 * @throws NetopsError as {@link applyCommands}
 */
export async function applyEffect(
  there: HostConnection,
  effect: HostEffect,
  commands: readonly HostCommand[] = commandsOf(effect),
): Promise<void> {
  try {
    await applyCommands(there, commands)
  } catch (error) {
    const left = halfMadeBy(effect)
    const reached = error instanceof NetopsError && error.code !== 'unreachable' && error.code !== 'interrupted'
    // Why it failed is what matters.
    if (left !== undefined && reached) await there.run(['rm', '-f', '--', left]).catch(() => undefined)
    throw error
  }
}

const mark = 'netops-failed'

function argvOf(batch: readonly HostCommand[]): readonly string[] {
  const lines = batch.map(({ argv }) => quoteCommand(argv))
  const [only] = batch
  if (only !== undefined && lines.length === 1) return only.argv
  const before = lines.slice(0, -1).map((line, index) => `${line} < /dev/null || fail $? ${index}; waited`)
  const fail = `fail() { printf '\\n${mark} %d\\n' "$2" >&2; exit "$1"; }`
  // Whoever gave the commands is gone, killed or cut off: another may be doing them anew by now.
  const waited = 'waited() { kill -0 "$PPID" 2> /dev/null || exit 1; }'
  return ['sh', '-c', [fail, waited, ...before, `exec ${lines.at(-1) ?? ''}`].join('\n')]
}

/** The command that failed, if any, with the output less the mark that tells which one it was. */
function whichFailed(batch: readonly HostCommand[], { code, stdout, stderr }: ExecResult) {
  const found = batch.length === 1 ? null : new RegExp(`\\n${mark} (\\d+)\\n$`).exec(stderr)
  const command = found === null ? batch.at(-1) : batch[Number(found[1])]
  const succeeded = found === null && (command?.okCodes ?? [0]).includes(code)
  return {
    failed: succeeded ? undefined : command,
    ...{ code, stdout, stderr: found === null ? stderr : stderr.slice(0, found.index) },
  }
}

function commandFailed(host: string, command: HostCommand, result: ExecResult): NetopsError {
  const output = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-10).join('\n')
  if (/No space left on device/.test(output)) {
    return new NetopsError('failed', {
      host,
      message: `the disk is full: ${quoteCommand(command.argv)}: ${output}`,
      hint: 'free space (df -h names the file system), then run the same command again',
    })
  }
  return new NetopsError(command.failAs ?? 'failed', {
    host,
    message: `${quoteCommand(command.argv)} exited with ${result.code}${output === '' ? '' : `: ${output}`}`,
  })
}
