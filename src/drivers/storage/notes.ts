// The notes of a put in a file of this machine: they outlive a process that is killed.
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readTextIfAny, syncFolder, writeFileAtomic } from '../../system/files.ts'
import type { Notes } from './port.ts'

// Ten thousand parts with a hash each.
const mostNotes = 4 * 2 ** 20

/** @param path a file in a folder that nobody else may write to */
export const notesInFile = (path: string): Notes => ({
  load: () => readTextIfAny(path, mostNotes),
  save: (text) => writeFileAtomic(path, text, 0o600),
  async clear() {
    await rm(path, { force: true })
    await syncFolder(dirname(path))
  },
})
