// What tests of a fleet need beside its hosts: configurations and releases to deploy, listings of a host's files, and journals.
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { parseJournal } from '../../src/engine/journal.ts'
import { execOnHost } from '../../src/lab/host.ts'
import type { LabHost } from '../../src/lab/state.ts'
import { dataSchema } from '../../src/model/data-schema.ts'
import type { JournalRecord } from '../../src/model/journal.ts'
import { hostPaths, releaseId, serviceName } from '../../src/model/paths.ts'
import { stepsOf, type Step } from '../../src/model/plan.ts'
import { execText } from '../../src/system/exec.ts'
import { readTextIfAny, sha256OfFile } from '../../src/system/files.ts'

export interface Release {
  readonly file: string
  readonly id: string
}

/** A configuration as a user writes it. */
export const configText = (maxConnections: number): string => `server:
  host: 127.0.0.1
  port: 8080
  max_connections: ${maxConnections}
logging:
  level: INFO
  file: /var/log/network/server.log
metrics:
  host: 127.0.0.1
  port: 9090
`

export async function writeConfig(folder: string, name: string, maxConnections: number): Promise<string> {
  const file = join(folder, `${name}.yaml`)
  await writeFile(file, configText(maxConnections))
  return file
}

/** Any executable, of which nobody said what it is. */
export async function foreignRelease(folder: string, name: string, script: string): Promise<Release> {
  const file = join(folder, name)
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
  return { file, id: releaseId('unversioned', await sha256OfFile(file)) }
}

/** An executable with a manifest as a build writes it, so that netops asks it to check the configuration. */
export async function listedRelease(folder: string, name: string, script: string): Promise<Release> {
  await mkdir(join(folder, name))
  const { file } = await foreignRelease(folder, `${name}/network_server`, script)
  const sha256 = await sha256OfFile(file)
  const { size } = await stat(file)
  const built = {
    name: 'network_server',
    version: '9.9.9',
    commit: '0'.repeat(40),
    platform: 'linux-x64',
    node: '24.21.0',
    traits: { data: dataSchema },
  }
  const manifest = { schema: 'netops/build/v1', executables: [{ ...built, size, sha256 }] }
  await writeFile(join(folder, name, 'manifest.json'), JSON.stringify(manifest))
  return { file, id: releaseId('9.9.9', sha256) }
}

// A login, a timer or systemd's own bookkeeping writes here at any time.
const volatile = [
  'proc',
  'sys',
  'run',
  'tmp',
  'dev',
  'var/tmp',
  'var/log/journal',
  'var/log/wtmp',
  'var/log/lastlog',
  'var/log/btmp',
  'var/lib/systemd',
]
// What a failed first attempt leaves for those who look into it: netops, its journals, the account that owns the log.
const ownWriting = [
  ...['opt/network_system', 'var/lib/netops', 'var/log/network'],
  ...['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid'].flatMap((file) => [`etc/${file}`, `etc/${file}-`]),
  'etc/.pwd.lock',
]

export type Listing = Readonly<Record<string, string>>

/** Every file below a folder: kind, mode, owner, size, time of the last change, target or hash. */
export async function listTree(cwd: string): Promise<Listing> {
  const without = volatile.flatMap((path) => ['-o', '-path', `./${path}`]).slice(1)
  const find = ['find', '.', '(', ...without, ')', '-prune', '-o']
  const entries = await execText([...find, '-printf', '%P\\t%y %m %U:%G %s %T@ %l\\n'], { cwd })
  const files = await execText([...find, '-type', 'f', '-print0'], { cwd })
  // Ended by zero bytes, names are printed as they are; else those with a backslash are escaped.
  const hashes = await execText(['xargs', '-0', 'sha256sum', '--zero', '--'], { cwd, stdin: { text: files } })
  const hashOf = new Map(hashes.split('\0').map((entry) => [entry.slice(68), entry.slice(0, 64)]))
  return Object.fromEntries(
    lines(entries).map((line) => {
      const [path = '', about = ''] = line.split('\t')
      return [path, `${about}${hashOf.get(path) ?? ''}`]
    }),
  )
}

const lines = (text: string): string[] => text.trimEnd().split('\n')

/** A listing without what a failed attempt may leave; folders in which something came and went have another time and size. */
export const settled = (listing: Listing): Listing =>
  Object.fromEntries(
    Object.entries(listing)
      .filter(([path]) => !ownWriting.some((own) => path === own || path.startsWith(`${own}/`)))
      .map(([path, about]) => [path, about.startsWith('d ') ? about.split(' ').slice(0, 3).join(' ') : about]),
  )

/** The records of a journal; none where there is no file yet. */
export async function readRecords(file: string): Promise<readonly JournalRecord[]> {
  return parseJournal(Buffer.from((await readTextIfAny(file)) ?? ''), file).records
}

export const isStep = (record: JournalRecord, step: string, type: 'begin' | 'done'): boolean =>
  record.type === type && record.step === step

/** The steps that were begun more than once. */
export function repeated(records: readonly JournalRecord[]): readonly string[] {
  const begun = records.flatMap((record) => (record.type === 'begin' ? [record.step] : []))
  return [...new Set(begun.filter((step, index) => begun.indexOf(step) !== index))].sort()
}

const shown = z.object({ id: z.string(), title: z.string(), effects: z.json(), undo: z.json() })
const shownHosts = z.array(z.object({ host: z.string(), push: z.array(shown), activate: z.array(shown) }))

/** The steps of a dry run by its document, with the run's name taken out. */
export function shownBy(document: { readonly hosts?: unknown }): unknown {
  const hosts = shownHosts.parse(document.hosts)
  const run = /"run":"([^"]+)\.\w+"/.exec(JSON.stringify(hosts))?.[1] ?? ''
  return anonymous(hosts, run)
}

/** The steps that the operator and each host journaled before they began, in the form of {@link shownBy}. */
export function journaledBy(
  run: string,
  operator: Records,
  own: readonly { host: string; records: Records }[],
): unknown {
  const hosts = own.map(({ host, records }) => ({
    host,
    push: plannedIn(operator)
      .filter((step) => step.host === host)
      .map(asShown),
    activate: plannedIn(records).map(asShown),
  }))
  return anonymous(hosts, run)
}

type Records = readonly JournalRecord[]

function plannedIn(records: Records): readonly Step[] {
  const plan = records.find((record) => record.type === 'run')?.plan
  return plan === undefined ? [] : stepsOf(plan)
}

const asShown = ({ id, title, act, undo }: Step): z.infer<typeof shown> =>
  shown.parse({ id, title, effects: act, undo })

const anonymous = (value: unknown, run: string): unknown => JSON.parse(JSON.stringify(value).replaceAll(run, 'RUN'))

/** Waits for something to be so, a minute at most, or as long as is said. */
export async function until<T>(probe: () => Promise<T | undefined | false>, withinMs = 60_000): Promise<T> {
  for (const deadline = Date.now() + withinMs; ;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error(`it did not happen within ${withinMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const unitProperties = 'LoadState,ActiveState,UnitFileState,MainPID,InvocationID,NRestarts,Result'

/** What systemd says of the service on a host. */
export async function unitOf(host: LabHost): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await execOnHost(host, ['systemctl', 'show', '--property', unitProperties, serviceName])
  return Object.fromEntries(lines(stdout).map((line) => line.split('=', 2))) as Record<string, string>
}

/** What a host serves: the release in place, the one that answers, and the configuration. */
export async function servedBy(host: LabHost) {
  const { current, config } = hostPaths('/')
  const get = 'exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET /health/ready HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3'
  const [link, answer, text] = await Promise.all([
    execOnHost(host, ['readlink', current]),
    execOnHost(host, ['timeout', '5', 'bash', '-c', get]),
    execOnHost(host, ['cat', config]),
  ])
  const ready = /^HTTP\/1\.\d 200 /.test(answer.stdout)
  return {
    current: link.stdout.trim().split('/').at(-1),
    answering: ready ? /^x-release: (.*)\r$/im.exec(answer.stdout)?.[1] : undefined,
    config: text.stdout,
  }
}

/** The fingerprint of a host's key, as the host itself tells it. */
export async function fingerprintOf(host: LabHost): Promise<string> {
  const { stdout } = await execOnHost(host, ['ssh-keygen', '-lf', '/etc/ssh/ssh_host_ed25519_key.pub'])
  return stdout.split(' ')[1] ?? ''
}
