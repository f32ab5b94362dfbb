// The one place where argv becomes a line for a POSIX shell.

/** An argument as a POSIX shell reads it back unchanged. */
function quoteArgument(argument: string): string {
  if (argument.includes('\0')) throw new TypeError('an argument cannot hold a NUL byte')
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`
}

/** A whole command as a POSIX shell reads it back unchanged. */
export const quoteCommand = (argv: readonly string[]): string => argv.map(quoteArgument).join(' ')
