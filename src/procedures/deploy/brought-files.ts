// Files of this machine that a deployment brings: which of them a host has already.
import { dirname } from 'node:path'
import type { PlacedFile } from '../../config/fleet-file.ts'
import type { Sources } from '../../config/file-sources.ts'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { refuseDistrusted } from '../../system/folder-trust.ts'

/** Where the sources of files are looked up. */
export interface SourcePlace {
  readonly cwd: string
  readonly sources: Sources
  /** Whether commands are left alone: what they print is then taken for another content than the host has. */
  readonly withoutCommands: boolean
}

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
  { cwd, sources, withoutCommands }: SourcePlace,
  reader: HostReader,
): Promise<readonly FileLook[]> {
  if (files.length === 0) return []
  const folders = [...new Set(files.map(({ to }) => dirname(to)))]
  await refuseDistrusted((argv) => reader.query(argv), folders, reader.name)
  return Promise.all(
    files.map(async (file) => {
      const isPrinted = 'command' in file.from
      const [content, present, about] = await Promise.all([
        isPrinted ? undefined : sources.read(file.from, cwd),
        reader.sha256(file.to),
        reader.query(['stat', '--format=%a %U:%G', '--', file.to]),
      ])
      const wanted = `${file.mode.replace(/^0/, '')} ${file.owner}`
      // What is to be brought whatever it holds is printed when it is brought.
      if (present === undefined || !isAs(about.stdout.trim(), wanted)) return { same: false }
      if (isPrinted && withoutCommands) return { same: false }
      return { same: present === (content ?? (await sources.read(file.from, cwd))).sha256 }
    }),
  )
}
