// Reads a host by plain commands of every Debian machine; the same over any connection.
import { NetopsError } from '../../model/errors.ts'
import { quoteCommand } from '../../model/quote.ts'
import { printHash } from './commands.ts'
import type { HostConnection, HostReader, RunOptions } from './port.ts'

const looks = 3
// One path or one hash; a path has 4 KiB at most (PATH_MAX), and a login shell may greet.
const few = { most: 64 * 1024 }

/** What is thrown where a folder lies in the place of a file. */
export const folderInstead = (host: string, path: string): NetopsError =>
  new NetopsError('refused', {
    host,
    message: `${path} is a folder, and a file belongs there`,
    hint: `see what it is, and move it out of the way: ${quoteCommand(['mv', '--', path, `${path}.before-netops`])}`,
  })

/** A reader over a connection. Every call is one command; missing files are answers, other failures are errors. */
export function readerOver(connection: HostConnection): HostReader {
  const query: HostReader['query'] = (argv, options) => connection.run(argv, { ...options, timeoutMs: 60_000 })
  const there = async (path: string, test: '-e' | '-L' | '-d') => (await query(['test', test, path], few)).code === 0
  const readOrMissing = async (
    argv: readonly string[],
    path: string,
    options?: Pick<RunOptions, 'most'>,
  ): Promise<string | undefined> => {
    for (let attempt = 1; ; attempt += 1) {
      const result = await query(argv, options)
      if (result.code === 0) return result.stdout
      if (!(await there(path, '-e'))) return undefined
      // It was made between the two looks, by a run at work: look again before calling it unreadable.
      if (attempt < looks) continue
      if (argv[0] !== 'ls' && (await there(path, '-d'))) throw folderInstead(connection.name, path)
      throw new NetopsError('failed', {
        message: `cannot read ${path}: ${result.stderr.trim()}`,
        host: connection.name,
      })
    }
  }
  return {
    name: connection.name,
    query,
    readText: (path) => readOrMissing(['cat', '--', path], path),
    async readLink(path) {
      const result = await query(['readlink', '--', path], few)
      return result.code === 0 ? result.stdout.replace(/\n$/, '') : undefined
    },
    async list(path) {
      const names = await readOrMissing(['ls', '-1A', '--', path], path)
      return (names ?? '')
        .split('\n')
        .filter((name) => name !== '')
        .sort()
    },
    exists: async (path) => (await there(path, '-e')) || (await there(path, '-L')),
    async sha256(path) {
      return (await readOrMissing(['sh', '-c', printHash, path], path, few))?.slice(0, 64)
    },
  }
}
