// The database: the file that SQLite keeps, or the PostgreSQL servers.
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { replicaAddress, showAddress } from '../../model/addresses.ts'
import { messageOf } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import type { ServerConfig } from '../../model/server-config.ts'
import { judgeAccess } from './account.ts'
import { statIfAny, type Eye } from './files.ts'
import { good, problem, type LiveFinding, type Say } from './finding.ts'
import { resolveFor, type HostEntry, type Resolve } from './names.ts'
import { askPostgres, type Answer } from './postgres.ts'

/** SQLite's file, if the service has made it. */
export async function examineStateFile(key: string, eye: Eye): Promise<readonly LiveFinding[]> {
  const file = `${hostPaths(eye.root).dataDir}/state.db`
  const stats = await statIfAny(file)
  if (stats === undefined) return [good(key, `${file} is made at the first start`)]
  if (stats === 'out of reach') return [judgeAccess(key, eye.account, false, `reach ${file}`)]
  const [closed] = await closedOf([file, `${file}-wal`, `${file}-shm`], eye)
  const access = judgeAccess(key, eye.account, closed === undefined, `write ${closed ?? file}`)
  // Where somebody stands in who may not read it, that says nothing about the file.
  const readable = eye.account.standIn === undefined || (await eye.account.may('read', file, eye.signal))
  return readable ? [access, await readVersion(key, file)] : [access]
}

/** Which of these files are there and cannot be written: what root made beside a database locks the service out of it. */
async function closedOf(files: readonly string[], { account, signal }: Eye): Promise<readonly string[]> {
  const closed = await Promise.all(
    files.map(async (file) => {
      const there = (await statIfAny(file)) !== undefined
      return there && !(await account.may('write', file, signal)) ? [file] : []
    }),
  )
  return closed.flat()
}

async function readVersion(key: string, file: string): Promise<LiveFinding> {
  // A plain read-only open makes FILE-shm and FILE-wal where they are missing, which belong to whoever looks.
  // (sqlite.org/wal.html, Read-Only Databases; sqlite.org/uri.html)
  const inUse = (await statIfAny(`${file}-shm`)) !== undefined
  const url = new URL(`${pathToFileURL(file).href}?${inUse ? 'readonly_shm=1' : 'immutable=1'}`)
  try {
    using database = new DatabaseSync(url, { readOnly: true, timeout: 250 })
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version)
    return good(key, `${file} can be opened, data schema ${version}`)
  } catch (error) {
    return problem(key, `${file} cannot be opened: ${messageOf(error)}`)
  }
}

export interface DatabaseEntry extends HostEntry {
  readonly port: number
}

// No look takes longer than 5 s; this leaves room for the name.
const longestMs = 4500

interface Asked {
  readonly limitMs: number
  /** Whether the service would talk to it by TLS alone. */
  readonly tls: boolean
  readonly resolve: Resolve
  readonly say?: Say
}

/** A PostgreSQL server: does it answer as one? */
export async function examinePostgres(
  entry: DatabaseEntry,
  { limitMs, tls, resolve, say = problem }: Asked,
  signal: AbortSignal,
): Promise<readonly LiveFinding[]> {
  const found = await resolveFor(entry, resolve, say)
  if ('finding' in found) return [found.finding]
  const limit = Math.min(limitMs, longestMs)
  const answers = await Promise.all(
    found.addresses.map((host) => askPostgres({ host, port: entry.port }, limit, signal)),
  )
  return [judgeAnswers(entry, { answers, limitMs: limit, tls, say })]
}

interface Answers {
  readonly answers: readonly Answer[]
  readonly limitMs: number
  readonly tls: boolean
  readonly say: Say
}

// A name may have addresses of both families, of which the server uses one: the best answer counts.
const best: readonly Answer['kind'][] = ['postgres', 'other', 'closed', 'silent', 'no connection']

/** The finding for what the addresses of one server answered. */
export function judgeAnswers({ key, host, port }: DatabaseEntry, { answers, limitMs, tls, say }: Answers): LiveFinding {
  const place = showAddress(host, port)
  const [answer] = [...answers].sort((a, b) => best.indexOf(a.kind) - best.indexOf(b.kind))
  switch (answer?.kind) {
    case 'postgres':
      if (tls && !answer.tls)
        return say(key, `PostgreSQL at ${place} does not speak TLS, and database.ssl_mode requires it`)
      return good(key, `PostgreSQL answers at ${place}, ${answer.tls ? 'with' : 'without'} TLS`)
    case 'other':
      return say(key, `something answers at ${place} that is not PostgreSQL`)
    case 'closed':
      return say(key, `${place} closes the connection without an answer`)
    case 'silent':
      return say(key, `something listens at ${place} and does not answer within ${limitMs} ms`)
    case 'no connection':
      return say(key, `no connection to ${place} within ${limitMs} ms (${answer.code})`)
    case undefined:
      return say(key, `${host} has no address`)
  }
}

/** The servers that are read from. */
export const replicasOf = ({ database }: ServerConfig): readonly DatabaseEntry[] =>
  (database.read_replicas ?? []).map((text, index) => {
    const key = `database.read_replicas[${index}]`
    return { key, hostKey: key, ...replicaAddress(text, database.port) }
  })
