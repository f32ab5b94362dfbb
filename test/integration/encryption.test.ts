// Encryption to age recipients: both ways with Debian's age, and what is cut, changed or meant for others is refused.
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkRecipients, decrypted, encrypted } from '../../src/archive/encryption/age.ts'
import { decryptTo, encryptFile } from '../../src/archive/encryption/file.ts'
import { readIdentities } from '../../src/archive/encryption/identities.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { collected, errorOf } from '../support/storage-contract.ts'

const chunk = 64 * 1024
let folder: string
let recipient: string
let identities: readonly string[]
const at = (name: string): string => join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-age-'))
  await execText(['age-keygen', '-o', at('identity')])
  recipient = (await execText(['age-keygen', '-y', at('identity')])).trim()
  identities = await readIdentities(at('identity'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Bytes as they come over a network: in pieces of all lengths. */
async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let from = 0, length = 1; from < bytes.length; from += length, length = 1 + ((length * 7919) % 90_000)) {
    yield await Promise.resolve(bytes.subarray(from, from + length))
  }
}
const seal = (bytes: Buffer): Promise<Buffer> => collected(encrypted(pieces(bytes), [recipient]))
const open = (bytes: Buffer): Promise<Buffer> => collected(decrypted(pieces(bytes), identities))

describe('with age itself', () => {
  const sizes = [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3_000_001]

  test.each(sizes)('age decrypts %i bytes that were encrypted here', async (size) => {
    const bytes = randomBytes(size)
    await writeFile(at('plain'), bytes)
    const sealed = await encryptFile(at('plain'), at('ours.age'), [recipient])
    expect((await stat(at('ours.age'))).size).toBe(sealed.size)
    // With -o it makes no file of nothing.
    await execText(['sh', '-c', 'age -d -i "$0" "$1" > "$2"', at('identity'), at('ours.age'), at('by-age')])
    expect((await readFile(at('by-age'))).equals(bytes)).toBe(true)
  })

  test.each(sizes)('what age encrypted is decrypted here: %i bytes', async (size) => {
    const bytes = randomBytes(size)
    await writeFile(at('plain'), bytes)
    await execText(['age', '-r', recipient, '-o', at('theirs.age'), at('plain')])
    expect((await open(await readFile(at('theirs.age')))).equals(bytes)).toBe(true)
  })

  test('each of several recipients can read it, and nobody else', async () => {
    await execText(['age-keygen', '-o', at('second')])
    const second = (await execText(['age-keygen', '-y', at('second')])).trim()
    await execText(['age-keygen', '-o', at('stranger')])
    const bytes = randomBytes(100_000)
    const sealed = await collected(encrypted(pieces(bytes), [recipient, second]))
    for (const name of ['identity', 'second']) {
      const opened = await collected(decrypted(pieces(sealed), await readIdentities(at(name))))
      expect(opened.equals(bytes)).toBe(true)
    }
    const strangers = collected(decrypted(pieces(sealed), await readIdentities(at('stranger'))))
    expect(await errorOf(strangers)).toMatchObject({ code: 'failed' })
    await writeFile(at('two.age'), sealed)
    expect((await exec(['age', '-d', '-i', at('second'), at('two.age')])).code).toBe(0)
    expect((await exec(['age', '-d', '-i', at('stranger'), at('two.age')])).code).not.toBe(0)
  })
})

test('the same is encrypted otherwise each time', async () => {
  const bytes = randomBytes(1000)
  const [one, other] = [await seal(bytes), await seal(bytes)]
  expect(one.equals(other)).toBe(false)
  expect(one.indexOf(bytes.subarray(0, 16))).toBe(-1)
})

describe('what is not whole is refused', () => {
  test('a flipped bit anywhere', async () => {
    const sealed = await seal(randomBytes(2 * chunk + 100))
    const header = sealed.indexOf('\n--- ')
    const places = [0, 5, 30, header - 1, header + 6, header + 40, header + 60, chunk, sealed.length - 1]
    for (const place of [...places, ...Array.from({ length: 20 }, () => Math.floor(Math.random() * sealed.length))]) {
      const bad = Buffer.from(sealed)
      bad[place] = (bad[place] ?? 0) ^ 1
      const { code, message } = await errorOf(open(bad))
      // A header's line for a recipient that is changed may look as if it were for another.
      expect(['damaged', 'failed'], `${place}: ${message}`).toContain(code)
    }
  })

  test('a cut anywhere, also between two parts', async () => {
    const sealed = await seal(randomBytes(2 * chunk))
    const body = sealed.indexOf('\n', sealed.indexOf('\n--- ') + 1) + 1 + 16
    for (const length of [
      0,
      10,
      body - 20,
      body - 1,
      body,
      body + 5,
      body + chunk,
      body + chunk + 16,
      sealed.length - 1,
    ]) {
      expect(await errorOf(open(sealed.subarray(0, length))), `${length}`).toMatchObject({ code: 'damaged' })
    }
  })

  test('something behind its end, and parts in another order', async () => {
    const sealed = await seal(randomBytes(2 * chunk + 100))
    const body = sealed.indexOf('\n', sealed.indexOf('\n--- ') + 1) + 1 + 16
    const [one, two] = [body, body + chunk + 16]
    const rest = two + chunk + 16
    const swapped = [
      sealed.subarray(0, one),
      sealed.subarray(two, rest),
      sealed.subarray(one, two),
      sealed.subarray(rest),
    ]
    for (const bad of [
      Buffer.concat([sealed, Buffer.alloc(1)]),
      Buffer.concat([sealed, sealed]),
      Buffer.concat(swapped),
    ]) {
      expect(await errorOf(open(bad))).toMatchObject({ code: 'damaged' })
    }
  })

  test('what is no file of age, however long', async () => {
    for (const bytes of [Buffer.from('PK\u0003\u0004'), randomBytes(1_000_000), Buffer.alloc(1_000_000, 'a')]) {
      expect(await errorOf(open(bytes))).toMatchObject({ code: 'damaged' })
    }
  })

  test('and leaves no file under its name', async () => {
    const sealed = await seal(randomBytes(3 * chunk))
    await writeFile(at('kept'), 'what was there before')
    const before = (await readdir(folder)).sort()
    for (const bad of [sealed.subarray(0, -1), sealed.subarray(0, 2 * chunk)]) {
      expect(await errorOf(decryptTo(pieces(bad), at('kept'), identities))).toMatchObject({ code: 'damaged' })
    }
    expect(await errorOf(decryptTo(pieces(sealed), at('kept'), identities, AbortSignal.abort()))).toMatchObject({
      code: 'interrupted',
    })
    expect((await readdir(folder)).sort()).toEqual(before)
    expect(await readFile(at('kept'), 'utf8')).toBe('what was there before')
  })
})

test('what is encrypted and decrypted is for its owner alone', async () => {
  await writeFile(at('plain'), 'x')
  await encryptFile(at('plain'), at('own.age'), [recipient])
  const { sha256, size } = await decryptTo(pieces(await readFile(at('own.age'))), at('own'), identities)
  expect({ size, sha256 }).toEqual({
    size: 1,
    sha256: '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881',
  })
  for (const name of ['own.age', 'own']) expect((await stat(at(name))).mode & 0o777).toBe(0o600)
})

test.each([
  'age1',
  'age1qqqq',
  'ssh-ed25519 AAAA',
  'AGE1QL3Z7',
  '',
  'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudgv5cwquxqhzz',
])('refuses the recipient %j', async (bad) => {
  expect(await errorOf(checkRecipients([recipient, bad]))).toMatchObject({ code: 'usage' })
  expect(await errorOf(collected(encrypted(pieces(Buffer.from('x')), [bad])))).toMatchObject({ code: 'usage' })
})

test('refuses to encrypt for nobody', async () => {
  expect(await errorOf(collected(encrypted(pieces(Buffer.from('x')), [])))).toMatchObject({ code: 'usage' })
})

describe('an identity file', () => {
  const put = async (text: string, mode = 0o600): Promise<string> => {
    await writeFile(at('tried'), text)
    await chmod(at('tried'), mode)
    return at('tried')
  }

  test.each([0o640, 0o604, 0o620])('of mode %o is refused', async (mode) => {
    const path = await put(identities[0] ?? '', mode)
    const error = await errorOf(readIdentities(path))
    expect(error).toMatchObject({ code: 'refused' })
    expect(error.hint).toContain(`chmod 600 ${path}`)
  })

  test.each([
    ['empty', ''],
    ['only comments', '# created: now\n'],
    ['a recipient', 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudgv5cwquxqhzk\n'],
    ['a private key of another kind', '-----BEGIN OPENSSH PRIVATE KEY-----\nhush\n'],
  ])('that is none is refused: %s', async (_, text) => {
    const error = await errorOf(readIdentities(await put(text)))
    expect(error).toMatchObject({ code: 'usage' })
    expect(error.message).not.toContain('hush')
  })

  test('that is a folder or missing is refused, and a link is followed to a file that is good', async () => {
    expect(await errorOf(readIdentities(folder))).toMatchObject({ code: 'usage' })
    expect(await errorOf(readIdentities(at('none')))).toMatchObject({ code: 'usage' })
    await symlink(at('identity'), at('link'))
    expect(await readIdentities(at('link'))).toEqual(identities)
  })

  test('with a wrong identity in it is refused without its text', async () => {
    const path = await put(`AGE-SECRET-KEY-1${'Q'.repeat(58)}\n`)
    const error = await errorOf(collected(decrypted(pieces(await seal(Buffer.from('x'))), await readIdentities(path))))
    expect(error).toMatchObject({ code: 'usage' })
    expect(`${error.message}${error.stack ?? ''}`).not.toContain('QQQQ')
  })
})
