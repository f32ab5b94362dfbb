// Brings a large file to a host by what the host lacks of it: the blocks that it has in some file are copied there, the
// others are sent. Whatever comes out is checked by the whole file's hash, as after a whole push.
import type { Pushed } from '../../model/journal.ts'
import { dataIn } from '../../system/delta.ts'
import { writeDelta } from '../../system/delta-stream.ts'
import { SharedFiles, type SharedFile, type Stretch } from '../../system/shared-files.ts'
import { applyCommands } from './apply.ts'
import { beginPush, extendPushed, fillPushed, finishPush, partialOf, pushCommands, temporaryOf } from './commands.ts'
import { assembleCommand, lookForGzip, unzipping } from './delta-commands.ts'
import { fastLink, isMeasured, linkSpeed, measureBy, slowLink } from './link-speed.ts'
import { findDelta, lookForBases, unlessLost, type Delta, type PushEffect } from './push-delta.ts'
import type { HostCommand, HostConnection } from './port.ts'

export type { PushEffect } from './push-delta.ts'

// Of fewer bytes, finding out whether the host can unzip takes longer than what that could save.
const worthZipping = 1024 * 1024
// Of fewer bytes, finding out how fast the link is does.
const worthMeasuring = { gzip: 8 * 1024 * 1024, zstd: 32 * 1024 * 1024 }
// The beginning of a file that goes whole tells how fast the link is: nothing is sent just for that.
const beginning = 4 * 1024 * 1024

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
  const partial = partialOf(temporaryOf(effect))
  const forget = there.some(({ path }) => path === partial) ? [{ argv: ['rm', '-f', '--', partial] }] : []
  if (delta !== undefined && !(delta instanceof Error)) {
    const failed = await unlessLost(() => sendDelta(sending, delta))
    if (!(failed instanceof Error)) return applyCommands(connection, forget)
    tell(`${effect.path} is sent whole, because its blocks did not come together: ${failed.message}`)
  }
  // It was of no use, and the disk may have no room for both.
  await applyCommands(connection, forget)
  await sendWhole(sending)
}

async function sendDelta(sending: Sending, delta: Delta): Promise<void> {
  const { connection, effect } = sending
  await applyCommands(connection, pushCommands(effect, await assembled(sending, delta)))
}

/** A command by which a netops build on the host puts the file together. */
async function assembled(sending: Sending, { runs, bases, netops }: Delta): Promise<HostCommand> {
  const { effect, file } = sending
  const length = dataIn(runs)
  const isFast = length >= worthMeasuring.zstd && (await speedOf(sending)) > fastLink
  const about = { size: effect.size, bases, compression: isFast ? 'hardly' : 'well' } as const
  return fed(sending, assembleCommand(netops, temporaryOf(effect)), length, () => writeDelta(file.read, runs, about))
}

async function sendWhole(sending: Sending): Promise<void> {
  const { connection, effect } = sending
  const { size } = effect
  if (size < worthMeasuring.gzip || !mayBeSlow(effect) || isMeasured(connection)) {
    const content = await sent(sending, fillPushed(effect), { offset: 0, length: size })
    return applyCommands(connection, pushCommands(effect, content))
  }
  const { read } = sending.file
  const first = fed(sending, fillPushed(effect), beginning, () => read([{ offset: 0, length: beginning }]))
  await measureBy(connection, beginning, () => applyCommands(connection, [beginPush(effect), first]))
  const rest = await sent(sending, extendPushed(effect), { offset: beginning, length: size - beginning })
  await applyCommands(connection, [rest, ...finishPush(effect)])
}

/** A command that is fed with a part of the file, compressed where that is quicker. */
async function sent(sending: Sending, argv: readonly string[], part: Stretch): Promise<HostCommand> {
  const { read, readZipped } = sending.file
  return part.length >= worthZipping && (await gainsByGzip(sending))
    ? fed(sending, unzipping(argv), part.length, () => readZipped([part]))
    : fed(sending, argv, part.length, () => read([part]))
}

const fed = (
  { count }: Sending,
  argv: readonly string[],
  length: number,
  stream: () => AsyncIterable<Uint8Array>,
): HostCommand => ({
  argv,
  stdin: { stream: () => counted(stream(), count) },
  timeoutMs: commandTimeoutMs + Math.ceil(length / slowestBytesPerMs),
})

/** Below another root the host is this machine. */
const mayBeSlow = ({ bases }: PushEffect): boolean => bases !== undefined

async function gainsByGzip(sending: Sending): Promise<boolean> {
  // Of a file that is too small to measure the link by, nothing is sent just to find out.
  if (!isMeasured(sending.connection) || (await speedOf(sending)) >= slowLink) return false
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
