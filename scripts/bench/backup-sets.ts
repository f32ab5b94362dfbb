// Files to archive: what hosts have, and what configuration and state look like when there is much of it.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cp, lstat, mkdir, readdir } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

/** As much of a folder as has so many bytes, in the order of names: of `/usr/lib` libraries, modules, texts, and files of 100 MB. */
export async function copySome(from: string, data: string, mostBytes: number): Promise<void> {
  let bytes = 0
  for (const path of await filesIn(from)) {
    const { size } = await lstat(path)
    if (bytes + size > mostBytes) continue
    bytes += size
    const to = join(data, relative(from, path))
    await mkdir(dirname(to), { recursive: true })
    await cp(path, to, { verbatimSymlinks: true })
  }
}

/** @returns the regular files below a folder, in the order of their names */
export async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

const [leastBytes, mostBytes] = [200, 20_000]
const filesOfAFolder = 500
const words =
  'server listen address port timeout retry limit user group path cache session token state queue record'.split(' ')

/**
 * Writes small files, always the same: of 200 bytes to 20 KB, as many of each power of two, 4.3 KB on average; lines of keys and
 * values of which half are words and half are keys, hashes and the like, so that they compress to about half.
 */
export function writeSmallFiles(data: string, files: number): void {
  const random = generator(1)
  const below = (most: number): number => random() % most
  for (let at = 0; at < files; at += 1) {
    const folder = join(data, `${Math.floor(at / filesOfAFolder)}`)
    if (at % filesOfAFolder === 0) mkdirSync(folder, { recursive: true })
    const bytes = Math.round(leastBytes * (mostBytes / leastBytes) ** (random() / 2 ** 32))
    let text = ''
    while (text.length < bytes) {
      const key = `${words[below(words.length)] ?? ''}_${words[below(words.length)] ?? ''}.${below(100)}`
      const value = below(2) === 0 ? `${words[below(words.length)] ?? ''} ${below(10_000)}` : digest(random)
      text += `${key}: ${value}\n`
    }
    writeFileSync(join(folder, `${(random() >>> 4).toString(36)}-${at}.conf`), text.slice(0, bytes))
  }
}

const digest = (random: () => number): string =>
  Buffer.from(Uint32Array.from({ length: 8 }, random).buffer).toString('base64')

/** Numbers below 2 ** 32, the same for the same seed (Marsaglia, Xorshift RNGs, 2003). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
