// One command on many hosts, one file to many hosts, and what many connections take in memory: netops beside its peers
// on real SSH servers of this machine.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from '../../src/build/bundle.ts'
import { ownCheckout } from '../../src/build/checkout.ts'
import type { Bench, Measured } from './fanout-bench.ts'
import { compareCommands, compareExec } from './fanout-command.ts'
import { compareCopies } from './fanout-copy.ts'
import { measureMemory } from './fanout-memory.ts'
import { aimText, load, machine } from './figures.ts'
import { freshNetops, pinnedNode } from './netops.ts'
import { ansibleSettings, commandPeers, copyPeers, endMasters, present, toolEnvironment } from './peers.ts'
import { startSshHosts, type SshHosts } from './ssh-hosts.ts'

const servers = 50
const signals = ['SIGINT', 'SIGTERM'] as const
const programs = ['bare-exec', 'bare-put', 'push'] as const

const parts: Readonly<Record<string, (bench: Bench) => Promise<Measured>>> = {
  commands: compareCommands,
  copies: compareCopies,
  memory: measureMemory,
}
/** Those that are measured where they are named: what they tell is also in another one. */
const partsByName: typeof parts = { ...parts, exec: compareExec }

export interface FanoutOptions {
  readonly json: boolean
  /** One of the parts alone. */
  readonly only: string | undefined
  readonly rounds: number | undefined
}

export async function fanout({ json, only, rounds }: FanoutOptions): Promise<void> {
  const chosen = Object.entries(only === undefined ? parts : partsByName).filter(([name]) => name === (only ?? name))
  if (chosen.length === 0) throw new Error(`--only takes ${Object.keys(partsByName).join(', ')}, not ${only ?? ''}`)
  const netops = await freshNetops()
  const folder = await mkdtemp(join(tmpdir(), 'netops-bench-'))
  const stopping = new AbortController()
  const onSignal = () => stopping.abort()
  // Not `once`: execa ends the process where no listener is left, and then nothing would be cleared up.
  for (const name of signals) process.on(name, onSignal)
  let hosts: SshHosts | undefined
  try {
    const tell = (line: string) => console.error(line)
    const node = await pinnedNode()
    const made = new Map<string, readonly string[]>()
    for (const name of programs) made.set(name, [node.file, await makeProgram(folder, name)])
    await writeFile(ansibleSettings(folder), '')
    tell(`starting ${servers} SSH servers on 127.0.0.1`)
    hosts = await startSshHosts(folder, servers)
    const program = (name: string): readonly string[] => made.get(name) ?? []
    const env = toolEnvironment(folder)
    const bench: Bench = { folder, hosts, netops, program, env, signal: stopping.signal, rounds, tell }
    const before = load()
    const leftOut = only === 'exec' ? [] : await missing()
    for (const line of leftOut) tell(`left out: ${line}`)
    const results: (Measured & { readonly name: string })[] = []
    for (const [name, measure] of chosen) results.push({ name, ...(await measure(bench)) })
    const aims = results.flatMap((one) => one.aims ?? [])
    const on = { ...machine(), node: node.version, load: { before, after: load() } }
    if (json) {
      const measured = Object.fromEntries(results.map(({ name, data }) => [name, data]))
      const document = { schema: 'netops/bench/v1', benchmark: 'fanout', ...on, ...measured, leftOut, aims }
      console.log(JSON.stringify(document))
      return
    }
    console.log(`Node ${on.node}, ${on.processors}, load average ${before} before and ${on.load.after} after\n`)
    for (const { text } of results) console.log(`${text}\n`)
    for (const line of leftOut) console.log(`left out: ${line}`)
    for (const aim of aims) console.log(aimText(aim))
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    console.error('stopped')
    process.exitCode = 130
  } finally {
    await endMasters(folder)
    await hosts?.stop()
    await rm(folder, { recursive: true, force: true })
    for (const name of signals) process.off(name, onSignal)
  }
}

/** As one file of JavaScript: neither stripping types nor looking for packages is to count. */
async function makeProgram(folder: string, name: string): Promise<string> {
  const { code } = await bundle({ checkout: ownCheckout, entry: `scripts/bench/programs/${name}.ts`, facts: {} })
  const path = join(folder, `${name}.cjs`)
  await writeFile(path, code)
  return path
}

async function missing(): Promise<readonly string[]> {
  const peers = [...commandPeers(''), ...copyPeers('', '')]
  const there = await present(peers)
  const isThere = (name: string): boolean => there.some((peer) => peer.name === name)
  return peers.filter(({ name }) => !isThere(name)).map(({ name, from }) => `${name} (apt-get install ${from})`)
}
