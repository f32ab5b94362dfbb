// Whether there is room for an archive: before it is begun, and while it grows.
import { promises as fs, statfsSync } from 'node:fs'
import type { ArchiveSize } from '../../archive/make.ts'
import { NetopsError } from '../../model/errors.ts'
import { leastFreeDisk } from '../../model/free-disk.ts'
import { quoteCommand } from '../../model/quote.ts'
import { formatBytes } from '../../model/units.ts'
import type { BackupEntry } from '../../model/backup.ts'

// Without an archive to go by. A tar of configuration and SQLite comes to less; growing beyond it is noticed on the way.
const usualRatio = 0.5
const margin = 1.1

/** What an archive will come to, in bytes: by how well the last one was compressed. */
export function expectedBytes({ anew, taken }: ArchiveSize, last: BackupEntry | undefined): number {
  const ratio = last === undefined || last.rawBytes === 0 ? usualRatio : Math.min(1, last.bytes / last.rawBytes)
  return Math.ceil(taken + anew * ratio * margin)
}

const noRoom = (folder: string, message: string): NetopsError =>
  new NetopsError('failed', {
    message: `${message}; no archive was made, and what was there is as it was`,
    hint: `make room: netops backup expire --dry-run shows what could go; or ${quoteCommand(['du', '-xh', folder])}; or choose another folder: backup.to`,
  })

/** @throws NetopsError `failed` where a file system has too little left */
export async function refuseWithoutRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await fs.statfs(folder)
  const free = bavail * bsize
  if (free >= bytes + leastFreeDisk) return
  throw noRoom(
    folder,
    `${formatBytes(free)} are free below ${folder}, and ${formatBytes(bytes + leastFreeDisk)} are needed: about ${formatBytes(bytes)} for the archive, ${formatBytes(leastFreeDisk)} to be left for logs and data`,
  )
}

/** Tells when an archive has grown until there is too little left: the service may write to the same disk. */
export class RoomWatch {
  readonly #folder: string
  readonly #tooLittle = new AbortController()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Aborted once there is too little. */
  get signal(): AbortSignal {
    return this.#tooLittle.signal
  }

  look(): void {
    const { bavail, bsize } = statfsSync(this.#folder)
    if (bavail * bsize >= leastFreeDisk / 2) return
    this.#tooLittle.abort(
      noRoom(
        this.#folder,
        `the archive grew until only ${formatBytes(bavail * bsize)} were free below ${this.#folder}`,
      ),
    )
  }
}

/** What went wrong, in words that say what to do, where the disk or the folder is the reason. */
export function explainedWrite(error: unknown, folder: string): unknown {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return noRoom(folder, `the disk is full below ${folder}`)
  if (code === undefined || !['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ELOOP'].includes(code)) return error
  return new NetopsError('failed', {
    message: `archives cannot be written to ${folder} (${code}); no archive was made`,
    hint: `see what it is: ${quoteCommand(['ls', '-ld', '--', folder])}; or choose another folder: backup.to`,
    cause: error,
  })
}

/** The system's code, of an error or of what caused it. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return 'code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)
    ? error.code
    : codeOf(error.cause)
}
