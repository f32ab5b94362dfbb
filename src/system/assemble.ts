// Puts a file together from stretches of others and from what comes in a stream (delta-stream.ts).
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { messageOf, NetopsError } from '../model/errors.ts'
import { damaged, readDelta, type DeltaHeader, type Instruction } from './delta-stream.ts'

const atOnce = 1024 * 1024

/**
 * Fills a file that is there already; whether the result is the right one, its hash has to tell.
 * @throws NetopsError `damaged` when the stream or a base is not what the stream says
 */
export async function assemble(target: string, stream: AsyncIterable<Uint8Array>): Promise<void> {
  // A link in its place would lead what is written elsewhere.
  const file = await openFile(target, constants.O_WRONLY | constants.O_TRUNC | constants.O_NOFOLLOW)
  const bases: Base[] = []
  let wanted: DeltaHeader | undefined
  let written = 0
  try {
    for await (const instruction of readDelta(stream)) {
      if (instruction.kind === 'header') {
        wanted = instruction.header
        for (const path of wanted.bases) bases.push(await openBase(path))
        continue
      }
      const length = instruction.kind === 'copy' ? instruction.length : instruction.bytes.length
      if (written + length > (wanted?.size ?? 0)) throw damaged('it holds more than it says')
      if (instruction.kind === 'data') await writeAll(file, instruction.bytes, written)
      else await copy(baseOf(bases, instruction), instruction, file, written)
      written += length
    }
    if (written !== wanted?.size) throw damaged(`it holds ${written} bytes, not ${wanted?.size ?? 0}`)
  } finally {
    await Promise.all([file, ...bases.map(({ handle }) => handle)].map((handle) => handle.close()))
  }
}

interface Base {
  readonly path: string
  readonly handle: FileHandle
  readonly size: number
}

async function openFile(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags)
  } catch (error) {
    throw new NetopsError('failed', { message: `cannot open ${path}: ${messageOf(error)}`, cause: error })
  }
}

async function openBase(path: string): Promise<Base> {
  const handle = await openFile(path, constants.O_RDONLY)
  return { path, handle, size: (await handle.stat()).size }
}

type Copy = Extract<Instruction, { kind: 'copy' }>

function baseOf(bases: readonly Base[], { base, offset, length }: Copy): Base {
  const found = bases[base]
  if (found === undefined) throw damaged(`it names base ${base} of ${bases.length}`)
  if (offset + length > found.size) throw damaged(`${found.path} has only ${found.size} bytes`)
  return found
}

async function copy({ path, handle }: Base, { offset, length }: Copy, to: FileHandle, at: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(atOnce, length))
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - done), offset + done)
    if (bytesRead === 0) throw damaged(`${path} became shorter meanwhile`)
    await writeAll(to, buffer.subarray(0, bytesRead), at + done)
    done += bytesRead
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
  }
}
