// Whether a release can read the data that is on a host: what was in service there may have brought it to a newer schema.
import { dirname, join } from 'node:path'
import { checkServerConfig } from '../../config/server-config.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { dataSchemaFound, type DataSchemaFound } from '../../model/data-schema.ts'
import { NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { hostPaths, serverExecutable } from '../../model/paths.ts'
import { firstDataSchemas, type DataSchemas } from '../../model/release-traits.ts'
import { refuseDistrusted } from '../../system/folder-trust.ts'
import type { ActivationRecord, ActivationRequest } from './request.ts'

// sqlite.org/fileformat2.html, 1.3: the header begins with these 16 bytes and has the user version at 60, big-endian.
const databaseMark = '53514c69746520666f726d6174203300'
const versionAt = 60

/** The schema that an SQLite file has, by its user version; undefined where there is no such file, or none that has one. */
export async function readDataSchema(reader: HostReader, file: string): Promise<number | undefined> {
  const { stdout } = await reader.query(['od', '-An', '-v', '-tx1', '-N64', '--', file])
  return schemaIn(stdout)
}

/** As {@link readDataSchema}, of what od(1) printed of the file's first 64 bytes. */
export function schemaIn(dump: string): number | undefined {
  const hex = dump.replace(/\s/g, '')
  if (!hex.startsWith(databaseMark) || hex.length !== 128) return undefined
  const version = Number.parseInt(hex.slice(2 * versionAt), 16)
  return version === 0 ? undefined : version
}

/** What a database server says, or why it could not be asked. */
export type AskedDatabase = DataSchemaFound | { readonly unasked: string }

interface Asking {
  readonly root: string
  /** The configuration that is to be in service; the one in place stands in until it is brought. */
  readonly config: string
  /** What is in service, which has to ask: nothing else on a host speaks with its database. */
  readonly serves: ActivationRecord | undefined
}

// As long as a person waits for a dry run; the service itself would wait 30 s.
const connectLimit = 'database.pool_connect_timeout=5s'
const longestReason = 500

/**
 * Has the release in service ask the database server that a configuration names which data schema is there.
 * @returns undefined where the records are not on a server, or no release is in service that could ask
 * @throws NetopsError `refused` where somebody else than root has a say in what would be run
 */
export async function askDatabase(
  reader: HostReader,
  { root, config, serves }: Asking,
): Promise<AskedDatabase | undefined> {
  const paths = hostPaths(root)
  const brought = await reader.readText(config)
  const text = brought ?? (await reader.readText(paths.config))
  const checked = text === undefined ? undefined : checkServerConfig(text, config)
  // What is wrong with a configuration the release itself says, before anything is stopped.
  if (checked === undefined || 'problems' in checked || checked.value.database.driver !== 'postgres') return undefined
  if (serves === undefined || !serves.checksConfig || serves.release.traits?.tellsSchema !== true) {
    return { unasked: 'no release is in service that can ask it' }
  }
  const file = brought === undefined ? paths.config : config
  const executable = join(paths.releases, serves.release.id, serverExecutable)
  await refuseDistrusted((argv) => reader.query(argv), [dirname(executable), dirname(file)], reader.name)
  const relocated = root === '/' ? [] : ['--root', root]
  const words = ['data-schema', '--config', file, ...relocated, '--set', connectLimit]
  const { code, stdout, stderr } = await reader.query([executable, ...words])
  const found = dataSchemaFound.safeParse(parseJson(stdout))
  if (code === 0 && found.success) return found.data
  const reason = stderr.trim().split('\n')[0] ?? ''
  return { unasked: reason === '' ? `exit code ${code}` : reason.slice(0, longestReason) }
}

/** What a release makes of data; undefined for a program that is not ours, of which nobody knows. */
const schemasOf = (release: ActivationRequest['release'] | ActivationRecord['release'], isOurs: boolean) =>
  isOurs ? (release.traits?.data ?? firstDataSchemas) : release.traits?.data

/** What a host's records and its database say of its data. */
interface KnownData {
  readonly activations: readonly ActivationRecord[]
  readonly dataSchema: number | undefined
  readonly database: AskedDatabase | undefined
}

interface Written {
  readonly schema: number
  /** Who wrote it, in words. */
  readonly by: string
}

/** The schemas in which data may be there, the newest first. */
function writtenOn({ activations, dataSchema }: KnownData): readonly Written[] {
  const own: readonly Written[] = dataSchema === undefined ? [] : [{ schema: dataSchema, by: 'the database says so' }]
  const recorded = activations.flatMap(({ release, checksConfig }): readonly Written[] => {
    const schema = schemasOf(release, checksConfig)?.writes
    return schema === undefined ? [] : [{ schema, by: `${release.id} was in service` }]
  })
  return [...recorded, ...own].toSorted((a, b) => b.schema - a.schema)
}

/**
 * A database server that was asked decides alone: several hosts write to it, and their records are not here. Otherwise it is
 * what the host's own records make possible.
 * @throws NetopsError `refused` for a release that cannot read what is there
 */
export function refuseUnreadableData({ host, release, unasked }: ActivationRequest, facts: KnownData): void {
  const schemas = schemasOf(release, release.checksConfig)
  if (schemas === undefined) return
  const { database } = facts
  const isAsked = database !== undefined && 'schema' in database
  if (database !== undefined && !isAsked && unasked === true) return
  const [written] = isAsked ? [{ schema: database.schema, by: 'the database says so' }] : writtenOn(facts)
  if (written === undefined || written.schema === 0) return
  const { from, to } = schemas.reads
  const isMadeFor = isAsked && database.needs <= schemas.writes
  if (written.schema >= from && (written.schema <= to || isMadeFor)) return
  const reads = from === to ? `data schema ${from}` : `data schemas ${from} to ${to}`
  const says = isAsked ? 'is' : 'may be'
  const message = `${release.id} reads ${reads} alone, and the data here ${says} of schema ${written.schema} (${written.by})`
  if (database !== undefined && !isAsked) {
    throw new NetopsError('refused', {
      host,
      message: `${message}; the database could not be asked: ${database.unasked}`,
      hint: 'have the database answer; or go on without asking it: --without-data-check',
    })
  }
  const recorded = writtenOn({ ...facts, dataSchema: undefined })[0]?.schema ?? 0
  const hasCheckpoint = !isAsked && recorded <= to
  throw new NetopsError('refused', { host, message, hint: hintFor(written.schema, schemas, hasCheckpoint) })
}

/**
 * @param hasCheckpoint whether one from before may be a way back: a database server has none, and what a record says goes on
 * saying so, whatever database is put in the place of the one that is there
 */
function hintFor(there: number, { reads }: DataSchemas, hasCheckpoint: boolean): string {
  if (there < reads.from)
    return `deploy a release in between first, which brings the data to schema ${reads.from} or later`
  const choice = `choose a release that reads schema ${there}: netops deploy --release FILE`
  return hasCheckpoint ? `${choice}; or restore a checkpoint from before it` : choice
}
