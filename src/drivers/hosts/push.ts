// Brings a large file to a host by what the host lacks of it: the blocks that releases and netops builds there have are
// copied there, the others are sent. Whatever comes out is checked by the whole file's hash, as after a whole push.
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { HostEffect } from '../../model/effects.ts'
import { locate } from '../../model/errors.ts'
import type { Pushed } from '../../model/journal.ts'
import { blockHash, blockSize, hashBlocks, type Blocks } from '../../system/blocks.ts'
import { dataIn, matchBlocks, type Run } from '../../system/delta.ts'
import { readRuns, writeDelta } from '../../system/delta-stream.ts'
import { applyCommands } from './apply.ts'
import { commandsOf, pushCommands, temporaryOf } from './commands.ts'
import {
  assembleCommand,
  dealCommand,
  hashByCoreutils,
  hashByNetops,
  listBases,
  longestDeal,
} from './delta-commands.ts'
import type { HostCommand, HostConnection } from './port.ts'

export type PushEffect = Extract<HostEffect, { kind: 'push' }>

// Sending more than this share of the file saves too little for what the host has to do.
const worthwhile = 0.75
const lookTimeoutMs = 60_000

/**
 * Applies a push. A delta that does not come out right is followed by a whole push, once.
 * @param tell hears of that
 * @returns what was sent, over all attempts
 * @throws NetopsError as `applyCommands`; `damaged` when the file itself is not what its hash says
 */
export async function pushFile(
  connection: HostConnection,
  effect: PushEffect,
  tell: (line: string) => void,
): Promise<Pushed> {
  let bytes = 0
  const counted = async function* (stream: AsyncIterable<Uint8Array>) {
    for await (const chunk of stream) {
      bytes += chunk.length
      yield chunk
    }
  }
  const delta = await unlessLost(() => findDelta(connection, effect))
  if (delta !== undefined && !(delta instanceof Error)) {
    const { argv, stream } = contentOf(effect, delta)
    const content: HostCommand = { argv, stdin: { stream: () => counted(stream()) } }
    const failed = await unlessLost(() => applyCommands(connection, pushCommands(effect, content)))
    if (!(failed instanceof Error)) return { bytes, of: effect.size }
    tell(`${effect.path} is sent whole, because its blocks did not come together: ${failed.message}`)
  }
  await applyCommands(connection, commandsOf(effect))
  return { bytes: bytes + effect.size, of: effect.size }
}

/** What went wrong, as a value; what says that the host is lost or the operator leaves is thrown on. */
async function unlessLost<T>(work: () => Promise<T>): Promise<T | Error> {
  try {
    return await work()
  } catch (thrown) {
    const error = locate(thrown, {})
    if (error.code === 'unreachable' || error.code === 'interrupted') throw thrown
    return error
  }
}

interface Delta {
  readonly runs: readonly Run[]
  readonly bases: readonly string[]
  /** The netops build on the host that puts it together; undefined where coreutils have to. */
  readonly netops: string | undefined
}

interface OnHost {
  readonly path: string
  readonly size: number
  readonly changed: number
}

/** How to make the file from what the host has; undefined where that is not worth it. */
async function findDelta(connection: HostConnection, effect: PushEffect): Promise<Delta | undefined> {
  if (effect.bases === undefined) return undefined
  const { stdout } = await connection.run(listBases(effect.bases), { timeoutMs: lookTimeoutMs })
  const there = parseBases(stdout)
  const bases = chooseBases(there, effect)
  if (bases.length === 0) return undefined
  const wanted = await sourceBlocks(effect)
  if (wanted.size !== effect.size) return undefined
  const helper = there.find(({ path }) => basename(path) === 'netops')?.path
  const byNetops = helper === undefined ? [] : await hashAll(connection, bases, (path) => hashByNetops(helper, path))
  const netops = byNetops.length === 0 ? undefined : helper
  const hashed = netops === undefined ? await hashByHand(connection, bases, effect) : byNetops
  const runs = matchBlocks(wanted, hashed)
  if (dataIn(runs) > worthwhile * effect.size) return undefined
  if (netops === undefined && runs.length > longestDeal) return undefined
  return { runs, bases: hashed.map(({ path }) => path), netops }
}

/** The newest first. */
function parseBases(listed: string): readonly OnHost[] {
  return listed
    .split('\n')
    .flatMap((line) => {
      // A login banner may stand before it.
      const [, changed, size, path] = /^(\d+) (\d+) (\/.+)$/.exec(line) ?? []
      return path === undefined ? [] : [{ path, size: Number(size), changed: Number(changed) }]
    })
    .sort((a, b) => b.changed - a.changed)
}

/**
 * The newest build of the same program, and the newest of the other: after a change of Node only one of them may have the
 * new one in it. What is much smaller or larger is no build of ours.
 */
function chooseBases(there: readonly OnHost[], { path, size }: PushEffect): readonly OnHost[] {
  const alike = there.filter((base) => base.size >= size / 2 && base.size <= size * 2)
  const isSame = (base: OnHost): boolean => basename(base.path) === basename(path)
  return [alike.find(isSame), alike.find((base) => !isSame(base))].filter((base) => base !== undefined)
}

type Hashed = Blocks & { readonly path: string }

async function hashByHand(connection: HostConnection, bases: readonly OnHost[], effect: PushEffect) {
  const folder = `${temporaryOf(effect)}.blocks`
  const hashed: Hashed[] = []
  // One after the other: each needs the room of a base on the host's disk.
  for (const base of bases) hashed.push(...(await hashAll(connection, [base], (path) => hashByCoreutils(folder, path))))
  return hashed
}

/** The blocks of the bases; without those that could not be read as they were listed. */
async function hashAll(
  connection: HostConnection,
  bases: readonly OnHost[],
  commandOf: (path: string) => readonly string[],
): Promise<readonly Hashed[]> {
  const hashed = await Promise.all(
    bases.map(async ({ path, size }) => {
      const result = await unlessLost(() => connection.run(commandOf(path), { timeoutMs: lookTimeoutMs }))
      if (result instanceof Error || result.code !== 0) return []
      const hashes = [...result.stdout.matchAll(/^[0-9a-f]{32,64}(?=\s)/gm)].map(([hash]) => blockHash(hash))
      return hashes.length === Math.ceil(size / blockSize) ? [{ path, size, hashes }] : []
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

function contentOf(effect: PushEffect, { runs, bases, netops }: Delta) {
  const temporary = temporaryOf(effect)
  return netops === undefined
    ? { argv: dealCommand(temporary, runs, bases), stream: () => readRuns(effect.from, runs) }
    : {
        argv: assembleCommand(netops, temporary),
        stream: () => writeDelta(effect.from, runs, { size: effect.size, bases }),
      }
}
