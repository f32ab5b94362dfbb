// A machine's own count of the runs that were begun on it: a later run has a larger number, whatever any clock said.
import { promises as fs } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../model/errors.ts'
import { listIfAny, syncFolder } from '../system/files.ts'
import { makeStateFolder } from '../system/state-file.ts'

// The number given last is the name of an empty file: a name is there or not, and cannot be cut by a crash.
const nameOf = (number: number): string => String(number).padStart(12, '0')
const numberIn = (name: string): number => (/^\d{12,15}$/.test(name) ? Number(name) : 0)

const highestIn = async (folder: string): Promise<number> =>
  (await listIfAny(folder)).reduce((highest, name) => Math.max(highest, numberIn(name)), 0)

/**
 * A number that is larger than all that were given before; of many that ask at once each gets its own.
 * @param before the largest that is known, where the count itself was lost
 * @throws NetopsError `damaged` where something else lies in the place of the count
 */
export async function nextNumber(folder: string, before: () => Promise<number>): Promise<number> {
  await makeStateFolder(folder)
  let highest = await highestIn(folder)
  if (highest === 0) highest = await before()
  for (;;) {
    const number = highest + 1
    const claimed = await claim(join(folder, nameOf(number)))
    highest = Math.max(number, await highestIn(folder))
    if (claimed && highest === number) return settle(folder, number)
    // Others went on meanwhile: the number may have been another's, whose file is gone again.
    if (claimed) await fs.rm(join(folder, nameOf(number)), { force: true })
  }
}

/** On the disk before it is used; those before it are not needed any more. */
async function settle(folder: string, number: number): Promise<number> {
  await syncFolder(folder)
  const before = (await listIfAny(folder)).filter((name) => numberIn(name) > 0 && numberIn(name) < number)
  for (const name of before) await fs.rm(join(folder, name), { force: true })
  return number
}

async function claim(path: string): Promise<boolean> {
  try {
    await (await fs.open(path, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}
