// What people and scripts see of the server's configuration.
import type { Difference } from '../../config/differences.ts'
import { inlineYaml as inline } from '../../config/render.ts'
import type { Setting } from '../../config/server-config.ts'

/** Where two configurations differ, as people read it. */
export function differencesText([a, b]: readonly [string, string], differences: readonly Difference[]): string {
  if (differences.length === 0) return `${a} and ${b} mean the same`
  const lines = differences.map(({ path, a: was, b: is }) => `  ${path}: ${valueText(was)} -> ${valueText(is)}`)
  return [`--- ${a}`, `+++ ${b}`, ...lines].join('\n')
}

const valueText = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value))

/** A value in effect in the document. */
export const settingEntry = ({ path, key, value, origins }: Setting) => ({
  path,
  value,
  ...(key.secret === true ? { secret: true } : {}),
  ...(key.pending === undefined ? {} : { notInEffect: key.pending }),
  origins,
})

/** As a configuration file would say it. */
export function settingsText(settings: readonly Setting[], how: 'values' | 'with origins'): string {
  if (settings.length === 0) return '# nothing is set: all defaults (--effective shows them)'
  const sections = [...new Set(settings.map(({ key }) => key.section))]
  return sections
    .map((section) => {
      const lines = settings
        .filter(({ key }) => key.section === section)
        .map(({ key, value, origins: [winner, ...others] }) => {
          const line = `  ${key.name}: ${inline(value)}`
          const over = others.map((origin) => `${origin.said} ${inline(origin.value)}`)
          const words = `${winner?.said ?? ''}${over.length === 0 ? '' : `, over ${over.join(', ')}`}`
          return how === 'values' ? line : `${line}  # ${words}`
        })
      return [`${section}:`, ...lines].join('\n')
    })
    .join('\n')
}
