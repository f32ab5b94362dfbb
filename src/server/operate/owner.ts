// Root works on the service's data as the service's own user: what is written is the service's own then, and a link in a folder
// of the service leads nowhere that the service could not go by itself.
import { promises as fs } from 'node:fs'
import { messageOf, NetopsError, systemCode } from '../../model/errors.ts'
import { makeFolder } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'

interface Owner {
  readonly uid: number
  readonly gid: number
}

/**
 * Opens something to read, and becomes the data's owner for good.
 * @param folder where it lies, for root to open where the owner may not; nobody else may have a say in the way there then
 * @param open opens it by the rights that there are at the time
 */
export async function openAndBecomeOwner<T>(dataDir: string, folder: string, open: () => Promise<T>): Promise<T> {
  const owner = await ownerOf(dataDir)
  if (owner === undefined) return open()
  process.setgroups?.([owner.gid])
  try {
    process.setegid?.(owner.gid)
    process.seteuid?.(owner.uid)
    return await open()
  } catch (error) {
    if (!isDenied(error)) throw error
    becomeRoot()
    await refuseDistrustedHere([folder])
    return await open()
  } finally {
    becomeRoot()
    become(owner)
  }
}

/** Becomes the data's owner for good, where there are data; without any there is nothing of a service that could be in the way. */
export async function becomeOwner(dataDir: string): Promise<void> {
  try {
    const owner = await ownerOf(dataDir)
    if (owner === undefined) return
    process.setgroups?.([owner.gid])
    become(owner)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}

function become({ uid, gid }: Owner): void {
  process.setgid?.(gid)
  process.setuid?.(uid)
}

function becomeRoot(): void {
  process.seteuid?.(0)
  process.setegid?.(0)
}

const isDenied = (error: unknown): boolean =>
  systemCode(error) === 'EACCES' ||
  (error instanceof NetopsError && error.cause !== undefined && systemCode(error.cause) === 'EACCES')

/** Who is to be become; undefined where there is nobody else than who runs this. */
async function ownerOf(dataDir: string): Promise<Owner | undefined> {
  const { uid, gid } = await fs.stat(dataDir)
  return process.getuid?.() !== 0 || uid === 0 ? undefined : { uid, gid }
}

/**
 * Makes the data folder where nobody deployed a service before: below a root.
 * @throws NetopsError `failed` on a host of its own, where a deployment makes it
 */
export async function requireDataFolder(root: string, dataDir: string): Promise<void> {
  try {
    await fs.stat(dataDir)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      throw new NetopsError('failed', { message: `cannot use ${dataDir}: ${messageOf(error)}`, cause: error })
    }
    if (root !== '/') {
      await makeFolder(dataDir, 0o750)
      return
    }
    throw new NetopsError('failed', {
      message: `there is no ${dataDir}: no service was deployed here`,
      hint: 'deploy first: netops deploy',
    })
  }
}
