// Files of this machine that a deployment brings: which of them a host has already.
import { dirname } from 'node:path'
import type { PlacedFile } from '../../config/fleet-file.ts'
import { readSource, type SourcePlace } from '../../config/file-sources.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { refuseDistrusted } from '../../system/folder-trust.ts'

export type { SourcePlace } from '../../config/file-sources.ts'

export interface FileLook {
  /** Whether content, mode and owner are as wanted. */
  readonly same: boolean
}

/** Whether mode and owner are as wanted; a wanted owner that ends with its colon may be in any group. */
const isAs = (present: string, wanted: string): boolean =>
  wanted.endsWith(':') ? present.startsWith(wanted) : present === wanted

/**
 * Compares each file with what a host has in its place.
 * @throws NetopsError `usage` where a source holds nothing, `refused` where somebody else could have put a link in its place
 */
export async function lookAtFiles(
  files: readonly PlacedFile[],
  sources: SourcePlace,
  reader: HostReader,
): Promise<readonly FileLook[]> {
  if (files.length === 0) return []
  const folders = [...new Set(files.map(({ to }) => dirname(to)))]
  await refuseDistrusted((argv) => reader.query(argv), folders, reader.name)
  return Promise.all(
    files.map(async (file) => {
      const [content, present, about] = await Promise.all([
        readSource(file.from, sources),
        reader.sha256(file.to),
        reader.query(['stat', '--format=%a %U:%G', '--', file.to]),
      ])
      const wanted = `${file.mode.replace(/^0/, '')} ${file.owner}`
      return { same: present === content.sha256 && isAs(about.stdout.trim(), wanted) }
    }),
  )
}
