// Looks for private keys in an archive before it goes elsewhere in the clear: in the archive itself, for that is what goes.
import {
  examinedBytes,
  refuseKeysInTheClear,
  withPrivateKeys,
  type Examined,
} from '../../archive/encryption/private-keys.ts'
import { readManifest, type ArchivePlace } from '../../archive/manifest.ts'
import { shownName } from '../../archive/names.ts'
import { readSlabs } from '../../archive/slab-reader.ts'
import { TarScanner } from '../../archive/tar-scanner.ts'
import { withPool } from '../../archive/threads/pool.ts'
import { NetopsError } from '../../model/errors.ts'

// So many are enough to be refused; more are not held.
const mostHeld = 20

/**
 * Goes through all files of an archive.
 * @throws NetopsError `refused` with the files that hold private keys; `damaged` where it cannot be read; `interrupted`
 */
export async function refusePrivateKeys(place: ArchivePlace, signal: AbortSignal): Promise<void> {
  const manifest = await readManifest(place)
  const found: Examined[] = []
  let name = ''
  let held: Buffer[] = []
  let bytes = 0
  const examine = (): void => {
    const examined = { path: name, beginning: Buffer.concat(held) }
    if (found.length < mostHeld && withPrivateKeys([examined]).length > 0) found.push(examined)
    ;[held, bytes] = [[], 0]
  }
  const scanner = new TarScanner({
    entry(entry) {
      name = shownName(entry.name)
    },
    data(chunk) {
      const part = chunk.subarray(0, examinedBytes - bytes)
      if (part.length > 0) held.push(Buffer.from(part))
      bytes += part.length
    },
    over: examine,
  })
  await withPool(undefined, (pool) =>
    readSlabs(
      { place, manifest },
      {
        ...{ pool, signal, wanted: 'all', onBytes: () => undefined },
        onRaw(raw) {
          scanner.push(raw)
          return Promise.resolve()
        },
        onDamage(damage) {
          throw new NetopsError('damaged', { message: `${place.name} is damaged: ${damage}` })
        },
      },
    ),
  )
  refuseKeysInTheClear(found, [])
}
