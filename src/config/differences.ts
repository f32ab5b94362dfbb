// Where two configurations of the server differ by the values in effect. Pure.
import type { ReadConfig } from './server-config.ts'

export interface Difference {
  /** `server.port` */
  readonly path: string
  readonly a: unknown
  readonly b: unknown
}

/** Keys whose values in effect differ. Of secrets only that they differ is said. */
export function differencesOf(a: ReadConfig, b: ReadConfig): readonly Difference[] {
  return a.settings.flatMap(({ path, key, value: was }, index): readonly Difference[] => {
    const is = b.settings[index]?.value
    const [before, after] = [meant(a, key.section, key.name), meant(b, key.section, key.name)]
    if (JSON.stringify(before) === JSON.stringify(after)) return []
    const secret = key.secret === true && before !== undefined && after !== undefined
    return [{ path, a: was, b: secret ? '(set, another value)' : is }]
  })
}

const meant = ({ value }: ReadConfig, section: string, name: string): unknown =>
  (value as unknown as Record<string, Record<string, unknown>>)[section]?.[name]
