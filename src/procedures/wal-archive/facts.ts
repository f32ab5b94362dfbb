// What archiving the log of a host's database hangs on. All of it is journaled: passwords are not among it.
import { dirname } from 'node:path'
import * as z from 'zod'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager, ServiceState } from '../../drivers/services/port.ts'
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { hostPaths, below, walUnitName } from '../../model/paths.ts'
import { parseState, putAside } from '../../model/state-text.ts'
import { archiveRecord, type ArchiveRecord } from '../../postgres/archive-record.ts'
import { askJson, identifySystem, type Asking, type RunThere } from '../../postgres/ask.ts'
import { configuredLogin } from '../../postgres/config-login.ts'
import { passfileText, type DatabaseLogin } from '../../postgres/login.ts'
import { archiveCommand } from '../../postgres/receiver.ts'
import { readServerFacts, refuseUnfitServer, type ServerFacts } from '../../postgres/server-facts.ts'
import { findTools } from '../../postgres/tools.ts'
import { sha256OfText } from '../../system/files.ts'
import { refuseDistrusted } from '../../system/folder-trust.ts'
import type { WalArchiveRequest } from './request.ts'

export interface WalArchiveFacts {
  /** What was set up before. */
  readonly record: ArchiveRecord | undefined
  /** The text of the unit that is there. */
  readonly unit: string | undefined
  readonly service: ServiceState['state']
  /** The command with which a person sees what the receiver said. */
  readonly logs: string
  readonly folders: { readonly to: boolean; readonly wal: boolean; readonly units: boolean }
  /** Whether a file with the password is there, and whether it is the right one. */
  readonly passfile: 'none' | 'another' | 'same'
  /** Of the server; undefined where all is to be taken down, which must also work without it. */
  readonly server: ServerStanding | undefined
}

export interface ServerStanding {
  readonly login: DatabaseLogin
  readonly bin: string
  readonly segmentBytes: number
  readonly systemId: string
  readonly hasSlot: boolean
  readonly isReceiving: boolean
  /** What postgresql.conf and postgresql.auto.conf say of archiving; undefined where the account may not see it. */
  readonly settings: Readonly<Record<string, { readonly value: string; readonly isOurs: boolean }>> | undefined
  /** Whether the server archives by a command already; that takes effect when it is started. */
  readonly archives: boolean
}

/**
 * @throws NetopsError `refused` where the database cannot be archived from here, with what must be done; `unreachable` where it
 * does not answer
 */
export async function readWalArchiveFacts(
  reader: HostReader,
  services: ServiceManager,
  request: WalArchiveRequest,
): Promise<WalArchiveFacts> {
  const paths = hostPaths(request.root)
  const [unit, service, record] = await Promise.all([
    reader.readText(paths.walUnit),
    services.read(reader, walUnitName),
    readArchiveRecord(reader, request.root),
  ])
  // One that nobody would restart has to be started anew.
  const state = service.unsupervised === true ? 'failed' : service.state
  const here = { record, unit, service: state, logs: quoteCommand(services.logsCommand(walUnitName)) }
  if (request.action === 'take-down') {
    if (record === undefined) {
      throw new NetopsError('refused', {
        host: reader.name,
        message: 'the log of no database is archived here',
        hint: 'netops db archive setup',
      })
    }
    return { ...here, folders: { to: true, wal: true, units: true }, passfile: 'same', server: undefined }
  }
  const { login, password } = await configuredLogin((path) => reader.readText(path), request.root, request)
  const run: RunThere = (argv, options) => reader.query(argv, options)
  const tools = await findTools(run, ['pg_receivewal', 'psql'], { given: request.bin })
  await refuseDistrusted((argv) => reader.query(argv), [tools.bin], reader.name)
  const asking = { run, bin: tools.bin, login, password: { text: password }, host: reader.name }
  const facts = await readServerFacts(asking, request.slot)
  const isOurs = record?.slot === request.slot && record.login.host === login.host && record.login.port === login.port
  if (request.mode === 'stream') {
    refuseUnfitServer(facts, { login, slot: request.slot, toolsMajor: tools.major, isOurs })
  }
  const systemId = request.mode === 'stream' ? await identifySystem(asking) : await readSystemId(asking)
  const to = below(request.root, request.to)
  await refuseOtherCluster(reader, `${to}/wal`, systemId)
  const [units, hasTo, hasWal, written] = await Promise.all([
    reader.exists(dirname(paths.walUnit)),
    reader.exists(to),
    reader.exists(`${to}/wal`),
    reader.sha256(paths.walPassfile),
  ])
  const isSame = written === sha256OfText(passfileText(login, password ?? ''))
  const settings = facts.isSuperuser ? await readSettings(asking) : undefined
  if (request.mode === 'archive_command') refuseUnsettable(request, facts, settings !== undefined)
  return {
    ...here,
    folders: { to: hasTo, wal: hasWal, units },
    passfile: written === undefined ? 'none' : isSame ? 'same' : 'another',
    server: {
      ...{ login, bin: tools.bin, segmentBytes: facts.segmentBytes, systemId, settings },
      hasSlot: facts.slot !== null,
      isReceiving: facts.slot?.active === true,
      archives: facts.archive.mode !== 'off',
    },
  }
}

/** What was set up on a host; undefined where nothing was. */
export async function readArchiveRecord(reader: HostReader, root: string): Promise<ArchiveRecord | undefined> {
  const path = hostPaths(root).walArchive
  const text = await reader.readText(path)
  if (text === undefined) return undefined
  return parseState(archiveRecord, text, { path, host: reader.name, hint: putAside(path) })
}

// xlog_internal.h, XLogLongPageHeaderData: a segment begins with 24 bytes, then the cluster that it is of.
const systemIdAt = ['-j', '24', '-N', '8']

/** The segments of two clusters have the same names. */
async function refuseOtherCluster(reader: HostReader, folder: string, systemId: string): Promise<void> {
  const names = (await reader.list(folder)).filter((name) => /^[0-9A-F]{24}(?:\.partial)?$/.test(name))
  const [first] = names
  if (first === undefined) return
  const { stdout } = await reader.query(['od', '-An', '-v', '-tu8', ...systemIdAt, '--', `${folder}/${first}`])
  const found = stdout.trim()
  if (found === systemId || found === '0' || found === '') return
  throw new NetopsError('refused', {
    message: `${folder} holds the log of cluster ${found}, and the database is cluster ${systemId}; nothing was changed`,
    hint: `keep that log elsewhere: ${quoteCommand(['mv', '--', folder, `${folder}-${found}`])}`,
  })
}

/** Without a connection for replication, which an account that only sets a command may not make. */
const readSystemId = (asking: Asking): Promise<string> =>
  askJson(asking, 'SELECT to_json(system_identifier::text) FROM pg_catalog.pg_control_system()', z.string())

const named = ['archive_mode', 'archive_command', 'archive_timeout']
const settingsSchema = z.record(z.string(), z.object({ value: z.string(), isOurs: z.boolean() }))

/** What the files say; what is in effect may be older. */
const readSettings = (asking: Asking) =>
  askJson(
    asking,
    `SELECT coalesce(json_object_agg(name, json_build_object('value', setting, 'isOurs', sourcefile LIKE '%/postgresql.auto.conf')), '{}')
FROM (SELECT DISTINCT ON (name) name, setting, sourcefile FROM pg_catalog.pg_file_settings
  WHERE name IN (${named.map((name) => `'${name}'`).join(', ')}) AND setting IS NOT NULL ORDER BY name, seqno DESC) AS last`,
    settingsSchema,
  )

/** What the server has to be told so that it archives its log itself. */
export const wantedSettings = (request: Pick<WalArchiveRequest, 'root' | 'to'>): Readonly<Record<string, string>> => ({
  archive_mode: 'on',
  archive_command: archiveCommand(`${below(request.root, request.to)}/wal`),
  // A segment that does not fill is archived after a minute: what may be lost is bounded (guide: Recovery Point Objective).
  archive_timeout: '60',
})

/** @returns the statements that set them, for a person */
export const settingStatements = (settings: Readonly<Record<string, string | null>>): readonly string[] =>
  Object.entries(settings).map(([name, value]) =>
    value === null ? `ALTER SYSTEM RESET ${name};` : `ALTER SYSTEM SET ${name} = '${value.replaceAll("'", "''")}';`,
  )

/** An administrator may have set it already. */
function refuseUnsettable(request: WalArchiveRequest, { archive }: ServerFacts, maySet: boolean): void {
  const wanted = wantedSettings(request)
  if (maySet || (archive.mode !== 'off' && archive.command === wanted.archive_command)) return
  throw new NetopsError('refused', {
    message: 'the account may not change the settings of the database; nothing was changed',
    hint: `as a superuser, then restart it, and set up again:\n${settingStatements(wanted).join('\n')}`,
  })
}
