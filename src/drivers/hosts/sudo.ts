// Becoming root by sudo. A password goes over a channel of its own into a file of the host's memory, from where sudo's own
// askpass reads it: it is never in a command's input, arguments or environment, and it goes when the connection does.
import { NetopsError } from '../../model/errors.ts'
import type { ExecResult } from '../../system/exec.ts'
import type { RunOptions } from './port.ts'
import { sshCommand } from './ssh-hint.ts'
import type { SshSettings } from './ssh-settings.ts'

export interface Become {
  /**
   * The password of the account that logs in, read when it is needed; undefined where there is none.
   * @throws NetopsError `usage` when it cannot be read
   */
  readonly password: () => Promise<string | undefined>
}

export interface Privileges {
  /** Stands before every command. */
  readonly prefix: readonly string[]
  /** Removes the password from the host. */
  readonly giveUp: () => void
}

export const noPrivileges: Privileges = { prefix: [], giveUp: () => undefined }

type Run = (argv: readonly string[], options: RunOptions) => Promise<ExecResult>

const askTimeoutMs = 30_000

/**
 * Finds out how sudo lets the account in: without a password, else with the one that is given.
 * @throws NetopsError `refused` when it does not
 */
export async function becomeRoot(run: Run, become: Become, settings: SshSettings): Promise<Privileges> {
  // sudo(8): -n never asks.
  const look = 'if [ "$(id -u)" = 0 ]; then echo root; else exec sudo -n -- true; fi'
  const free = await run(['sh', '-c', look], { timeoutMs: askTimeoutMs })
  if (free.stdout.trim() === 'root') return noPrivileges
  if (free.code === 0) return { ...noPrivileges, prefix: ['sudo', '-n', '--'] }
  const refuse = refusal(settings)
  if (!/password is required|a password|askpass/i.test(free.stderr)) throw refuse(free)
  const password = await become.password()
  if (password === undefined) {
    throw refuse(
      free,
      'name its source as ssh.become_password in the fleet file, or allow it without (NOPASSWD in sudoers(5))',
    )
  }
  const kept = await keepPassword(run, password, settings)
  try {
    const asked = await run([...kept.prefix, 'true'], { timeoutMs: askTimeoutMs })
    if (asked.code !== 0) throw refuse(asked, 'see which password sudo asks for: rootpw, targetpw in sudoers(5)')
    return kept
  } catch (error) {
    kept.giveUp()
    throw error
  }
}

const refusal =
  (settings: SshSettings) =>
  ({ stderr, code }: ExecResult, hint?: string): NetopsError => {
    const { name, user, address } = settings
    return new NetopsError('refused', {
      host: name,
      message: `sudo does not let ${user} on ${address} be root: ${stderr.trim().split('\n').slice(-3).join('\n') || `it exited with ${code}`}`,
      hint: hint ?? `try: ${sshCommand(settings, 'sudo', '-v')}`,
    })
  }

/**
 * Holds the password for as long as its input stays open, which is as long as the connection: whatever ends that, the shell
 * sees the end of its input and removes the folder. Only file systems in memory are used, so that it is on no disk.
 */
const keeper = `umask 077
for base in "$XDG_RUNTIME_DIR" /dev/shm /run/lock /tmp; do
  [ -n "$base" ] && [ -d "$base" ] && [ -w "$base" ] || continue
  [ "$(stat -f -c %T -- "$base")" = tmpfs ] || continue
  folder=$(mktemp -d "$base/netops-XXXXXXXXXX") || continue
  trap 'rm -rf -- "$folder"' EXIT
  trap 'exit 1' HUP INT TERM PIPE
  printf '#!/bin/sh\\nexec cat "%s/secret"\\n' "$folder" > "$folder/askpass" && chmod 0700 "$folder/askpass"
  : > "$folder/secret"
  "$folder/askpass" 2> /dev/null || { rm -rf -- "$folder"; continue; }
  IFS= read -r secret && printf '%s\\n' "$secret" > "$folder/secret" || exit 1
  secret=
  printf 'folder %s\\n' "$folder"
  cat > /dev/null
  exit 0
done
echo 'no file system in memory that programs may be run from' >&2
exit 1`

async function keepPassword(run: Run, password: string, settings: SshSettings): Promise<Privileges> {
  const over = Promise.withResolvers<undefined>()
  const folder = Promise.withResolvers<string>()
  const input = async function* () {
    yield Buffer.from(`${password}\n`)
    await over.promise
  }
  const kept = run(['sh', '-c', keeper], {
    stdin: { stream: input },
    longestLine: 64 * 1024,
    onLine: (line) => {
      const [, path] = /^folder (\/.+)$/.exec(line) ?? []
      if (path !== undefined) folder.resolve(path)
    },
  })
  const giveUp = (): void => over.resolve(undefined)
  const ended = kept.then((result) => {
    throw refusal(settings)(
      result,
      'the password is kept in memory there: /dev/shm must allow programs (mount -o remount,exec)',
    )
  })
  // After the folder is there, its end is that of the connection.
  ended.catch(() => undefined)
  const path = await Promise.race([folder.promise, ended])
  // sudo(8): -A asks the program of SUDO_ASKPASS.
  return { prefix: ['env', `SUDO_ASKPASS=${path}/askpass`, 'sudo', '-A', '-p', '', '--'], giveUp }
}
