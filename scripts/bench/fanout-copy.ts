// 40 MB to ten hosts by every tool, and what a second push of a slightly changed file sends.
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { serverExecutable } from '../../src/model/paths.ts'
import { blockSize } from '../../src/system/blocks.ts'
import { exec } from '../../src/system/exec.ts'
import { sha256OfFile } from '../../src/system/files.ts'
import { contest, type Contestant } from './contest.ts'
import type { Bench } from './fanout-bench.ts'
import { aimOf, table } from './figures.ts'
import { copyPeers, endMasters, present, requireSuccess, type Peer } from './peers.ts'
import type { HostSet } from './ssh-hosts.ts'

const usualRounds = 5
const count = 10
const size = 40 * 2 ** 20
const changedShare = 0.01
// The aims of the project, as ratios of the medians and of the bytes.
const aimed = { scp: 1, delta: 0.1 }

const names = { whole: 'netops push', delta: 'netops push, 1% changed', bare: 'ssh2 fastPut' } as const
const releases = { old: `releases/1/${serverExecutable}`, new: `releases/2/${serverExecutable}` }

export async function compareCopies(bench: Bench) {
  const rounds = bench.rounds ?? usualRounds
  const set = await bench.hosts.take(count)
  const source = await makeSource(bench)
  const sent = new Map<string, number>()
  const push = (name: string, file: string, before?: () => Promise<void>): Promise<Contestant> =>
    pushContestant(name, file, 'push', { bench, set, ...source, sent, ...(before && { before }) })
  const contestants = [
    await push(names.whole, source.file),
    await push(names.delta, source.changed, () => putOldRelease(set, source.file)),
    await pushContestant(names.bare, source.file, 'bare-put', { bench, set, ...source, sent }),
    ...(await present(copyPeers(source.file, releases.new))).map((peer) =>
      peerContestant(peer, source.file, bench, set),
    ),
  ]
  const taken = await contest(contestants, {
    rounds,
    warmUps: 1,
    tell: (line) => bench.tell(`40 MB to ${count} hosts, ${line}`),
  })
  const ours = taken.get(names.whole)?.median ?? Number.NaN
  const all = size * count
  const rows = [...taken].map(([name, figures]) => {
    const bytes = sent.get(name) ?? all
    return { name, ...figures, bytes, ratio: ours / figures.median }
  })
  const find = (name: string) => rows.find((row) => row.name === name)
  const ratios = { scp: find('scp')?.ratio, deltaBytes: (find(names.delta)?.bytes ?? all) / all }
  const head = [`40 MB to ${count} hosts, seconds`, 'runs', 'min', 'median', 'MB sent', 'netops push takes']
  const text = table(
    head,
    rows.map(({ name, samples, min, median, bytes, ratio }) => [
      ...[name, `${samples}`, min.toFixed(2), median.toFixed(2), (bytes / 2 ** 20).toFixed(1)],
      name === names.whole ? '' : `x ${ratio.toFixed(2)}`,
    ]),
  )
  const aims = [
    ...(ratios.scp === undefined ? [] : [aimOf('push-beside-scp', ratios.scp, aimed.scp)]),
    aimOf('push-changed-bytes', ratios.deltaBytes, aimed.delta),
  ]
  return { data: { unit: 's', size, rounds, aims, ratios, rows }, text, aims }
}

interface Source {
  readonly file: string
  /** The same with another content in some of its blocks. */
  readonly changed: string
  /** Where the built netops lies that hashes and assembles on the hosts. */
  readonly builds: string
}

/** A file of random bytes, and the same with some of its blocks changed. */
export async function makeSource({ folder, netops }: Bench): Promise<Source> {
  const [file, changed, builds] = [join(folder, 'source'), join(folder, 'changed'), join(folder, 'builds')]
  const bytes = randomBytes(size)
  await writeFile(file, bytes)
  const blocks = size / blockSize
  const wanted = Math.round(blocks * changedShare)
  for (let i = 0; i < wanted; i += 1) {
    randomBytes(blockSize).copy(bytes, Math.floor((i * blocks) / wanted) * blockSize)
  }
  await writeFile(changed, bytes)
  await mkdir(join(builds, '1'), { recursive: true })
  await copyFile(netops, join(builds, '1', 'netops'))
  return { file, changed, builds }
}

interface Copying extends Pick<Source, 'builds'> {
  readonly bench: Bench
  readonly set: HostSet
  /** Where a program says how many bytes it sent. */
  readonly sent: Map<string, number>
  readonly before?: () => Promise<void>
}

/** One of our own programs that copies a file to all hosts. */
export async function pushContestant(
  name: string,
  file: string,
  program: string,
  { bench, set, builds, sent, before }: Copying,
): Promise<Contestant> {
  const order = join(bench.folder, `copy-${name.replaceAll(/\W+/g, '-')}.json`)
  await writeFile(order, JSON.stringify({ hosts: set.hosts, file, to: releases.new, builds }))
  return {
    name,
    before: async () => {
      await clear(set)
      await before?.()
    },
    run: async () => {
      const result = await exec([...bench.program(program), order], { env: bench.env, signal: bench.signal })
      requireSuccess(name, result, set)
      if (result.stdout !== '') sent.set(name, Number(result.stdout))
    },
    after: () => requireArrived(name, file, set),
  }
}

const peerContestant = (
  { name, argv, success, every }: Peer,
  file: string,
  bench: Bench,
  set: HostSet,
): Contestant => ({
  name,
  ...(every === undefined ? {} : { every }),
  before: () => clear(set),
  run: async () => {
    const result = await exec(argv(set), { env: bench.env, cwd: bench.folder, signal: bench.signal })
    requireSuccess(name, result, set, success)
  },
  after: async () => {
    await endMasters(bench.folder)
    await requireArrived(name, file, set)
  },
})

async function clear(set: HostSet): Promise<void> {
  for (const { files } of set.hosts) {
    await rm(join(files, 'releases'), { recursive: true, force: true })
    await mkdir(dirname(join(files, releases.new)), { recursive: true })
  }
  // What others left to be written is not to be the next one's wait.
  await exec(['sync'])
}

async function putOldRelease(set: HostSet, file: string): Promise<void> {
  for (const { files } of set.hosts) {
    await mkdir(dirname(join(files, releases.old)), { recursive: true })
    await copyFile(file, join(files, releases.old))
  }
  await exec(['sync'])
}

async function requireArrived(name: string, file: string, set: HostSet): Promise<void> {
  const expected = await sha256OfFile(file)
  for (const host of set.hosts) {
    if ((await sha256OfFile(join(host.files, releases.new))) === expected) continue
    throw new Error(`what ${name} brought to ${host.name} is not what was sent`)
  }
}
