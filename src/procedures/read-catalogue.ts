// Reads a host's catalogue of backups by few plain commands, however many there are: no netops is needed there.
import { basename } from 'node:path'
import { entryIds, entryPath, newestFirst, parseEntry, type Catalogue } from '../backups/catalogue.ts'
import type { HostReader } from '../drivers/hosts/port.ts'
import { NetopsError } from '../model/errors.ts'
import { damagedState, putAside } from '../model/state-text.ts'

// 10,000 entries of a few KB each.
const ofAllEntries = { most: 64 * 2 ** 20 }
// An entry is smaller (backups/catalogue.ts).
const largestEntry = '-4096k'

/**
 * All backups of a host.
 * @param folder `hostPaths(root).catalogue`
 */
export async function readCatalogue(reader: HostReader, folder: string): Promise<Catalogue> {
  const ids = entryIds(await reader.list(folder))
  const texts = ids.length === 0 ? new Map<string, string>() : await readTexts(reader, folder)
  const entries: Catalogue['entries'][number][] = []
  const damaged: NetopsError[] = []
  for (const id of ids) {
    const path = entryPath(folder, id)
    try {
      const text = texts.get(`${id}.json`)
      const source = { path, host: reader.name, hint: putAside(path) }
      if (text === undefined) throw damagedState(source, 'it is no file, or larger than netops makes it')
      entries.push(parseEntry(text, path, reader.name))
    } catch (error) {
      if (!(error instanceof NetopsError)) throw error
      damaged.push(error)
    }
  }
  return { entries: newestFirst(entries), damaged }
}

/** The texts of all entries by name. */
async function readTexts(reader: HostReader, folder: string): Promise<ReadonlyMap<string, string>> {
  const files = ['-mindepth', '1', '-maxdepth', '1', '-name', '*_*.json', '-type', 'f', '-size', largestEntry]
  const { stdout } = await reader.query(
    ['find', '-H', folder, ...files, '-exec', 'tail', '-v', '-n', '+1', '--', '{}', '+'],
    ofAllEntries,
  )
  // tail(1) puts `==> FILE <==` above each, and an empty line before all but the first; a line of JSON begins otherwise.
  const [, ...parts] = stdout.split(/(?:^|\n)==> (.+) <==\n/)
  const texts = new Map<string, string>()
  for (let at = 0; at + 1 < parts.length; at += 2) texts.set(basename(parts[at] ?? ''), parts[at + 1] ?? '')
  return texts
}
