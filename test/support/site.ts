// A place for one test to deploy to: a folder as root, free ports, releases to deploy, and nothing left of it afterwards.
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, expect, inject, onTestFinished } from 'vitest'
import { parseJournal } from '../../src/engine/journal.ts'
import { dataSchema } from '../../src/model/data-schema.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { systemCode } from '../../src/model/errors.ts'
import type { ReleaseTraits } from '../../src/model/release-traits.ts'
import { hostPaths, releaseId, type HostPaths } from '../../src/model/paths.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { listIfAny, readTextIfAny, sha256OfFile, sha256OfText } from '../../src/system/files.ts'
import { httpGet, type HttpAnswer } from '../../src/system/http.ts'
import { identify, signalProcess } from '../../src/system/processes.ts'

/** What one call of netops came to. */
export interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** The document of `--json`; an empty object without it. */
  readonly json: Document
}

interface Document {
  readonly schema?: string
  readonly command?: string
  readonly ok?: boolean
  readonly outcome?: string
  readonly run?: string
  readonly hosts?: readonly Readonly<Record<string, unknown>>[]
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
}

/** An executable to deploy, and the id that it gets on a host. */
export interface Release {
  readonly file: string
  readonly id: string
}

export interface Site {
  /** Holds the root and what a test writes beside it. */
  readonly folder: string
  readonly root: string
  readonly paths: HostPaths
  readonly ports: { readonly server: number; readonly metrics: number }
  /** Runs the built netops; words that name no root get this one. */
  netops(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<Called>
  /** `netops deploy --json` with a short time to be healthy. */
  deploy(release: Release, words?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Called>
  /** Writes a valid configuration for this site's ports and returns its path. */
  config(name?: string, maxConnections?: number): Promise<string>
  /** The number of the service's own process, by what the supervisor wrote down. */
  mainPid(): Promise<number | undefined>
  /** Asks the service. */
  ask(path: string): Promise<HttpAnswer>
  /** The release that answers, by the header of a ready service. */
  answering(): Promise<string | undefined>
}

const quick = ['--min-healthy-time', '500ms', '--healthy-deadline', '20s']

/** Makes a site for the running test; when the test ends its service is stopped, and whatever stays behind fails the test. */
export async function makeSite(options: { readonly in?: string } = {}): Promise<Site> {
  const folder = await mkdtemp(join(options.in ?? tmpdir(), 'netops-site-'))
  const [server, metrics] = await twoFreePorts()
  return siteAt({ folder, ports: { server, metrics } })
}

function siteAt({ folder, ports }: Pick<Site, 'folder' | 'ports'>): Site {
  const root = join(folder, 'site')
  const paths = hostPaths(root)
  const site: Site = {
    folder,
    root,
    paths,
    ports,
    netops: (words, env) => call([inject('builds').netops, ...words, '--root', root], env),
    deploy: (release, words = [], env) =>
      site.netops(['deploy', '--json', '--release', release.file, ...quick, ...words], env),
    async config(name = 'config.yaml', maxConnections = 1000) {
      const file = join(folder, name)
      await writeFile(file, configText(site, maxConnections))
      return file
    },
    async mainPid() {
      return (await supervisorOf(paths))?.child?.pid
    },
    ask: (path) => httpGet(`http://127.0.0.1:${ports.server}${path}`, 5000),
    async answering() {
      const answer = await site.ask('/health/ready').catch(() => undefined)
      return answer?.status === 200 ? answer.headers['x-release'] : undefined
    },
  }
  onTestFinished(() => clear(site))
  return site
}

interface Prepared extends Pick<Site, 'folder' | 'ports'> {
  /** What a deployment left below the root, with the service stopped. */
  readonly copy: string
}

let prepared: Prepared | undefined
afterAll(async () => {
  if (prepared !== undefined) await rm(prepared.copy, { recursive: true, force: true })
})

/**
 * A site where release 1.0.0 is in service. The first one of a test file deploys it; the others are a copy of what that left, at
 * the same place and with the service started, unless that place is taken: a deployment takes ten times as long.
 */
export async function siteInService(): Promise<{ site: Site; release: Release; pid: number }> {
  const left = prepared
  const copied = left !== undefined && (await mkdir(left.folder).then(() => true, systemCode)) === true
  const site = copied ? siteAt(left) : await makeSite()
  const [release, config] = [await smallRelease(site, '1.0.0'), await site.config()]
  if (copied) {
    await execText(['cp', '-a', left.copy, site.root])
  } else {
    expect(await site.deploy(release, ['--config', config])).toMatchObject({ code: 0, json: { ok: true } })
    expect(await site.netops(['service', 'stop'])).toMatchObject({ code: 0 })
  }
  if (left === undefined) {
    prepared = { folder: site.folder, ports: site.ports, copy: `${site.folder}-deployed` }
    await execText(['cp', '-a', site.root, prepared.copy])
  }
  expect(await site.netops(['service', 'start'])).toMatchObject({ code: 0 })
  await expect.poll(() => site.answering(), { timeout: 20_000, interval: 20 }).toBe(release.id)
  const pid = await site.mainPid()
  if (pid === undefined) throw new Error('the service does not run')
  return { site, release, pid }
}

/** A configuration as a user writes it. */
const configText = ({ ports }: Site, maxConnections: number): string => `server:
  host: 127.0.0.1
  port: ${ports.server}
  max_connections: ${maxConnections}
logging:
  level: INFO
  file: /var/log/network/server.log
metrics:
  host: 127.0.0.1
  port: ${ports.metrics}
`

async function call(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Called> {
  const result = await exec(argv, { env, timeoutMs: 90_000 })
  if (!argv.includes('--json')) return { ...result, json: {} }
  const json = JSON.parse(result.stdout) as Document
  const ok = result.code === 0
  const command = argv[1] ?? ''
  if (json.schema !== 'netops/v1' || json.ok !== ok || json.command?.startsWith(command) !== true) {
    throw new Error(`not the document of netops ${command}, exit ${result.code}: ${result.stdout}`)
  }
  return { ...result, json }
}

interface Supervisor {
  readonly supervisor: { readonly pid: number }
  readonly child?: { readonly pid: number }
}

/** What the supervisor below a root wrote down of itself and the service. */
export async function supervisorOf(paths: HostPaths): Promise<Supervisor | undefined> {
  const text = await readTextIfAny(join(paths.runtimeDir, 'supervisor.json'))
  return text === undefined ? undefined : (JSON.parse(text) as Supervisor)
}

async function clear(site: Site): Promise<void> {
  try {
    await journalsOf(site)
    if ((await readTextIfAny(site.paths.config)) !== undefined) await site.netops(['service', 'stop'])
    const deadline = Date.now() + 10_000
    while ((await processesBelow(site.root)).length > 0 && Date.now() < deadline) await pause(50)
  } finally {
    const left = await processesBelow(site.root)
    for (const { pid } of left) {
      const running = await identify(pid)
      if (running !== undefined) await signalProcess(running, 'SIGKILL')
    }
    await rm(site.folder, { recursive: true, force: true })
    expect(left).toEqual([])
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Processes whose command line has to do with a folder. */
export async function processesBelow(folder: string): Promise<readonly { pid: number; command: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.map(async (pid) => {
      // It may end while we look; a zombie's is empty.
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')
      return command.includes(folder) ? [{ pid, command }] : []
    }),
  )
  return found.flat()
}

/**
 * The records of every run below a root; a renumbered line throws, and a torn one.
 * @param torn whether a last line that is not whole is left out instead, as where a run is still written to
 */
export async function journalsOf(
  { paths }: Site,
  torn?: 'torn',
): Promise<ReadonlyMap<string, readonly JournalRecord[]>> {
  const journals = new Map<string, readonly JournalRecord[]>()
  for (const run of await listIfAny(paths.runs)) {
    const file = join(paths.runs, run, 'journal.jsonl')
    const text = await readTextIfAny(file)
    if (text === undefined) continue
    const { records, wholeBytes } = parseJournal(Buffer.from(text), file)
    const numbered = records.every(({ seq }, index) => seq === index + 1)
    const whole = torn !== undefined || wholeBytes === Buffer.byteLength(text)
    if (!whole || !numbered) throw new Error(`${file} is torn: ${text.slice(-200)}`)
    journals.set(run, records)
  }
  return journals
}

/**
 * Everything below a folder: a file by mode, size and hash, a link by its target, all but sockets by when it was changed.
 * @param without paths below it that are left out, with all below them
 */
export async function treeOf(
  folder: string,
  without: readonly string[] = [],
): Promise<Readonly<Record<string, string>>> {
  const left = new Set(without.map((path) => join(folder, path)))
  const tree: Record<string, string> = {}
  const walk = async (path: string): Promise<void> => {
    if (left.has(path)) return
    const info = await lstat(path)
    const at = `${(info.mode & 0o7777).toString(8)} ${info.mtimeMs}`
    const name = relative(folder, path)
    if (info.isSymbolicLink()) tree[name] = `-> ${await readlink(path)}`
    else if (info.isFile()) tree[name] = `${at} ${info.size} ${await sha256OfFile(path)}`
    else tree[name] = at
    if (info.isDirectory()) for (const entry of (await readdir(path)).sort()) await walk(join(path, entry))
  }
  await walk(folder)
  return tree
}

/** The files and links of a tree, without its folders. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}

/** A built server as it comes out of a build. */
export async function builtRelease(file: string, version: string): Promise<Release> {
  return { file, id: releaseId(version, await sha256OfFile(file)) }
}

/**
 * A release of a few bytes, with a manifest as a build writes it: deploying it is quick, and what serves is the built server.
 * @param before shell lines that run first; `exit` there makes a release that fails
 * @param traits what the manifest says of it; that it takes sockets only where a test is about that
 */
export async function smallRelease(
  site: Site,
  version: string,
  before = '',
  traits: ReleaseTraits = { data: dataSchema },
): Promise<Release> {
  const text = [
    '#!/bin/sh',
    `# ${version}`,
    before,
    'NETWORK_RELEASE=$(basename "$(dirname "$(readlink -f "$0")")")',
    'export NETWORK_RELEASE',
    `exec ${inject('builds').server1} "$@"`,
    '',
  ].join('\n')
  const folder = join(site.folder, `release-${version}`)
  const file = join(folder, 'network_server')
  await mkdir(folder, { recursive: true })
  await writeFile(file, text)
  await chmod(file, 0o755)
  const sha256 = sha256OfText(text)
  const entry = {
    name: 'network_server',
    version,
    commit: createHash('sha1').update(text).digest('hex'),
    platform: `${process.platform}-${process.arch}`,
    node: process.versions.node,
    size: Buffer.byteLength(text),
    sha256,
    traits,
  }
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ schema: 'netops/build/v1', executables: [entry] }))
  return { file, id: releaseId(version, sha256) }
}

/** Any executable, of which nobody said what it is. */
export async function foreignRelease(site: Site, name: string, script: string): Promise<Release> {
  const file = join(site.folder, name)
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  return { file, id: releaseId('unversioned', await sha256OfFile(file)) }
}

/** Two ports of 127.0.0.1 on which nothing listens. */
async function twoFreePorts(): Promise<readonly [number, number]> {
  const servers = [await listening(0), await listening(0)] as const
  const [one, two] = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) await closed(server)
  return [one ?? 0, two ?? 0]
}

/** A server of somebody else on a port of 127.0.0.1. */
export async function listening(port: number): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}

export const closed = (server: Server): Promise<unknown> => new Promise((resolve) => server.close(resolve))
