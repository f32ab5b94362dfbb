// A folder for tests that write many small files and wait for the disk each time: in memory where there is such a place.
import { existsSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const inMemory = '/dev/shm'

export const quickFolder = (name: string): Promise<string> =>
  mkdtemp(join(existsSync(inMemory) ? inMemory : tmpdir(), `netops-${name}-`))
