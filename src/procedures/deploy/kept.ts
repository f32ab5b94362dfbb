// What an activation replaces: put aside as it is before anything is touched, and put back as exactly that by an undo.
import { join } from 'node:path'
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { Effect } from '../../model/effects.ts'
import { NetopsError } from '../../model/errors.ts'
import type { HostPaths } from '../../model/paths.ts'
import { quoteCommand } from '../../model/quote.ts'

/** What lies at a path; a link counts by itself, not by what it points to. */
export interface Present {
  readonly kind: 'absent' | 'file' | 'link' | 'folder' | 'other'
  readonly target?: string
}

/** By path; what is not among them is absent. */
export type PresentFiles = Readonly<Record<string, Present>>

/** Where an activation puts files and links, beside those that it is asked to place. */
export const replacedPaths = (paths: HostPaths): readonly string[] => [
  ...[paths.config, paths.unit, paths.tmpfiles, paths.socket],
  ...[paths.current, paths.serverLink, paths.netopsLink],
]

// A login banner may stand before the first.
const look =
  'printf "\\0"; for path; do if [ -L "$path" ]; then printf "link %s\\0" "$(readlink -- "$path")"; elif [ -f "$path" ]; then printf "file\\0"; elif [ -d "$path" ]; then printf "folder\\0"; elif [ -e "$path" ]; then printf "other\\0"; else printf "absent\\0"; fi; done'

/** Looks at paths by one command. */
export async function readPresent(reader: HostReader, paths: readonly string[]): Promise<PresentFiles> {
  const { stdout } = await reader.query(['sh', '-c', look, 'sh', ...paths])
  const found = stdout.split('\0').slice(-1 - paths.length, -1)
  return Object.fromEntries(paths.map((path, index) => [path, parsePresent(found[index] ?? '')]))
}

function parsePresent(text: string): Present {
  const [, kind = 'other', target] = /(absent|file|folder|other|link)(?: ([^]*))?$/.exec(text) ?? []
  return { kind: kind as Present['kind'], ...(target === undefined ? {} : { target }) }
}

/**
 * Refuses to replace what could not be put back.
 * @throws NetopsError `refused` with what lies there
 */
export function refuseUnreplaceable(host: string, present: PresentFiles): void {
  for (const [path, { kind }] of Object.entries(present)) {
    if (kind !== 'folder' && kind !== 'other') continue
    throw new NetopsError('refused', {
      host,
      message: `${path} is ${kind === 'folder' ? 'a folder' : 'no file'}, and a file or link is to take its place: it could not be put back as it was`,
      hint: `move it aside, then run the same command again: ${quoteCommand(['mv', '--', path, `${path}.before-netops`])}`,
    })
  }
}

export class Kept {
  readonly #present: PresentFiles
  readonly #folder: string

  /** @param folder in which it is kept until the run is over */
  constructor(present: PresentFiles, folder: string) {
    this.#present = present
    this.#folder = folder
  }

  /**
   * A copy of what lies at a path. It belongs into a step before the one that replaces it: repeated after a kill, that one
   * must not put aside what it has placed itself.
   * @param name the copy's
   * @param sha256 of a file that is known by it
   */
  aside(path: string, name: string, sha256?: string): readonly Effect[] {
    if (!this.#isThere(path)) return []
    return [{ kind: 'duplicate', from: path, path: join(this.#folder, name), ...this.#hash(path, sha256) }]
  }

  /** What lay at a path lies there again, or nothing where nothing did. */
  back(path: string, name: string, sha256?: string): Effect {
    return this.#isThere(path)
      ? { kind: 'duplicate', from: join(this.#folder, name), path, ...this.#hash(path, sha256) }
      : { kind: 'remove', path }
  }

  /** As {@link aside}, for what is usually a link of netops's own: of one its target is all there is to keep. */
  asideLink(path: string, name: string): readonly Effect[] {
    return this.#target(path) === undefined ? this.aside(path, name) : []
  }

  backLink(path: string, name: string): Effect {
    const target = this.#target(path)
    return target === undefined ? this.back(path, name) : { kind: 'link', path, target }
  }

  /** The folder for the copies, where there are any. */
  prepared(effects: readonly Effect[]): readonly Effect[] {
    return effects.length === 0 ? [] : [{ kind: 'directory', path: this.#folder, mode: '0700' }, ...effects]
  }

  /** What a link leads to is not kept with it, and may be another by then. */
  #hash(path: string, sha256: string | undefined): { readonly sha256?: string } {
    return sha256 === undefined || this.#present[path]?.kind !== 'file' ? {} : { sha256 }
  }

  #isThere(path: string): boolean {
    return (this.#present[path]?.kind ?? 'absent') !== 'absent'
  }

  #target(path: string): string | undefined {
    return this.#present[path]?.target
  }
}
