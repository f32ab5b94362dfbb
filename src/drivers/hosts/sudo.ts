// Becoming root by sudo. A password goes over a channel of its own into a file of the host's memory, from where sudo's own
// askpass reads it: it is never in a command's input, arguments or environment, and it goes a few seconds after the last word
// from here, or when the connection does.
import { setTimeout as sleep } from 'node:timers/promises'
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
  /** Has the password ready for a command; to be awaited before it begins, and what it returns called when it has ended. */
  readonly use: () => Promise<() => void>
  /** Removes the password from the host. */
  readonly giveUp: () => void
}

const nothingUsed = (): void => undefined

export const noPrivileges: Privileges = {
  prefix: [],
  use: () => Promise.resolve(nothingUsed),
  giveUp: () => undefined,
}

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
    const used = await kept.use()
    const asked = await run([...kept.prefix, 'true'], { timeoutMs: askTimeoutMs }).finally(used)
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
 * Holds the password for as long as it is told again and again: sshd may keep a connection that was cut for hours, and a file
 * that only its end removes would stay as long. Each line is the password; a file that got none for a few seconds is emptied.
 * At the end of the input, or when the shell is gone, the folder goes too. Only file systems in memory are used.
 * Many commands read the file while it is told again: it is replaced as a whole, and who finds none waits for the next time.
 */
const keeper = `umask 077
wait='cd -- "\${0%/*}" || exit
for try in 1 2 3 4 5 6 7 8 9 10; do [ ! -s secret ] || break; sleep 0.5 || sleep 1; done'
empty() { : > "$folder/none" && mv -f -- "$folder/none" "$folder/secret"; }
for base in "$XDG_RUNTIME_DIR" /dev/shm /run/lock /tmp; do
  [ -n "$base" ] && [ -d "$base" ] && [ -w "$base" ] || continue
  [ "$(stat -f -c %T -- "$base")" = tmpfs ] || continue
  folder=$(mktemp -d "$base/netops-XXXXXXXXXX") || continue
  trap 'rm -rf -- "$folder"' EXIT
  trap 'exit 1' HUP INT TERM PIPE
  printf '#!/bin/sh\\n%s\\nexec cat secret\\n' "$wait" > "$folder/askpass" && chmod 0700 "$folder/askpass"
  echo none > "$folder/secret"
  "$folder/askpass" > /dev/null 2>&1 || { rm -rf -- "$folder"; continue; }
  empty
  while sleep 2; do
    kill -0 $$ 2> /dev/null || { rm -rf -- "$folder"; exit; }
    if [ -e "$folder/told" ]; then rm -f -- "$folder/told"; else empty; fi
  done < /dev/null > /dev/null 2>&1 &
  watch=$!
  trap 'kill "$watch"; rm -rf -- "$folder"' EXIT
  printf 'folder %s\\n' "$folder"
  while IFS= read -r secret; do
    : > "$folder/told"
    printf '%s\\n' "$secret" > "$folder/next" && mv -f -- "$folder/next" "$folder/secret" || exit 1
    secret=
    echo there
  done
  exit 0
done
echo 'no file system in memory that programs may be run from' >&2
exit 1`

// The host looks every two seconds whether it was told meanwhile.
const tellEveryMs = 700

async function keepPassword(run: Run, password: string, settings: SshSettings): Promise<Privileges> {
  const folder = Promise.withResolvers<string>()
  const telling = new PasswordTelling(`${password}\n`)
  const kept = run(['sh', '-c', keeper], {
    stdin: { stream: () => telling.words() },
    longestLine: 64 * 1024,
    onLine: (line) => {
      const [, path] = /^folder (\/.+)$/.exec(line) ?? []
      if (path !== undefined) folder.resolve(path)
      else if (line === 'there') telling.heard()
    },
  })
  const ended = kept.then((result) => {
    throw refusal(settings)(
      result,
      'the password is kept in memory there: /dev/shm must allow programs (mount -o remount,exec)',
    )
  })
  // After the folder is there, its end is that of the connection.
  ended.catch(() => telling.over())
  const path = await Promise.race([folder.promise, ended])
  return {
    // sudo(8): -A asks the program of SUDO_ASKPASS.
    prefix: ['env', `SUDO_ASKPASS=${path}/askpass`, 'sudo', '-A', '-p', '', '--'],
    use: () => telling.use(),
    giveUp: () => telling.over(),
  }
}

/** Tells a host a password while commands need it, and says when the host has it. */
class PasswordTelling {
  readonly #line: Buffer
  #users = 0
  #isOver = false
  /** How often it was told, and how often the host said that it has it. */
  readonly #count = { told: 0, heard: 0 }
  #wake = Promise.withResolvers<undefined>()
  #news = Promise.withResolvers<undefined>()

  constructor(line: string) {
    this.#line = Buffer.from(line)
  }

  /** What goes to the host: the password at once when somebody needs it, and again as long as somebody does. */
  async *words(): AsyncIterable<Uint8Array> {
    for (;;) {
      if (this.#users === 0) await this.#wake.promise
      if (this.#isOver) return
      this.#wake = Promise.withResolvers<undefined>()
      this.#count.told += 1
      yield this.#line
      await Promise.race([this.#wake.promise, sleep(tellEveryMs, undefined, { ref: false })])
    }
  }

  heard(): void {
    this.#count.heard += 1
    this.#tellNews()
  }

  /** Returns when the host was told after now; the password stays there until all have called what it returns. */
  async use(): Promise<() => void> {
    this.#users += 1
    const wanted = this.#count.told + 1
    this.#wake.resolve(undefined)
    while (this.#count.heard < wanted && !this.#isOver) await this.#news.promise
    let used = true
    return () => {
      if (used) this.#users -= 1
      used = false
    }
  }

  over(): void {
    this.#isOver = true
    this.#wake.resolve(undefined)
    this.#tellNews()
  }

  #tellNews(): void {
    this.#news.resolve(undefined)
    this.#news = Promise.withResolvers<undefined>()
  }
}
