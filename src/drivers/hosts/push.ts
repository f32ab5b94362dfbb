// Brings a large file to a host by what the host lacks of it: the blocks that it has in some file are copied there, the
// others are sent. Whatever comes out is checked by the whole file's hash, as after a whole push.
import type { Pushed } from '../../model/journal.ts'
import { dataIn, type Run } from '../../system/delta.ts'
import { writeDelta } from '../../system/delta-stream.ts'
import { SharedFiles, type SharedFile } from '../../system/shared-files.ts'
import { applyCommands } from './apply.ts'
import { fillPushed, partialOf, pushCommands, temporaryOf } from './commands.ts'
import { assembleCommand, dealCommand, lookForGzip, unzipping } from './delta-commands.ts'
import { fastLink, linkSpeed, slowLink } from './link-speed.ts'
import { findDelta, lookForBases, unlessLost, type Delta, type PushEffect } from './push-delta.ts'
import type { HostCommand, HostConnection } from './port.ts'

export type { PushEffect } from './push-delta.ts'

// Of fewer bytes, finding out how fast the link is takes longer than what it could save.
const worthMeasuring = { gzip: 8 * 1024 * 1024, zstd: 32 * 1024 * 1024 }

// A command without input for ten minutes is stuck; one that is sent much over a slow link is not.
const commandTimeoutMs = 600_000
const slowestBytesPerMs = 8

const files = new SharedFiles()

/** One push on its way. */
interface Sending {
  readonly connection: HostConnection
  readonly effect: PushEffect
  readonly file: SharedFile
  /** Counts what goes over the wire. */
  readonly count: (bytes: number) => void
}

/**
 * Applies a push, going on where an earlier one broke off. A delta that does not come out right is followed by a whole push,
 * once.
 * @param tell hears of that
 * @returns what was sent, over all attempts, as it went over the wire
 * @throws NetopsError as `applyCommands`; `damaged` when the file itself is not what its hash says
 */
export async function pushFile(
  connection: HostConnection,
  effect: PushEffect,
  tell: (line: string) => void,
): Promise<Pushed> {
  let bytes = 0
  const file = await files.open(effect.from)
  try {
    await bring({ connection, effect, file, count: (sent) => (bytes += sent) }, tell)
  } finally {
    await file.close()
  }
  return { bytes, of: effect.size }
}

async function bring(sending: Sending, tell: (line: string) => void): Promise<void> {
  const { connection, effect } = sending
  const { bases } = effect
  const looked = bases === undefined ? [] : await unlessLost(() => lookForBases(connection, { ...effect, bases }))
  const there = looked instanceof Error ? [] : looked
  const delta = await unlessLost(() => findDelta(connection, effect, there))
  const send = async (way?: Delta) => applyCommands(connection, pushCommands(effect, await contentOf(sending, way)))
  const partial = partialOf(temporaryOf(effect))
  const forget = there.some(({ path }) => path === partial) ? [{ argv: ['rm', '-f', '--', partial] }] : []
  if (delta !== undefined && !(delta instanceof Error)) {
    const failed = await unlessLost(() => send(delta))
    if (!(failed instanceof Error)) return applyCommands(connection, forget)
    tell(`${effect.path} is sent whole, because its blocks did not come together: ${failed.message}`)
  }
  // It was of no use, and the disk may have no room for both.
  await applyCommands(connection, forget)
  await send()
}

/** The command that makes the new file, and what it is fed with. */
async function contentOf(sending: Sending, delta: Delta | undefined): Promise<HostCommand> {
  const { effect, file } = sending
  const runs: readonly Run[] = delta?.runs ?? [{ kind: 'data', offset: 0, length: effect.size }]
  const length = dataIn(runs)
  const timeoutMs = commandTimeoutMs + Math.ceil(length / slowestBytesPerMs)
  const given = (argv: readonly string[], stream: () => AsyncIterable<Uint8Array>): HostCommand => ({
    ...{ argv, timeoutMs },
    stdin: { stream: () => counted(stream(), sending.count) },
  })
  if (delta?.netops !== undefined) {
    const isFast = length >= worthMeasuring.zstd && (await speedOf(sending)) > fastLink
    const about = { size: effect.size, bases: delta.bases, compression: isFast ? 'hardly' : 'well' } as const
    return given(assembleCommand(delta.netops, temporaryOf(effect)), () => writeDelta(file.read, runs, about))
  }
  const argv = delta === undefined ? fillPushed(effect) : dealCommand(temporaryOf(effect), runs, delta.bases)
  const data = runs.filter(({ kind }) => kind === 'data')
  return length >= worthMeasuring.gzip && (await gainsByGzip(sending))
    ? given(unzipping(argv), () => file.readZipped(data))
    : given(argv, () => file.read(data))
}

async function gainsByGzip(sending: Sending): Promise<boolean> {
  // Below another root the host is this machine.
  if (sending.effect.bases === undefined || (await speedOf(sending)) >= slowLink) return false
  return (await sending.connection.run(lookForGzip, { timeoutMs: commandTimeoutMs })).code === 0
}

/** Bytes a second. */
async function speedOf({ connection, count }: Sending): Promise<number> {
  const speed = await unlessLost(() => linkSpeed(connection, count))
  // A measurement that did not come to its end is that of a slow link.
  return speed instanceof Error ? 0 : speed
}

async function* counted(stream: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) {
    count(chunk.length)
    yield chunk
  }
}
