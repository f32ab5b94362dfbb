// The configuration that one host gets: the fleet's file, with what differs on this host put over it.
import { basename } from 'node:path'
import { dump } from 'js-yaml'
import type { Problem } from './problems.ts'
import { checkServerConfig, type ReadConfig } from './server-config.ts'
import { withValue, type Override } from './validate.ts'
import { readYaml } from './yaml.ts'

export interface Rendered {
  readonly text: string
  readonly read: ReadConfig
}

/** A value as YAML on one line. */
export const inlineYaml = (value: unknown): string => dump(value, { flowLevel: 0, lineWidth: -1 }).trimEnd()

/**
 * Renders a configuration; one without overrides is brought as it stands.
 * @param file the fleet's configuration, as messages and the rendered file name it
 * @returns or every problem, those of overrides with their place in the fleet file
 */
export function renderConfig(
  text: string,
  file: string,
  overrides: readonly Override[],
): Rendered | { readonly problems: readonly Problem[] } {
  const read = checkServerConfig(text, file, { overrides })
  if ('problems' in read) return read
  if (overrides.length === 0) return { text, read }
  const parsed = readYaml(text)
  const given = 'document' in parsed ? (parsed.document.value ?? {}) : {}
  const merged = overrides.reduce<unknown>((whole, { path, value }) => withValue(whole, path, value), given)
  // By their names alone: where an operator keeps them must not make another text.
  const sources = [...new Set([file, ...overrides.map(({ said }) => said.file)].map((name) => basename(name)))]
  const header = `# Written by netops from ${sources.join(' and ')}: a change made here is lost at the next deployment.\n`
  return { text: `${header}${dump(merged, { lineWidth: -1 })}`, read }
}
