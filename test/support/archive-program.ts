// Makes an archive as a process of its own, which can be killed: `node archive-program.ts REQUEST [CALL]`. With a number it ends
// itself with SIGKILL before that call of the file system; in the end it prints how many there were, and the manifest.
import { promises } from 'node:fs'
import { open } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { makeArchive, type ArchiveRequest } from '../../src/archive/make.ts'

const [request = '', killedAt = '0'] = process.argv.slice(2)
let calls = 0

/** Counts the calls of some methods. */
function counted(object: object, names: readonly string[]): void {
  for (const name of names) {
    const method: unknown = Reflect.get(object, name)
    if (typeof method !== 'function') throw new Error(`there is no ${name}`)
    Reflect.set(object, name, function (this: unknown, ...args: readonly unknown[]): unknown {
      calls += 1
      if (calls === Number(killedAt)) process.kill(process.pid, 'SIGKILL')
      return Reflect.apply(method, this, args) as unknown
    })
  }
}

const handle = await open('/dev/null')
counted(Object.getPrototypeOf(handle) as object, ['appendFile', 'sync', 'datasync', 'writeFile', 'chmod'])
await handle.close()
counted(promises, ['open', 'link', 'rename', 'unlink', 'mkdir', 'rmdir', 'rm', 'writeFile'])
syncBuiltinESMExports()

const { manifest } = await makeArchive(JSON.parse(request) as ArchiveRequest)
console.log(JSON.stringify({ calls, manifest }))
