// The command of `hosts_from`: run with bounds, and whatever goes wrong with it is told by what it did.
import { messageOf, NetopsError } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { formatDuration, type Milliseconds } from '../model/units.ts'
import { execWithin, type ExecResult } from '../system/exec.ts'
import { showValue } from './problems.ts'

// An inventory of 5,000 hosts is about 500 KB; more is not an inventory.
const mostBytes = 2 ** 20

/** Who to ask: a command, where, and for how long. */
export interface HostsCommand {
  readonly command: readonly string[]
  readonly timeout: Milliseconds
  /** The folder that it runs in: that of the fleet file. */
  readonly cwd: string
}

/**
 * Runs it.
 * @returns what it printed
 * @throws NetopsError `usage` when it fails, takes too long, prints nothing or far too much
 */
export async function askForHosts({ command, timeout, cwd }: HostsCommand): Promise<string> {
  const name = `hosts_from (${command[0] ?? ''})`
  const refuse = (message: string, hint = 'run the command by hand to see what it prints'): never => {
    throw new NetopsError('usage', { message: `${name}: ${message}`, hint })
  }
  let result: ExecResult | undefined
  try {
    result = await execWithin(command, timeout, { cwd, most: mostBytes })
  } catch (error) {
    return refuse(messageOf(error))
  }
  if (result === undefined) {
    return refuse(`no end within ${formatDuration(timeout)}`, 'make it faster, or raise hosts_from.timeout')
  }
  const { code, stdout, stderr } = result
  if (code !== 0) {
    const last = stderr.trim().split('\n').at(-1) ?? ''
    return refuse(`exited with ${code}${last === '' ? '' : `, the last it said: ${showValue(last)}`}`)
  }
  if (stdout.trim() === '') return refuse('printed nothing; expected JSON')
  if (parseJson(stdout) === undefined) {
    const text = stdout.trim()
    // What it meant to say may hold a secret: its first word is enough to see what went wrong.
    const printed = /^[{[]/.test(text) ? 'what begins as JSON and is none' : showValue(text.split(/\s/)[0])
    return refuse(`printed ${printed}; expected JSON`)
  }
  return stdout
}
