// A command as it stands in a systemd unit, and read back from one. Pure.

/** A word of a systemd unit's ExecStart= (systemd.service(5), Command Lines). */
function unitWord(word: string): string {
  if (/^[\w./:@=,+-]+$/.test(word)) return word
  const escaped = word.replaceAll(/[\\"]/g, (one) => `\\${one}`)
  return `"${escaped.replaceAll('%', '%%').replaceAll('$', '$$$$')}"`
}

/** @returns a command as a systemd unit has it */
export const unitCommand = (argv: readonly string[]): string => argv.map(unitWord).join(' ')

/** @returns the command of a unit's text, as {@link unitCommand} wrote it; undefined where there is none */
export function commandOfUnit(text: string): readonly string[] | undefined {
  const line = /^ExecStart=(.+)$/m.exec(text)?.[1]
  if (line === undefined) return undefined
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, word]) =>
    quoted === undefined ? (word ?? '') : quoted.replaceAll('$$', '$').replaceAll('%%', '%').replaceAll(/\\(.)/g, '$1'),
  )
}
