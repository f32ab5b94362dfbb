// Configuration files as commands take them: which kind a file is, and everything that is to be said of it.
import { basename, dirname, join, resolve } from 'node:path'
import { checkFleetFile, hostsOf, located, type FleetFile } from './fleet-file.ts'
import { besideTheTarget } from './linked-file.ts'
import type { Problem } from './problems.ts'
import { checkServerConfig, type ReadConfig, type Sources } from './server-config.ts'
import { readYaml } from './yaml.ts'
import { messageOf, NetopsError } from '../model/errors.ts'
import { inventorySchema } from '../model/inventory.ts'
import { serverSections } from '../model/server-config.ts'
import { homeFolder } from '../system/account.ts'
import { mostOfConfig, readFileUpTo } from '../system/bounded.ts'

export type FileKind = 'server' | 'fleet'

/** What was found out about one file, and about the files that it names. */
export interface Examined {
  readonly file: string
  readonly kind: FileKind
  readonly problems: readonly Problem[]
  readonly notes: readonly string[]
  /** A valid configuration of the server. */
  readonly read?: ReadConfig
  /** A valid fleet file. */
  readonly fleet?: FleetFile
}

/** A file's kind by the keys that it has at its top; by its name where they do not tell. */
function kindOf(text: string, file: string): FileKind {
  const parsed = readYaml(text)
  const value = 'document' in parsed ? parsed.document.value : undefined
  const keys = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
  const count = (known: object): number =>
    keys.filter((name) => name !== '$schema' && Object.hasOwn(known, name)).length
  const [server, fleet] = [count(serverSections), count(inventorySchema.shape)]
  if (server !== fleet) return server > fleet ? 'server' : 'fleet'
  return /^netops\b.*\.ya?ml$/.test(basename(file)) ? 'fleet' : 'server'
}

const readText = async (path: string): Promise<string> => (await readFileUpTo(path, mostOfConfig)).toString('utf8')

/** Examines one file; nothing but files is looked at. */
export async function examineFile(file: string, cwd: string, sources: Sources): Promise<Examined> {
  let text: string
  try {
    text = await readText(resolve(cwd, file))
  } catch (error) {
    const problem = { file, path: '', message: `cannot be read: ${messageOf(error)}` }
    return { file, kind: 'server', problems: [problem], notes: [] }
  }
  return kindOf(text, file) === 'fleet' ? examineFleet(text, file, cwd) : examineServer(text, file, sources)
}

function examineServer(text: string, file: string, sources: Sources): Examined {
  const checked = checkServerConfig(text, file, sources)
  return 'problems' in checked
    ? { file, kind: 'server', problems: checked.problems, notes: [] }
    : { file, kind: 'server', problems: [], notes: [...checked.notes, ...checked.warnings], read: checked }
}

/** The fleet file, and on each of its hosts the configuration that it would get. */
async function examineFleet(text: string, file: string, cwd: string): Promise<Examined> {
  const fleet = checkFleetFile(text, file)
  if ('problems' in fleet) return { file, kind: 'fleet', problems: fleet.problems, notes: [] }
  const { inventory } = fleet
  const place = { folder: dirname(resolve(cwd, file)), home: homeFolder() }
  const hosts = hostsOf(fleet, undefined, place)
  const notes = inventory.hosts_from === undefined ? [] : ['hosts_from was not asked: netops inventory list asks it']
  const problems: Problem[] = [...besideTheTarget(fleet, resolve(cwd, file))]
  if (problems.some(({ path }) => path === 'config.file')) return { file, kind: 'fleet', problems, notes }
  if (inventory.config !== undefined) {
    const config = join(dirname(file), inventory.config.file)
    const given = await readText(located(inventory.config.file, place)).catch((error: unknown) => {
      const at = fleet.document.placeOfValue(['config', 'file'])
      problems.push({ file, ...at, path: 'config.file', message: `cannot be read: ${messageOf(error)}` })
      return undefined
    })
    // Of thousands of hosts most differ in the same, or in nothing.
    const layers = given === undefined ? [] : distinct([[], ...hosts.map(({ overrides }) => overrides)])
    const checks = layers.map((overrides) => checkServerConfig(given ?? '', config, { overrides }))
    problems.push(...checks.flatMap((checked) => ('problems' in checked ? checked.problems : [])))
    notes.push(...distinct(checks.flatMap((checked) => ('problems' in checked ? [] : checked.warnings))))
  } else if (hosts.some(({ overrides }) => overrides.length > 0)) {
    notes.push('config: what differs on hosts is given, but no config.file that it differs from')
  }
  return { file, kind: 'fleet', problems: distinct(problems), notes, ...(problems.length > 0 ? {} : { fleet }) }
}

const distinct = <T>(all: readonly T[]): readonly T[] => {
  const seen = new Set<string>()
  return all.filter((one) => seen.size < seen.add(JSON.stringify(one)).size)
}

/**
 * The text of a file that a command was given.
 * @throws NetopsError `usage` when it cannot be read
 */
export async function readGiven(file: string, cwd: string): Promise<string> {
  try {
    return await readText(resolve(cwd, file))
  } catch (error) {
    throw new NetopsError('usage', { message: `${file} cannot be read: ${messageOf(error)}` })
  }
}
