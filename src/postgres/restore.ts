// Restores a cluster: a base backup into a folder of its own, the archived log after it, and a server that replays it. All that is
// written is written by the cluster's own account, so that a link in its folders leads nobody further than it may go itself.
import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readManifest, type ArchivePlace, type Manifest } from '../archive/manifest.ts'
import { entryOf } from '../archive/entries.ts'
import { Pipe } from '../archive/pipe.ts'
import { ProgressMeter, type OnProgress } from '../archive/progress.ts'
import { readSlabs } from '../archive/slab-reader.ts'
import { withPool } from '../archive/threads/pool.ts'
import { NetopsError } from '../model/errors.ts'
import { quoteCommand } from '../model/quote.ts'
import { formatDuration } from '../model/units.ts'
import { historyName, segmentName, type WalPiece } from '../model/wal.ts'
import { exec, type ExecOptions, type ExecResult } from '../system/exec.ts'
import { isFolder, listIfAny, readTextIfAny } from '../system/files.ts'
import { refuseDistrustedHere } from '../system/folder-trust.ts'
import { programEnvironment } from './login.ts'
import { outcomeIn, recoverySettings, serverSettings, type ReplayOutcome } from './recovery.ts'
import { asAccount, readReach, type RestoreTarget } from './restore-facts.ts'

export interface RestoreRequest {
  readonly place: ArchivePlace
  readonly wal: string | undefined
  readonly into: string
  readonly port: number
  readonly account: string
  readonly bin: string
  readonly target: RestoreTarget
  /** Whether the cluster takes writes once the target is reached; else it waits there, to be looked at. */
  readonly promote: boolean
  /** How long replaying may take, in ms. */
  readonly withinMs: number
}

export interface RestoreTools {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
}

export interface RestoredCluster extends ReplayOutcome {
  readonly into: string
  readonly port: number
  readonly segments: number
  /** From the beginning to a server that answers. */
  readonly seconds: number
}

/** The folder within the cluster that the log is replayed from; it is removed once the cluster takes writes. */
const logFolder = 'netops_wal'
const output = 'netops_restore.log'

/**
 * Restores a cluster and starts it.
 * @throws NetopsError `damaged` where archive or log are not as they were written, `failed` where the server does not come up or
 * does not reach the target. Before the server was started nothing is left then; afterwards it is stopped, and what it wrote stays.
 */
export async function restoreCluster(request: RestoreRequest, tools: RestoreTools = {}): Promise<RestoredCluster> {
  const begun = performance.now()
  const { into, port } = request
  const manifest = await readManifest(request.place)
  const cluster = new ClusterFolder(request)
  await cluster.make()
  let segments: number
  let original: string
  try {
    await unpack(request, manifest, tools)
    await cluster.verify()
    segments = await bringLog(request, manifest, { cluster, signal: tools.signal })
    original = await cluster.configure(segments)
  } catch (error) {
    await cluster.remove()
    if (tools.signal?.aborted !== true) throw error
    throw new NetopsError('interrupted', { message: 'stopped; nothing was restored', cause: error })
  }
  const outcome = await cluster.start(tools.signal)
  if (outcome.state === 'promoted') await cluster.settle(original)
  return { into, port, segments, ...outcome, seconds: Math.round((performance.now() - begun) / 100) / 10 }
}

/** A cluster's folder, as its account sees it. */
class ClusterFolder {
  readonly #request: RestoreRequest

  constructor(request: RestoreRequest) {
    this.#request = request
  }

  run(argv: readonly string[], options: ExecOptions = {}, within: readonly string[] = []): Promise<ExecResult> {
    const env = { ...programEnvironment, ...options.env }
    return exec([...within, ...asAccount(this.#request.account, argv)], { cwd: '/', ...options, env })
  }

  /** What a server outlives the run in: systemd ends all that is left in a run's own unit. */
  async #ownScope(): Promise<readonly string[]> {
    // sd_booted(3)
    const isSystemd = (await isFolder('/run/systemd/system')) && process.getuid?.() === 0
    const unit = `--unit=netops-database-${this.#request.port}`
    return isSystemd ? ['systemd-run', '--scope', '--collect', '--quiet', unit, '--'] : []
  }

  async #must(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options)
    if (code === 0) return stdout
    const reason = `${stderr}${stdout}`.trim().split('\n').slice(-5).join('\n')
    throw new NetopsError('failed', { message: `${quoteCommand(argv.slice(0, 4))} exited with ${code}: ${reason}` })
  }

  /** mkdir(2) fails where anything lies at that name, a link too. */
  async make(): Promise<void> {
    await this.#must(['mkdir', '-m', '0700', '--', this.#request.into])
  }

  async remove(): Promise<void> {
    await this.#must(['rm', '-rf', '--', this.#request.into])
  }

  /** The server itself judges what is in it, file by file, by the manifest that it made. */
  async verify(): Promise<void> {
    const { bin, into } = this.#request
    const { code, stderr, stdout } = await this.run([
      `${bin}/pg_verifybackup`,
      '--no-parse-wal',
      '--exit-on-error',
      into,
    ])
    if (code === 0) return
    throw new NetopsError('damaged', { message: `the base backup is not whole: ${`${stderr}${stdout}`.trim()}` })
  }

  write(name: string, stdin: NonNullable<ExecOptions['stdin']>): Promise<string> {
    const script = 'umask 077; set -C; cat > "$1" && sync -- "$1"'
    return this.#must(['sh', '-c', script, 'sh', `${this.#request.into}/${name}`], { stdin })
  }

  /** @returns postgresql.auto.conf as it was in the backup, with what is the cluster's own from now on */
  async configure(segments: number): Promise<string> {
    const { bin, into, target, promote } = this.#request
    const names = (await this.#must(['ls', '-1A', '--', into])).split('\n')
    const settings = 'postgresql.auto.conf'
    const before = names.includes(settings) ? await this.#must(['cat', '--', `${into}/${settings}`]) : ''
    // Where a distribution keeps them elsewhere, they are in no base backup.
    if (!names.includes('postgresql.conf')) await this.write('postgresql.conf', { text: ownSettings })
    if (!names.includes('pg_hba.conf')) await this.write('pg_hba.conf', { text: ownAccess })
    if (!names.includes('pg_ident.conf')) await this.write('pg_ident.conf', { text: ownAccounts })
    const control = await this.#must([`${bin}/pg_controldata`, into])
    const own = `${before.trimEnd()}\n${serverSettings(control, this.#request)}`
    const replays = segments > 0
    const recovery = replays ? recoverySettings(`${into}/${logFolder}`, target, promote) : ''
    if (names.includes(settings)) await this.#must(['rm', '--', `${into}/${settings}`])
    await this.write(settings, { text: `${own}${recovery}` })
    if (replays) await this.write('recovery.signal', { text: '' })
    return own
  }

  /** Starts the server, and waits until it has replayed all that it is to replay. */
  async start(signal: AbortSignal | undefined): Promise<ReplayOutcome> {
    const { bin, into, withinMs } = this.#request
    const pgCtl = (...words: readonly string[]) => this.run([`${bin}/pg_ctl`, '-D', into, ...words])
    const deadline = performance.now() + withinMs
    const seconds = String(Math.ceil(withinMs / 1000))
    const starting = ['start', '-w', '-t', seconds, '-l', `${into}/${output}`, '-s']
    const { code } = await this.run([`${bin}/pg_ctl`, '-D', into, ...starting], {}, await this.#ownScope())
    for (;;) {
      const said = await this.#must(['tail', '-c', '65536', '--', `${into}/${output}`])
      const outcome = outcomeIn(said)
      if (code === 0 && outcome !== undefined) return outcome
      const isGone = code !== 0 || (await pgCtl('status')).code !== 0
      if (!isGone && performance.now() < deadline && signal?.aborted !== true) {
        await sleep(200)
        continue
      }
      await pgCtl('stop', '-m', 'immediate', '-s')
      const why =
        signal?.aborted === true ? 'was stopped' : isGone ? 'ended' : `was not done within ${formatDuration(withinMs)}`
      throw new NetopsError(signal?.aborted === true ? 'interrupted' : 'failed', {
        message: `the restored server ${why}; it is not running, and its folder ${into} is left as it was then`,
        log: said.trim().split('\n').slice(-8),
        hint: `see ${into}/${output}; then remove it and restore again: rm -rf ${into}`,
        resumable: false,
      })
    }
  }

  /** What was there only for replaying is no more. */
  async settle(settings: string): Promise<void> {
    const { into } = this.#request
    const file = 'postgresql.auto.conf'
    await this.#must(['rm', '-rf', '--', `${into}/${logFolder}`, `${into}/${file}.new`])
    await this.write(`${file}.new`, { text: settings })
    await this.#must(['mv', '-T', '--', `${into}/${file}.new`, `${into}/${file}`])
  }

  async makeLogFolder(): Promise<void> {
    await this.#must(['mkdir', '-m', '0700', '--', `${this.#request.into}/${logFolder}`])
  }
}

const ownSettings = '# Written by netops db restore: the base backup held none. Put the settings of the server here.\n'
const ownAccess = `# Written by netops db restore: the base backup held none.
local all all peer
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
`
const ownAccounts = '# Written by netops db restore: the base backup held none.\n'

const isHarmless = (name: string): boolean =>
  !name.startsWith('/') && !name.split('/').includes('..') && !name.includes('\0')

/** Gives tar(1) of the account what was found to be exactly what the index says. */
async function unpack(
  { place, into, account }: RestoreRequest,
  manifest: Manifest,
  tools: RestoreTools,
): Promise<void> {
  await refuseDistrustedHere([place.folder])
  const progress = new ProgressMeter(tools.onProgress, 'reading')
  progress.begin(manifest.totals.raw)
  const pipe = new Pipe()
  const stop = new AbortController()
  const reading = withPool(undefined, (pool) =>
    readSlabs(
      { place, manifest },
      {
        ...{ pool, signal: tools.signal },
        wanted(line) {
          const { name, kind } = entryOf(line)
          if (isHarmless(name) && (kind === 'file' || kind === 'folder')) return true
          throw new NetopsError('refused', { message: `the archive is not unpacked: it holds ${name}, a ${kind}` })
        },
        onBytes: (raw) => progress.bytes(raw),
        onRaw: (bytes) => pipe.write(bytes),
        onDamage(damage) {
          throw new NetopsError('damaged', { message: `${manifest.name} is damaged: ${damage}` })
        },
      },
    ),
  ).then(
    () => pipe.end(),
    (error: unknown) => {
      pipe.end()
      stop.abort()
      throw error
    },
  )
  const options = ['--extract', '--file=-', '--keep-old-files', '--no-same-owner', '--preserve-permissions']
  const tar = ['tar', ...options, '--directory', into]
  const unpacking = exec(asAccount(account, tar), {
    ...{ cwd: '/', env: { LC_ALL: 'C', TAR_OPTIONS: undefined, TAPE: undefined } },
    ...{ stdin: { stream: () => pipe.read() }, signal: stop.signal, most: 1 << 20 },
  }).finally(() => pipe.close())
  const [read, unpacked] = await Promise.allSettled([reading, unpacking])
  if (read.status === 'rejected' && !pipe.isClosedEarly) throw read.reason
  if (unpacked.status === 'rejected') throw unpacked.reason
  if (unpacked.value.code !== 0) {
    throw new NetopsError('failed', {
      message: `cannot unpack into ${into}: ${unpacked.value.stderr.trim().slice(-500)}`,
    })
  }
  if (read.status === 'rejected') throw read.reason
}

interface Bringing {
  readonly cluster: ClusterFolder
  readonly signal: AbortSignal | undefined
}

/**
 * Copies what is to be replayed to where the account can read it: the archive is root's alone. A segment that was still being
 * received gets its name, and ends where it ends.
 * @returns how many segments there are
 */
async function bringLog({ wal }: RestoreRequest, manifest: Manifest, { cluster, signal }: Bringing): Promise<number> {
  if (wal === undefined || manifest.cluster === undefined) return 0
  await refuseDistrustedHere([dirname(wal)])
  const { segmentBytes } = manifest.cluster
  const names = await listIfAny(wal)
  const looking = { list: () => Promise.resolve(names), readText: readTextIfAny }
  const { pieces, timeline } = await readReach(looking, wal, manifest.cluster)
  await cluster.makeLogFolder()
  for (const piece of pieces) {
    signal?.throwIfAborted()
    const name = segmentName(piece, segmentBytes)
    await cluster.write(`${logFolder}/${name}`, { stream: () => readOwn(fileOf(wal, piece, name)) })
  }
  for (let one = 2; one <= timeline; one += 1) {
    const name = historyName(one)
    if (names.includes(name)) {
      await cluster.write(`${logFolder}/${name}`, { stream: () => readOwn(Promise.resolve(`${wal}/${name}`)) })
    }
  }
  return pieces.length
}

/** One that is received meanwhile loses its `.partial`. */
const fileOf = async (wal: string, { isPartial }: WalPiece, name: string): Promise<string> =>
  isPartial && !(await listIfAny(wal)).includes(name) ? `${wal}/${name}.partial` : `${wal}/${name}`

/**
 * Reads a file that belongs to whom its folder belongs to. Where a server copies its log itself that is the server's account,
 * which could put a link there to what it may not read.
 */
async function* readOwn(path: Promise<string>): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(await path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const [found, folder] = await Promise.all([file.stat(), stat(dirname(await path))])
    if (!found.isFile() || found.uid !== folder.uid) {
      throw new NetopsError('refused', { message: `${await path} is no file of whom its folder belongs to` })
    }
    for await (const bytes of file.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) {
      yield bytes as Uint8Array
    }
  } finally {
    await file.close()
  }
}
