// Reads a host by plain commands of every Debian machine; the same over any connection.
import { NetopsError } from '../../model/errors.ts'
import { printHash } from './commands.ts'
import type { HostConnection, HostReader } from './port.ts'

const looks = 3

/** A reader over a connection. Every call is one command; missing files are answers, other failures are errors. */
export function readerOver(connection: HostConnection): HostReader {
  const query = (argv: readonly string[]) => connection.run(argv, { timeoutMs: 60_000 })
  const there = async (path: string, test: '-e' | '-L') => (await query(['test', test, path])).code === 0
  const readOrMissing = async (argv: readonly string[], path: string): Promise<string | undefined> => {
    for (let attempt = 1; ; attempt += 1) {
      const result = await query(argv)
      if (result.code === 0) return result.stdout
      if (!(await there(path, '-e'))) return undefined
      // It was made between the two looks, by a run at work: look again before calling it unreadable.
      if (attempt < looks) continue
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
      const result = await query(['readlink', '--', path])
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
      return (await readOrMissing(['sh', '-c', printHash, path], path))?.slice(0, 64)
    },
  }
}
