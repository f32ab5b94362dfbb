// What a noisy login shell costs: the commands that log in everywhere, over many hosts by name of ssh_config, which are one
// real SSH server of this machine whose account's shell prints before each command's own output.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exec } from '../../src/system/exec.ts'
import { makeAccount } from '../../test/support/accounts.ts'
import { startSshd } from '../../test/support/sshd.ts'
import { contest } from './contest.ts'
import { load, machine, table } from './figures.ts'
import { freshNetops } from './netops.ts'
import { watch } from './peak.ts'

const hosts = 300
const linesOfNoise = 60
const usualRounds = 3
const signals = ['SIGINT', 'SIGTERM'] as const
const noise = 'what a login prints here'
/** Each with whether it has something to say of every host. */
const commands = [
  { words: ['inventory', 'check'], tellsHosts: true },
  { words: ['exec', '--', 'true'], tellsHosts: false },
  { words: ['status'], tellsHosts: true },
] as const

interface Wish {
  readonly json: boolean
  readonly rounds: number | undefined
}

interface Fleet {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly folder: string
  readonly names: readonly string[]
}

/** Runs the commands in turn over the noisy hosts, and says what each took. Only root can make the account. */
export async function noisy({ json, rounds = usualRounds }: Wish): Promise<void> {
  const netops = await freshNetops()
  const stopping = new AbortController()
  const onSignal = () => stopping.abort()
  for (const name of signals) process.on(name, onSignal)
  const undo: (() => Promise<unknown>)[] = []
  try {
    const fleet = await serve(undo)
    await proveNoise(fleet)
    const before = load()
    const measured = await measure(netops, fleet, { rounds, signal: stopping.signal })
    const on = { ...machine(), load: { before, after: load() } }
    if (json) {
      const document = { schema: 'netops/bench/v1', benchmark: 'noisy', ...on, rounds, hosts, linesOfNoise, measured }
      console.log(JSON.stringify(document))
      return
    }
    console.log(
      `${rounds} interleaved rounds, Node ${on.node}, ${on.processors}, load average ${before} before and ${on.load.after} after\n`,
    )
    const rows = measured.map(({ command, seconds, megabytes }) => [
      ...[`\`${command}\``, seconds.median.toFixed(2), megabytes.toFixed(0)],
    ])
    console.log(table([`${hosts} hosts with a noisy shell`, 'seconds, median', 'peak memory, MB'], rows))
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    console.error('stopped')
    process.exitCode = 130
  } finally {
    for (const clear of undo.reverse()) {
      await clear().catch((error: unknown) => {
        console.error('not cleared up:', error)
        process.exitCode = 1
      })
    }
    for (const name of signals) process.off(name, onSignal)
  }
}

/** @param undo gets what clears up each thing as soon as it is there */
async function serve(undo: (() => Promise<unknown>)[]): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  undo.push(() => rm(folder, { recursive: true, force: true }))
  const at = (...path: readonly string[]): string => join(folder, ...path)
  // sshd reads the account's keys, and the account its shell, as that account.
  await chmod(folder, 0o755)
  for (const name of ['sshd', 'home']) await mkdir(at(name), { mode: 0o755 })
  await mkdir(at('home', '.ssh'), { mode: 0o700 })
  const notices = Array.from({ length: linesOfNoise }, (_, index) => `notice ${index + 1}: ${noise}`)
  await writeFile(at('shell'), `#!/bin/sh\ncat ${at('notices')}\nexec /bin/sh "$@"\n`, { mode: 0o755 })
  await writeFile(at('notices'), `${notices.join('\n')}\n`)
  const account = await makeAccount({ shell: at('shell') })
  undo.push(() => account.remove())
  // sshd_config(5): by default some of more than ten connections that are not yet logged in are dropped.
  const sshd = await startSshd(at('sshd'), ['MaxStartups 2000', 'LogLevel QUIET'])
  undo.push(() => sshd.stop())
  const names = Array.from({ length: hosts }, (_, index) => `h${String(index + 1).padStart(3, '0')}`)
  const { address, port, identity, knownHosts } = sshd.target
  const config = [
    ...names.flatMap((name) => [`Host ${name}`, `  HostName ${address}`, `  Port ${port}`, `  User ${account.name}`]),
    'Host *',
    ...[`  IdentityFile ${identity}`, '  IdentitiesOnly yes', '  IdentityAgent none', '  BatchMode yes'],
    ...['  LogLevel ERROR', '  StrictHostKeyChecking yes', `  UserKnownHostsFile ${knownHosts}`],
  ]
  await writeFile(at('home', '.ssh', 'config'), `${config.join('\n')}\n`)
  const inventory = ['hosts:', ...names.map((name) => `  ${name}: { address: ${name} }`)]
  await writeFile(at('netops.yml'), `${inventory.join('\n')}\n`)
  const env = { HOME: at('home'), SSH_AUTH_SOCK: undefined, NETOPS_STATE_DIR: at('state'), NETOPS_INVENTORY: undefined }
  return { env, folder, names }
}

/** A benchmark of noise where there is none would tell nothing. */
async function proveNoise({ folder, names: [name = ''] }: Fleet): Promise<void> {
  const { stdout, stderr } = await exec(['ssh', '-F', join(folder, 'home', '.ssh', 'config'), name, 'true'])
  if (stdout === (await readFile(join(folder, 'notices'), 'utf8'))) return
  throw new Error(`a login does not print what it should: ${stdout}${stderr}`)
}

async function measure(
  netops: string,
  { env, folder, names }: Fleet,
  { rounds, signal }: { readonly rounds: number; readonly signal: AbortSignal },
) {
  const peaks = new Map<string, number>()
  const contestants = commands.map(({ words, tellsHosts }) => {
    const name = ['netops', ...words].join(' ')
    const run = async (): Promise<void> => {
      const { stdout, megabytes } = await watch([netops, ...words], { env, cwd: folder, signal })
      const told = names.filter((host) => stdout.includes(host)).length
      if (told !== (tellsHosts ? names.length : 0) || stdout.includes(noise))
        throw new Error(`${name} tells of ${told} hosts: ${stdout.slice(-1000)}`)
      peaks.set(name, Math.max(peaks.get(name) ?? 0, megabytes))
    }
    return { name, run }
  })
  const taken = await contest(contestants, { rounds, warmUps: 1, tell: (line) => console.error(line) })
  return [...taken].map(([command, seconds]) => ({ command, seconds, megabytes: peaks.get(command) ?? 0 }))
}
