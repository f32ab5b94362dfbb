// A command as any login shell takes it: sshd hands the line to the account's own shell, which may be csh, fish or a noisy
// bash. What runs then is /bin/sh, which first tells that it was reached, and under which number.
import { quoteCommand } from '../../model/quote.ts'

/** What the line prints before the command's own output. */
export const mark = 'netops-command'

/**
 * The number is the command's process group: sshd starts each command in a session of its own (sshd's session.c,
 * do_exec_no_pty). In single quotes, what csh(1) or fish(1) would still read as its own (a quote, a backslash, an exclamation
 * mark, a line break) is given as printf(1) writes it.
 */
export function loginLine(argv: readonly string[]): string {
  const own = scriptLine(argv)
  if (own !== undefined) return own
  const line = quoteCommand(argv)
  if (!/[\\!\n]/.test(line)) return `exec /bin/sh -c 'echo ${mark} $$;exec "$@"' sh ${line}`
  const encoded = line.replace(/[\\!\n']/g, (letter) => `\\0${letter.charCodeAt(0).toString(8).padStart(3, '0')}`)
  return `exec /bin/sh -c 'echo ${mark} $$;eval "exec $(printf %b "$0")"' '${encoded}'`
}

/** A script for sh, by the shell that is there anyway: on a busy host another one takes as long as what it starts. */
function scriptLine([program, option, script, ...words]: readonly string[]): string | undefined {
  if (program !== 'sh' || option !== '-c' || script === undefined) return undefined
  const line = `exec /bin/sh -c 'echo ${mark} $$;${script}' ${quoteCommand(words.length === 0 ? ['sh'] : words)}`
  // Of a script that has quotes, and of lines that some shell would read by itself, the words are passed on.
  return script.includes("'") || /[\\!\n\0]/.test(line) ? undefined : line
}
