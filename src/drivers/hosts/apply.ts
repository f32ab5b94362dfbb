// Executes the commands of an effect over a connection, and names what failed.
import { NetopsError } from '../../model/errors.ts'
import type { ExecResult } from '../../system/exec.ts'
import { quoteCommand } from './quote.ts'
import type { HostCommand, HostConnection } from './port.ts'

const commandTimeoutMs = 600_000

/**
 * Runs commands in order and stops at the first that fails.
 * @throws NetopsError with the command's own code (`failAs`, else `failed`), naming the command and what it said
 */
export async function applyCommands(connection: HostConnection, commands: readonly HostCommand[]): Promise<void> {
  for (let next = 0; next < commands.length; next += 1) {
    const command = commands[next]
    if (command === undefined) break
    const { argv, stdin, timeoutMs = commandTimeoutMs } = command
    const result = await connection.run(argv, { stdin, timeoutMs })
    if (!(command.okCodes ?? [0]).includes(result.code)) throw commandFailed(connection.name, command, result)
    if (result.code === 0) next += command.sparesNext ?? 0
  }
}

function commandFailed(host: string, command: HostCommand, result: ExecResult): NetopsError {
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-10).join('\n')
  if (/No space left on device/.test(said)) {
    return new NetopsError('failed', {
      host,
      message: `the disk is full: ${quoteCommand(command.argv)}: ${said}`,
      hint: 'free space (df -h names the file system), then run the same command again',
    })
  }
  return new NetopsError(command.failAs ?? 'failed', {
    host,
    message: `${quoteCommand(command.argv)} exited with ${result.code}${said === '' ? '' : `: ${said}`}`,
  })
}
