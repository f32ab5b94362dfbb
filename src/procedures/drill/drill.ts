// A drill: the backup is restored into a folder of its own, the installed server serves it there on ports of its own, and what
// comes of it is held against what the backup says and against the objectives. Nothing that is in service is touched.
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { differences } from '../../archive/diff.ts'
import { extractArchive } from '../../archive/extract.ts'
import { shownName } from '../../archive/names.ts'
import type { OnProgress } from '../../archive/progress.ts'
import { databaseName, dataFolder } from '../../backups/live-files.ts'
import { refuseDamage } from '../../backups/restore-stage.ts'
import { readServerConfig } from '../../config/server-config.ts'
import { takenAt } from '../../model/checkpoint.ts'
import { messageOf, NetopsError } from '../../model/errors.ts'
import { mostOfConfig, readFileUpTo } from '../../system/bounded.ts'
import { exec, execText, start } from '../../system/exec.ts'
import { listIfAny, removeTree } from '../../system/files.ts'
import { freePorts } from '../../system/free-ports.ts'
import { httpGet } from '../../system/http.ts'
import { identify, signalProcess } from '../../system/processes.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'

export interface DrillRequest {
  readonly place: { readonly folder: string; readonly name: string }
  /** The installed server's executable. */
  readonly server: string
  /** A folder in which the folder of the drill is made. */
  readonly scratch: string
  readonly healthyDeadlineMs: number
}

export interface DrillTools {
  readonly signal: AbortSignal
  readonly onProgress?: OnProgress | undefined
}

export interface Drilled {
  /** From the beginning until the server was ready, in seconds. */
  readonly seconds: number
  /** When the backup's walk began, and when the newest copy of the state in it was taken; null where it has none. */
  readonly madeAt: string
  readonly stateAt: string | null
  /** Entries that were unpacked and compared with the archive, byte for byte. */
  readonly compared: number
  /** How many records the checkpoint has, and the server's database after it was made of it; null where there is no state. */
  readonly records: { readonly checkpoint: number; readonly restored: number } | null
  readonly notes: readonly string[]
}

/**
 * Restores a backup into a folder that is gone afterwards.
 * @throws NetopsError `damaged` where the archive is, or what was unpacked is not what it says; `unhealthy` where the server does
 * not come up with it; `failed` where there is no room
 */
export async function drill(request: DrillRequest, tools: DrillTools): Promise<Drilled> {
  await refuseDistrustedHere([join(request.server, '..')])
  const scratch = await mkdtemp(join(request.scratch, 'netops-drill-'))
  try {
    await chmod(scratch, 0o700)
    return await drillIn(scratch, request, tools)
  } finally {
    await removeTree(scratch)
  }
}

async function drillIn(
  scratch: string,
  { place, server, healthyDeadlineMs }: DrillRequest,
  { signal, onProgress }: DrillTools,
): Promise<Drilled> {
  const begun = performance.now()
  const root = join(scratch, 'root')
  await refuseDamage(place, { signal, onProgress })
  const { manifest, entries } = await extractArchive({ place, into: root }, { signal, onProgress })
  const unpacked = performance.now()
  await refuseDifferences(root, place, manifest)
  // What the comparison took is no part of a restore.
  const comparing = performance.now() - unpacked
  // The server's own account could not come here; it is this one's for the few seconds.
  if (process.getuid?.() === 0) await execText(['chown', '--recursive', '--no-dereference', '0:0', root])
  const { words, driver, notes } = await settings(root)
  const checkpoint = driver === 'sqlite' ? await newestCheckpoint(root) : undefined
  const before = checkpoint === undefined ? undefined : countRecords(checkpoint.path)
  if (checkpoint !== undefined) await restoreState(server, checkpoint.path, root)
  const restored = await serveUntilReady(
    { server, root, words, scratch },
    { deadlineMs: healthyDeadlineMs, signal },
    () => (checkpoint === undefined ? undefined : countRecords(join(root, dataFolder, databaseName))),
  )
  if (before !== undefined && restored.count !== before) {
    throw new NetopsError('damaged', {
      message: `the checkpoint of ${place.name} has ${before} records, and the database made of it ${restored.count ?? 0}`,
      hint: 'choose another backup: netops backup list',
    })
  }
  return {
    seconds: Math.round(restored.at - begun - comparing) / 1000,
    madeAt: manifest.begun,
    stateAt: checkpoint === undefined ? null : new Date(checkpoint.takenMs).toISOString(),
    compared: entries,
    records: before === undefined ? null : { checkpoint: before, restored: restored.count ?? 0 },
    notes:
      checkpoint === undefined && driver === 'sqlite'
        ? [...notes, 'the backup holds no checkpoint of the state']
        : notes,
  }
}

/** Reads again all that was unpacked. */
async function refuseDifferences(
  base: string,
  place: DrillRequest['place'],
  manifest: Parameters<typeof differences>[0]['manifest'],
): Promise<void> {
  const notes = { leave: () => undefined, trouble: () => undefined }
  // Only root gives files to others.
  const isRoot = process.getuid?.() === 0
  for await (const found of differences({ place, manifest }, { base, roots: manifest.roots }, notes)) {
    if (!isRoot && found.kind === 'changed' && found.what.every((one) => one === 'owner')) continue
    throw new NetopsError('damaged', {
      message: `${place.name} was unpacked, and /${shownName(found.name)} is ${found.kind === 'changed' ? 'not what it says' : found.kind}`,
      hint: 'choose another backup: netops backup list',
    })
  }
}

interface Settings {
  /** What wins over the configuration: ports of its own, and no database of somebody else. */
  readonly words: readonly string[]
  readonly driver: 'sqlite' | 'postgres'
  readonly notes: readonly string[]
}

async function settings(root: string): Promise<Settings> {
  const [port = 0, tls = 0, metrics = 0] = await freePorts(3)
  const text = (await readFileUpTo(join(root, 'etc/network_system/config.yaml'), mostOfConfig)).toString('utf8')
  const { value } = readServerConfig(text, 'config.yaml of the backup')
  const { driver } = value.database
  const set = [
    ...['server.host=127.0.0.1', `server.port=${port}`, `server.tls_port=${tls}`],
    ...['metrics.host=127.0.0.1', `metrics.port=${metrics}`],
    ...(driver === 'postgres' ? ['database.driver=sqlite'] : []),
  ]
  const isSyslog = (value.logging.outputs ?? []).some(({ type }) => type === 'syslog')
  return {
    words: [...set.flatMap((pair) => ['--set', pair]), `http://127.0.0.1:${port}/health/ready`],
    driver,
    notes: [
      ...(driver === 'postgres' ? ['the records are in PostgreSQL, which a backup of files does not hold'] : []),
      ...(isSyslog ? ['the server of the drill logged to syslog, as its configuration says'] : []),
    ],
  }
}

async function newestCheckpoint(
  root: string,
): Promise<{ readonly path: string; readonly takenMs: number } | undefined> {
  const folder = join(root, dataFolder, 'checkpoints')
  return (await listIfAny(folder))
    .flatMap((name) => {
      const takenMs = takenAt(name)
      return takenMs === undefined ? [] : [{ path: join(folder, name), takenMs }]
    })
    .toSorted((a, b) => b.takenMs - a.takenMs)[0]
}

/** How many records a database has; none where it is of before there were any. */
function countRecords(path: string): number {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 })
  try {
    const has = db.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table' AND name = 'records'").get()
    return Number(has?.n) === 0 ? 0 : Number(db.prepare('SELECT count(*) AS n FROM records').get()?.n)
  } catch (error) {
    throw new NetopsError('damaged', { message: `${path} cannot be read: ${messageOf(error)}`, cause: error })
  } finally {
    db.close()
  }
}

async function restoreState(server: string, checkpoint: string, root: string): Promise<void> {
  const { code, stdout, stderr } = await exec([server, 'restore', checkpoint, '--root', root])
  if (code === 0) return
  const reason = (stderr.trim() || stdout.trim()).split('\n')[0] ?? ''
  throw new NetopsError('damaged', { message: `the installed server cannot restore the checkpoint: ${reason}` })
}

interface Serving {
  readonly server: string
  readonly root: string
  /** Settings, and last the address that answers when it is ready. */
  readonly words: readonly string[]
  readonly scratch: string
}

const everyMs = 50
const leaveMs = 40_000

/** Starts the server, waits until it is ready, looks at it, and stops it. */
async function serveUntilReady(
  { server, root, words, scratch }: Serving,
  { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal: AbortSignal },
  look: () => number | undefined,
): Promise<{ readonly at: number; readonly count: number | undefined }> {
  const config = join(root, 'etc/network_system/config.yaml')
  const output = join(scratch, 'server.log')
  const argv = [server, '--config', config, '--root', root, ...words.slice(0, -1)]
  // Nothing of this process's own environment says anything to it.
  const started = await start(argv, { output, env: { PATH: process.env.PATH ?? '/usr/bin:/bin' } })
  const child = await identify(started.pid)
  let code: number | undefined
  const ended = started.ended.then((value) => (code = value))
  const deadline = performance.now() + deadlineMs
  try {
    for (;;) {
      const answer = await httpGet(words.at(-1) ?? '', 5000).catch(() => undefined)
      if (answer?.status === 200) return { at: performance.now(), count: look() }
      const said =
        code === undefined
          ? answer === undefined
            ? 'it does not answer'
            : `it answers ${answer.status}`
          : `it ended with ${code}`
      if (code !== undefined || performance.now() > deadline) throw await notReady(output, said)
      if (signal.aborted) throw new NetopsError('interrupted', { message: 'stopped; nothing is left of the drill' })
      await sleep(everyMs)
    }
  } finally {
    if (child !== undefined) await signalProcess(child, 'SIGTERM')
    const killer = setTimeout(() => child && void signalProcess(child, 'SIGKILL'), leaveMs)
    await ended
    clearTimeout(killer)
  }
}

async function notReady(output: string, said: string): Promise<NetopsError> {
  const log = await execText(['tail', '-n', '10', output]).catch(() => '')
  return new NetopsError('unhealthy', {
    message: `the server does not come up with the restored files: ${said}`,
    hint: 'look at what it says; a restore of this backup would be put back',
    log: log.trim().split('\n'),
  })
}

/** Removes what a drill that was killed has left in a folder. */
export async function clearDrills(scratch: string): Promise<void> {
  for (const name of await listIfAny(scratch)) {
    if (/^netops-drill-[A-Za-z0-9]{6}$/.test(name)) await rm(join(scratch, name), { recursive: true, force: true })
  }
}
