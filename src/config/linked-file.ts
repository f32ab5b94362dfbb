// A fleet file that is a link: its paths are read beside the link, as it was named. What lies only where the link leads is told.
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, resolve } from 'node:path'
import type { FileSource } from '../model/file-source.ts'
import type { Inventory } from '../model/inventory.ts'
import type { FleetFile } from './fleet-file.ts'
import { formatPath, type Problem } from './problems.ts'
import type { Path } from './yaml.ts'

type Named = readonly [path: Path, file: string | undefined]

/**
 * Files that a linked fleet file names, and that are not beside the link but beside what it leads to.
 * @param path where the fleet file is, absolute, as it was named
 */
export function besideTheTarget({ file, inventory, document }: FleetFile, path: string): readonly Problem[] {
  let real: string
  try {
    real = realpathSync(path)
    if (real === resolve(realpathSync(dirname(path)), basename(path))) return []
  } catch {
    // It was read a moment ago; whoever reads the files it names will say that they are gone.
    return []
  }
  return namedFiles(inventory).flatMap(([at, name]): readonly Problem[] => {
    if (name === undefined || isAbsolute(name) || name.startsWith('~/')) return []
    const [here, there] = [path, real].map((from) => resolve(dirname(from), name))
    if (here === undefined || there === undefined || existsSync(here) || !existsSync(there)) return []
    const message = `there is no ${here}; ${file} is a link, and its paths are read beside the link. There is ${there}: name that, or link it there too`
    return [{ file, ...document.placeOfValue(at), path: formatPath(at), message }]
  })
}

/** Every key that names a file, or a program by its path. */
function namedFiles({ config, files = [], ssh, groups = {}, hosts = {}, hosts_from, hooks }: Inventory): Named[] {
  const login = (at: Path, said: Inventory['ssh']): Named[] => [
    [[...at, 'identity'], said?.identity],
    [[...at, 'known_hosts'], said?.known_hosts],
    [[...at, 'become_password', 'file'], fileOf(said?.become_password)],
  ]
  return [
    [['config', 'file'], config?.file],
    ...files.map(({ from }, index): Named => [['files', index, 'from', 'file'], fileOf(from)]),
    ...login(['ssh'], ssh),
    ...Object.entries(groups).flatMap(([name, group]) => login(['groups', name, 'ssh'], group.ssh)),
    ...Object.entries(hosts).flatMap(([name, host]) => login(['hosts', name, 'ssh'], host.ssh)),
    [['hosts_from', 'command', 0], programOf(hosts_from?.command[0])],
    ...Object.entries(hooks ?? {}).flatMap(([name, hook = []]) =>
      hook.map((word, index): Named => {
        const several = typeof word !== 'string'
        const at = several ? ['hooks', name, index, 0] : ['hooks', name, index]
        return [at, several ? programOf(word[0]) : index === 0 ? programOf(word) : undefined]
      }),
    ),
  ]
}

const fileOf = (source: FileSource | undefined): string | undefined =>
  source !== undefined && 'file' in source ? source.file : undefined

/** A program by its path; one by its name alone is looked for elsewhere. */
const programOf = (word: string | undefined): string | undefined =>
  word !== undefined && /^\.\.?\//.test(word) ? word : undefined
