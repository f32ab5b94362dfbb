// Run as a process of its own, `node inject.ts EXECUTABLE BLOB`: puts the blob into the copy of Node.
// Its own process because postject blocks for seconds and takes most of a gigabyte, which is given back when it ends.
import { readFile } from 'node:fs/promises'
import { inject } from 'postject'
import { messageOf } from '../model/errors.ts'

// Source: nodejs.org/api/single-executable-applications.html, "Injecting the preparation blob".
const resource = 'NODE_SEA_BLOB'
const sentinelFuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

const [executable, blob] = process.argv.slice(2)
if (executable === undefined || blob === undefined) throw new TypeError('usage: inject.ts EXECUTABLE BLOB')
try {
  await inject(executable, resource, await readFile(blob), { sentinelFuse })
} catch (thrown) {
  console.error(messageOf(thrown))
  process.exitCode = 1
}
