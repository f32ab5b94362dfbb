// network_server's configuration from all its sources: defaults < file < fleet file < environment < options, checked as one.
import { logLevels } from '../model/logging-config.ts'
import { serverConfigSchema, type ServerConfig } from '../model/server-config.ts'
import { serverRules } from '../model/server-rules.ts'
import { exposures } from './exposure.ts'
import { nearest, type Problem } from './problems.ts'
import { valueAt } from './schema-words.ts'
import { readAs, serverKeys, serverVariables, type ServerKey } from './server-keys.ts'
import { checkYaml, valueOf, type Override, type Said } from './validate.ts'
import type { YamlDocument } from './yaml.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What may be put over a file. */
export interface Sources {
  /** Values of the fleet file, the last one wins. */
  readonly overrides?: readonly Override[]
  /** Where the `NETWORK_*` variables are looked up; an empty one counts as not set. */
  readonly env?: Environment
  /** `section.key=value`, as `--set` takes them. */
  readonly set?: readonly string[]
  /** `keys` checks each key by itself: the others come from somewhere that is not known here. */
  readonly check?: 'keys'
}

/** One value of one key, and who said it. */
export interface Origin {
  readonly from: 'default' | 'file' | 'fleet' | 'environment' | 'option'
  /** `config.yaml:3:9`, `NETWORK_SERVER_PORT`, `--set`; `default`. */
  readonly said: string
  /** As it was written; `(set)` for a secret. */
  readonly value: unknown
}

/** A key with its value in effect and everything that was said of it. */
export interface Setting {
  readonly path: string
  readonly key: ServerKey
  /** As it was written; `(set)` for a secret, undefined where nothing is set. */
  readonly value: unknown
  /** The one in effect first; below it what it wins over. Empty where nothing is set. */
  readonly origins: readonly Origin[]
}

export interface ReadConfig {
  readonly value: ServerConfig
  readonly settings: readonly Setting[]
  /** What of it this release does not do, and variables that are probably misspelt, a sentence each. */
  readonly notes: readonly string[]
  /** What of it is better otherwise, a sentence each. */
  readonly warnings: readonly string[]
}

/**
 * Checks the text of a `config.yaml` with what is put over it.
 * @param file its name in messages
 */
export function checkServerConfig(
  text: string,
  file: string,
  sources: Sources = {},
): ReadConfig | { readonly problems: readonly Problem[] } {
  const { env = {}, set = [], overrides: fleet = [] } = sources
  const environment = fromEnvironment(env)
  const options = fromOptions(set)
  const layers: readonly (readonly [Origin['from'], readonly Override[]])[] = [
    ['fleet', fleet],
    ['environment', environment.overrides],
    ['option', options.overrides],
  ]
  const checked = checkYaml(text, file, serverConfigSchema, {
    overrides: layers.flatMap(([, overrides]) => overrides),
    rules: sources.check === 'keys' ? [] : serverRules,
  })
  const problems = [...('problems' in checked ? checked.problems : []), ...environment.problems, ...options.problems]
  if ('problems' in checked || problems.length > 0) return { problems }
  const settings = serverKeys().map((key) => settingOf(key, { file, layers, ...checked }))
  const value = withLevelOf(env, checked.value)
  return { value, settings, notes: [...notYetInEffect(settings), ...misspelt(env)], warnings: exposures(value) }
}

/**
 * As {@link checkServerConfig}, for a configuration that must be valid.
 * @throws NetopsError `usage` whose message is one line a problem
 */
export function readServerConfig(text: string, file: string, sources: Sources = {}): ReadConfig {
  const checked = checkServerConfig(text, file, sources)
  return valueOf('problems' in checked ? checked : { value: checked })
}

/** The configuration alone, as {@link readServerConfig}. */
export const parseServerConfig = (text: string, file: string, sources: Sources = {}): ServerConfig =>
  readServerConfig(text, file, sources).value

interface Layer {
  readonly overrides: readonly Override[]
  readonly problems: readonly Problem[]
}

function fromEnvironment(env: Environment): Layer {
  const problems: Problem[] = []
  const overrides = serverKeys().flatMap((key): readonly Override[] => {
    const given = key.variables.flatMap((name) => (env[name] ? [{ name, text: env[name] }] : []))
    const [first, second] = given
    if (first === undefined) return []
    if (second !== undefined && second.text !== first.text) {
      problems.push({
        file: second.name,
        path: key.path,
        message: `says something else than ${first.name}; set only one of them`,
      })
    }
    const override = { path: [key.section, key.name], value: readAs(key, first.text) }
    return [{ ...override, said: { file: first.name } }]
  })
  return { overrides, problems }
}

function fromOptions(set: readonly string[]): Layer {
  const problems: Problem[] = []
  const overrides = set.flatMap((pair): readonly Override[] => {
    const at = pair.indexOf('=')
    const path = at < 1 ? pair : pair.slice(0, at).trim()
    const key = serverKeys().find((one) => one.path === path)
    const wrong = (message: string): readonly Override[] => {
      const meant = nearest(
        path,
        serverKeys().map((one) => one.path),
      )
      const suggestion = key === undefined && meant !== undefined ? { suggestion: meant } : {}
      problems.push({ file: '--set', path: key?.path ?? '', message, ...suggestion })
      return []
    }
    if (at < 1) return wrong('expected section.key=value')
    if (key === undefined) return wrong(`there is no key ${path.slice(0, 60)}`)
    if (key.secret === true) return wrong('a secret does not belong on a command line, where every user can read it')
    const said = { file: `--set ${key.path}` }
    return [{ path: [key.section, key.name], value: readAs(key, pair.slice(at + 1).trim()), said }]
  })
  return { overrides, problems }
}

interface Sides {
  readonly file: string
  readonly document: YamlDocument
  readonly layers: readonly (readonly [Origin['from'], readonly Override[]])[]
  readonly value: ServerConfig
}

function settingOf(key: ServerKey, { file, document, layers, value }: Sides): Setting {
  const path = [key.section, key.name]
  const shown = (given: unknown): unknown => (key.secret === true ? '(set)' : given)
  const inFile = valueAt(document.value, path)
  const standIn = key.default ?? (key.otherwise === undefined ? undefined : valueAt(value, path))
  const origins: Origin[] = [
    ...(standIn === undefined ? [] : [{ from: 'default', said: 'default', value: standIn } as const]),
    ...(inFile === undefined
      ? []
      : [{ from: 'file', said: saidAt({ file, ...document.placeOfValue(path) }), value: shown(inFile) } as const]),
    ...layers.flatMap(([from, overrides]) =>
      overrides
        .filter((override) => override.path.join('.') === key.path)
        .map((override) => ({ from, said: saidAt(override.said), value: shown(override.value) })),
    ),
  ].reverse()
  return { path: key.path, key, value: origins[0]?.value, origins }
}

const saidAt = ({ file, line, column }: Said): string => (line === undefined ? file : `${file}:${line}:${column ?? 1}`)

/** NETWORK_LOG_LEVEL is for looking closer at a running service, so it also wins over the level of each single output. */
function withLevelOf(env: Environment, config: ServerConfig): ServerConfig {
  const given = env.NETWORK_LOG_LEVEL ?? env.NETWORK_LOGGING_LEVEL
  const level = logLevels.find((name) => name === given)
  if (level === undefined || config.logging.outputs === undefined) return config
  const outputs = config.logging.outputs.map((output) => ({ ...output, level }))
  return { ...config, logging: { ...config.logging, outputs } }
}

/** What a configuration asks for that this release does not do; only what somebody asked for. */
function notYetInEffect(settings: readonly Setting[]): string[] {
  const asked = settings.filter(
    ({ key, origins }) => key.pending !== undefined && origins[0] !== undefined && origins[0].from !== 'default',
  )
  return asked.map(({ path, key }) => `${path}: ${key.pending ?? ''}`)
}

// Kubernetes sets these in every pod for a Service named network-service, the guide's name (its docs: Service, discovery).
const ofKubernetes = /^NETWORK_SERVICE_(?:HOST|PORT)/

/** Variables that look like one of ours and are none. Others that begin alike may be meant for other programs. */
function misspelt(env: Environment): string[] {
  const known = [...serverVariables(), 'NETWORK_RELEASE']
  return Object.keys(env)
    .filter((name) => name.startsWith('NETWORK_') && !known.includes(name) && !ofKubernetes.test(name))
    .flatMap((name) => {
      const meant = nearest(name, known)
      return meant === undefined ? [] : [`${name}: no such variable; did you mean ${meant}?`]
    })
}
