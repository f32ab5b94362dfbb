// Whether a release can read the data that is on a host: what was in service there may have brought it to a newer schema.
import type { HostReader } from '../../drivers/hosts/port.ts'
import { NetopsError } from '../../model/errors.ts'
import { firstDataSchemas, type DataSchemas } from '../../model/release-traits.ts'
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

/** What a release makes of data; undefined for a program that is not ours, of which nobody knows. */
const schemasOf = (release: ActivationRequest['release'] | ActivationRecord['release'], isOurs: boolean) =>
  isOurs ? (release.traits?.data ?? firstDataSchemas) : release.traits?.data

/** What a host's records and its database say of its data. */
interface KnownData {
  readonly activations: readonly ActivationRecord[]
  readonly dataSchema: number | undefined
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

/** @throws NetopsError `refused` for a release that cannot read what is there */
export function refuseUnreadableData({ host, release }: ActivationRequest, facts: KnownData): void {
  const schemas = schemasOf(release, release.checksConfig)
  const [written] = writtenOn(facts)
  if (schemas === undefined || written === undefined) return
  const { from, to } = schemas.reads
  if (written.schema >= from && written.schema <= to) return
  const reads = from === to ? `data schema ${from}` : `data schemas ${from} to ${to}`
  throw new NetopsError('refused', {
    host,
    message: `${release.id} reads ${reads} alone, and the data here may be of schema ${written.schema} (${written.by})`,
    hint: hintFor(written.schema, schemas, writtenOn({ ...facts, dataSchema: undefined })[0]),
  })
}

/** @param recorded what a record says goes on saying so, whatever database is put in the place of the one that is there */
function hintFor(there: number, { reads }: DataSchemas, recorded: Written | undefined): string {
  if (there < reads.from)
    return `deploy a release in between first, which brings the data to schema ${reads.from} or later`
  const older = (recorded?.schema ?? 0) > reads.to ? '' : '; or restore a checkpoint from before it'
  return `choose a release that reads schema ${there}: netops deploy --release FILE${older}`
}
