// What of a file a host has already: in releases and netops builds, and in what pushes that broke off have written there.
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { HostEffect } from '../../model/effects.ts'
import { locate } from '../../model/errors.ts'
import { blockSize, hashBlocks, type Blocks } from '../../system/blocks.ts'
import { dataIn, matchBlocks, type Run } from '../../system/delta.ts'
import { applyCommands } from './apply.ts'
import { newMark, partialOf, temporaryOf } from './commands.ts'
import { hashCommand, keepPartial, listBases } from './delta-commands.ts'
import type { HostConnection } from './port.ts'

export type PushEffect = Extract<HostEffect, { kind: 'push' }>

/** How to make a file from what the host has and from what is sent. */
export interface Delta {
  readonly runs: readonly Run[]
  readonly bases: readonly string[]
  /** The netops build on the host that puts it together. */
  readonly netops: string
}

/** A file on the host that may have blocks of the new one. */
export interface OnHost {
  readonly path: string
  readonly size: number
  readonly changed: number
  /** Left half written by a push of a file of this name. */
  readonly partial: boolean
}

// Sending more than this share of the file saves too little for what the host has to do. Where a push broke off, the host
// has done most of it already.
const worthwhile = 0.75
// Of the largest: each is a beginning, so that the others have little more.
const mostPartials = 2
const lookTimeoutMs = 60_000

/** What went wrong, as a value; what says that the host is lost or the operator leaves is thrown on. */
export async function unlessLost<T>(work: () => Promise<T>): Promise<T | Error> {
  try {
    return await work()
  } catch (thrown) {
    const error = locate(thrown, {})
    if (error.code === 'unreachable' || error.code === 'interrupted') throw thrown
    return error
  }
}

/**
 * Lists what the host may have of a file. What an earlier attempt of the same run has written is put out of the way of the
 * next: under the name that `partialOf` tells.
 */
export async function lookForBases(
  connection: HostConnection,
  effect: PushEffect & { readonly bases: NonNullable<PushEffect['bases']> },
): Promise<readonly OnHost[]> {
  const { stdout } = await connection.run(listBases(effect.bases, effect.path), { timeoutMs: lookTimeoutMs })
  const there = parseBases(stdout, effect)
  const temporary = temporaryOf(effect)
  const [written, kept] = [temporary, partialOf(temporary)].map((name) => there.find(({ path }) => path === name))
  // Without netops nothing comes of it: it is written over.
  if (written === undefined || netopsAmong(there) === undefined) return there
  const others = there.filter((base) => base !== written)
  // Both are beginnings of the file. The longer one has all of the other.
  if (kept !== undefined && kept.size >= written.size) return others
  await applyCommands(connection, [{ argv: keepPartial(temporary) }])
  return [...others.filter((base) => base !== kept), { ...written, path: partialOf(temporary) }]
}

/** The newest first. */
function parseBases(listed: string, { path: target }: PushEffect): readonly OnHost[] {
  const found = new Map<string, OnHost>()
  for (const line of listed.split('\n')) {
    // A login banner may stand before it.
    const [, changed, size, path] = /^(\d+) (\d+) (\/.+)$/.exec(line) ?? []
    if (path === undefined) continue
    const partial = basename(path).startsWith(`.${basename(target)}${newMark}`)
    found.set(path, { path, size: Number(size), changed: Number(changed), partial })
  }
  return [...found.values()].sort((a, b) => b.changed - a.changed)
}

/** What of a file to copy on the host; undefined where that is not worth it, or no netops is there to do it. */
export async function findDelta(
  connection: HostConnection,
  effect: PushEffect,
  there: readonly OnHost[],
): Promise<Delta | undefined> {
  const netops = netopsAmong(there)
  const bases = chooseBases(there, effect)
  if (netops === undefined || bases.length === 0) return undefined
  const wanted = await sourceBlocks(effect)
  if (wanted.size !== effect.size) return undefined
  const hashed = await hashAll(connection, bases, netops)
  const runs = matchBlocks(wanted, hashed)
  const most = hashed.some(({ partial }) => partial) ? effect.size - 1 : worthwhile * effect.size
  return dataIn(runs) <= most ? { runs, bases: hashed.map(({ path }) => path), netops } : undefined
}

/** A netops build on the host, which can hash blocks and put them together. */
const netopsAmong = (there: readonly OnHost[]): string | undefined =>
  there.find(({ path }) => basename(path) === 'netops')?.path

/**
 * What was left half written, then the newest build of the same program, and the newest of the other: after a change of Node
 * only one of them may have the new one in it. What is much smaller or larger is no build of ours.
 */
function chooseBases(there: readonly OnHost[], { path, size }: PushEffect): readonly OnHost[] {
  const small = there.filter((base) => base.size <= size * 2)
  const partials = small
    .filter((base) => base.partial && base.size >= blockSize)
    .sort((a, b) => b.size - a.size)
    .slice(0, mostPartials)
  const alike = small.filter((base) => !base.partial && base.size >= size / 2)
  const isSame = (base: OnHost): boolean => basename(base.path) === basename(path)
  const builds = [alike.find(isSame), alike.find((base) => !isSame(base))].filter((base) => base !== undefined)
  return [...partials, ...builds]
}

type Hashed = Blocks & OnHost

// 32 digits and the end of a line for each block; another push may be writing it, and a login shell greet.
const mostOfHashes = ({ size }: OnHost): number => 64 * 1024 + 2 * 33 * Math.ceil(size / blockSize)

/** The blocks of the bases; without those that could not be read as they were listed. */
async function hashAll(
  connection: HostConnection,
  bases: readonly OnHost[],
  netops: string,
): Promise<readonly Hashed[]> {
  const hashed = await Promise.all(
    bases.map(async (base) => {
      const result = await unlessLost(() =>
        connection.run(hashCommand(netops, base.path), { timeoutMs: lookTimeoutMs, most: mostOfHashes(base) }),
      )
      if (result instanceof Error || result.code !== 0) return []
      const hashes = [...result.stdout.matchAll(/^[0-9a-f]{32}$/gm)].map(([hash]) => hash)
      // Another push may be writing it right now: what was there when it was read, is there to be copied.
      const asListed = base.partial || hashes.length === Math.ceil(base.size / blockSize)
      return asListed ? [{ ...base, hashes }] : []
    }),
  )
  return hashed.flat()
}

/** A file is read once, for however many hosts. */
const sources = new Map<string, Promise<Blocks>>()

function sourceBlocks({ from, sha256 }: PushEffect): Promise<Blocks> {
  const key = `${sha256} ${from}`
  const known = sources.get(key)
  if (known !== undefined) return known
  const reading = readSource(from)
  sources.set(key, reading)
  // What could not be read now is tried again the next time.
  reading.catch(() => sources.delete(key))
  return reading
}

async function readSource(path: string): Promise<Blocks> {
  const hashes: string[] = []
  for await (const hash of hashBlocks(path)) hashes.push(hash)
  return { size: (await stat(path)).size, hashes }
}
