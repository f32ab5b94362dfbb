// A base backup of a PostgreSQL cluster as an archive: pg_basebackup(1) streams it, and it is cut, hashed and kept like every
// other archive, so that plain tar unpacks it.
import { archiveTar, type TarArchiveTools } from '../archive/from-tar.ts'
import type { Compression } from '../archive/compression.ts'
import type { ArchivePlace, Manifest } from '../archive/manifest.ts'
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import { parseJson } from '../model/json.ts'
import { parseLsn } from '../model/wal.ts'
import { exec } from '../system/exec.ts'
import { askJson, identifySystem, placeOf, refusalOf, type Asking } from './ask.ts'
import { holdLog } from './hold-log.ts'
import { connectionString, programEnvironment } from './login.ts'

export interface BaseBackupRequest {
  readonly place: ArchivePlace
  readonly compression: Compression
  /**
   * `in it`: what of the log it needs lies in the archive, which is restored by itself. `elsewhere`: it is archived anyway, as by
   * `netops db archive setup`.
   */
  readonly log: 'in it' | 'elsewhere'
}

const facts = z.object({
  version: z.int(),
  segmentBytes: z.int(),
  bytes: z.number(),
  mayReplicate: z.boolean(),
  tablespaces: z.array(z.string()),
})

const factsSql = `SELECT json_build_object(
  'version', current_setting('server_version_num')::int,
  'segmentBytes', pg_size_bytes(current_setting('wal_segment_size')),
  'bytes', (SELECT coalesce(sum(CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END), 0)
    FROM pg_catalog.pg_database),
  'mayReplicate', (SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user),
  'tablespaces', (SELECT coalesce(json_agg(spcname ORDER BY spcname), '[]') FROM pg_catalog.pg_tablespace
    WHERE spcname NOT IN ('pg_default', 'pg_global')))`

/** What a base backup of a server would come to, as far as that is known before. */
export type BaseBackupFacts = z.output<typeof facts> & { readonly systemId: string }

/**
 * Asks whether a base backup can be made.
 * @param toolsMajor the version of PostgreSQL's programs here
 * @throws NetopsError `refused` with what must be done; `unreachable` where the server does not answer
 */
export async function readBaseBackupFacts(asking: Asking, toolsMajor: number): Promise<BaseBackupFacts> {
  const found = await askJson(asking, factsSql, facts)
  const place = placeOf(asking.login)
  const major = Math.floor(found.version / 10_000)
  if (toolsMajor < major) {
    throw new NetopsError('refused', {
      message: `${place}: the server is PostgreSQL ${major}, and pg_basebackup here is of ${toolsMajor}`,
      hint: `apt-get install postgresql-client-${major}`,
    })
  }
  if (found.tablespaces.length > 0) {
    throw new NetopsError('refused', {
      message: `${place}: it has tablespaces (${found.tablespaces.join(', ')}), and a base backup as one archive has none; nothing was made`,
      hint: `move what is in them: ALTER TABLE ... SET TABLESPACE pg_default; or back it up by pg_basebackup --format=tar --pgdata=DIR`,
    })
  }
  return { ...found, systemId: await identifySystem(asking) }
}

const mostLabel = 64 * 1024
const mostComplaints = 1 << 20

/**
 * Makes a base backup.
 * @throws NetopsError as {@link readBaseBackupFacts}; `failed` where pg_basebackup fails or the disk is full, `locked` where
 * another archive is being made there, `interrupted` when aborted. Then nothing is there that was not there before.
 */
export async function makeBaseBackup(
  asking: Asking,
  request: BaseBackupRequest,
  tools: TarArchiveTools & { readonly toolsMajor: number },
): Promise<Manifest> {
  const found = await readBaseBackupFacts(asking, tools.toolsMajor)
  // What is in it comes last: until then the server may not remove it.
  const held = request.log === 'in it' ? await holdLog(asking) : undefined
  try {
    return await archiveCluster(asking, request, { ...tools, found })
  } finally {
    await held?.release()
  }
}

async function archiveCluster(
  asking: Asking,
  { place, compression, log }: BaseBackupRequest,
  { found, ...tools }: TarArchiveTools & { readonly found: BaseBackupFacts },
): Promise<Manifest> {
  const { bin, login, password } = asking
  const { version, segmentBytes, bytes, systemId } = found
  if (!('passfile' in password)) throw new TypeError('pg_basebackup takes its password from a file')
  const label = new Kept('head')
  const proof = new Kept('tail')
  const argv = [
    `${bin}/pg_basebackup`,
    ...['--pgdata=-', '--format=tar', '--checkpoint=fast', `--label=netops_${place.name}`, '--no-password'],
    `--wal-method=${log === 'in it' ? 'fetch' : 'none'}`,
    `--dbname=${connectionString(login, { ...password, name: 'netops backup' })}`,
  ]
  return archiveTar(
    {
      ...{ place, compression, expected: bytes },
      base: `/var/lib/postgresql/${Math.floor(version / 10_000)}/restored`,
      onData: (name, data) => {
        if (name === 'backup_label') label.push(data)
        if (name === 'backup_manifest') proof.push(data)
      },
      write: (onBytes) => streamTo(argv, { asking, log, signal: tools.signal, onBytes }),
      async cluster() {
        const clock = await askJson(asking, 'SELECT to_json(extract(epoch FROM clock_timestamp()) * 1000)', z.number())
        const needs = needsOf(label.text, proof.text)
        const consistentAt = new Date(Math.ceil(clock)).toISOString()
        return { version, systemId, segmentBytes, ...needs, hasLog: log === 'in it', consistentAt }
      },
    },
    tools,
  )
}

interface Streaming {
  readonly asking: Asking
  readonly log: BaseBackupRequest['log']
  readonly signal: AbortSignal | undefined
  readonly onBytes: (bytes: Uint8Array) => Promise<void>
}

async function streamTo(argv: readonly string[], { asking, log, signal, onBytes }: Streaming): Promise<void> {
  let complaints = ''
  const { code } = await exec(argv, {
    ...{ env: programEnvironment, group: true, signal },
    onOutput(data, stream) {
      if (stream === 'stdout') return onBytes(data)
      complaints = `${complaints}${Buffer.from(data).toString('utf8')}`.slice(0, mostComplaints)
      return undefined
    },
  })
  if (code !== 0) throw failureOf(complaints, asking, log)
}

function failureOf(said: string, { login }: Asking, log: BaseBackupRequest['log']): NetopsError {
  if (log === 'in it' && /has already been removed|could not find WAL file/.test(said)) {
    return new NetopsError('failed', {
      message: `the server removed its log while the base backup was read: ${said.trim()}`,
      hint: 'archive the log, of which a base backup then takes what it needs (netops db archive setup); or have the server keep more: ALTER SYSTEM SET wal_keep_size',
    })
  }
  return refusalOf(said, login)
}

const ranges = z.array(z.object({ Timeline: z.int().min(1), 'Start-LSN': z.string(), 'End-LSN': z.string() })).min(1)

/**
 * Which part of the log a base backup needs, by its own label and manifest (documentation, Backup Manifest Format). Pure.
 * @param proof the end of backup_manifest
 * @throws NetopsError `failed` where they do not say it
 */
export function needsOf(
  label: string,
  proof: string,
): { readonly timeline: number; readonly from: string; readonly to: string } {
  const [, from = ''] = /^START WAL LOCATION: ([0-9A-F]+\/[0-9A-F]+) /m.exec(label) ?? []
  const [, list = ''] = /"WAL-Ranges": (\[[^\]]*\])/.exec(proof) ?? []
  const parsed = ranges.safeParse(parseJson(list))
  const last = parsed.data?.at(-1)
  if (parseLsn(from) === undefined || last === undefined || parseLsn(last['End-LSN']) === undefined) {
    throw new NetopsError('failed', { message: 'the base backup does not say which part of the log it needs' })
  }
  return { timeline: last.Timeline, from, to: last['End-LSN'] }
}

/** The beginning or the end of a file that comes in pieces. */
class Kept {
  readonly #which: 'head' | 'tail'
  #bytes = Buffer.alloc(0)

  constructor(which: 'head' | 'tail') {
    this.#which = which
  }

  push(data: Uint8Array): void {
    if (this.#which === 'head' && this.#bytes.length >= mostLabel) return
    const all = Buffer.concat([this.#bytes, data])
    this.#bytes = this.#which === 'head' ? all.subarray(0, mostLabel) : Buffer.from(all.subarray(-mostLabel))
  }

  get text(): string {
    return this.#bytes.toString('utf8')
  }
}
