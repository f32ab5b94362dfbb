// What every place for copies must do, whatever lies behind it: run against each driver on a real server.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Expected, ObjectFacts, Progress, Source, Storage } from '../../src/drivers/storage/port.ts'
import { fileSource } from '../../src/drivers/storage/source.ts'
import { messageOf, NetopsError } from '../../src/model/errors.ts'

/** A place that is tested: how a test opens it, and how it looks at what really lies there. */
export interface TestedPlace {
  readonly open: () => Promise<Storage>
  /** All that lies there, also what is not whole yet. */
  readonly raw: () => Promise<readonly string[]>
  /** Changes a byte of an object behind the store's back. */
  readonly flip: (name: string) => Promise<void>
}

/** Bytes as a source. */
export const bytesSource = (bytes: Buffer): Source => ({
  size: bytes.length,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  async *read(from) {
    for (let at = from; at < bytes.length; at += 100_000) yield await Promise.resolve(bytes.subarray(at, at + 100_000))
  },
})

export const expectedOf = ({ size, sha256 }: Source): Expected => ({ size, sha256 })

/** What `get` delivers, as a whole. */
export async function collected(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function all(objects: AsyncIterable<ObjectFacts>): Promise<readonly ObjectFacts[]> {
  const found: ObjectFacts[] = []
  for await (const object of objects) found.push(object)
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The error that something ends with. */
export async function errorOf(work: Promise<unknown>): Promise<NetopsError> {
  try {
    await work
  } catch (error) {
    if (error instanceof NetopsError) return error
    throw new Error(`expected an error for users, not: ${messageOf(error)}`, { cause: error })
  }
  throw new Error('expected a failure')
}

/**
 * @param large how many bytes make an object that is sent in more than one part
 */
export function storageContract(title: string, place: () => TestedPlace, large: number): void {
  describe(`${title} as a place for copies`, () => {
    let storage: Storage
    beforeAll(async () => {
      storage = await place().open()
      return () => storage.close()
    })
    const put = async (name: string, bytes: Buffer): Promise<Source> => {
      const source = bytesSource(bytes)
      await storage.put(name, source)
      return source
    }

    test.each([
      ['nothing', 0],
      ['one byte', 1],
      ['a few bytes', 70_001],
      ['several parts', large],
    ])('gives back what it was given: %s', async (what, size) => {
      const bytes = randomBytes(size)
      const source = bytesSource(bytes)
      const name = `round/${what.replaceAll(' ', '-')}.tar`
      const seen: Progress[] = []
      const stored = await storage.put(name, source, { onProgress: (progress) => seen.push(progress) })
      expect(stored).toMatchObject({ outcome: 'stored', sent: size })
      expect(seen.at(-1)).toEqual({ done: size, sent: size, total: size })
      expect((await collected(storage.get(name))).equals(bytes)).toBe(true)
      expect(await storage.head(name)).toMatchObject({ name, size })
      await storage.verify(name, expectedOf(source))
      await storage.verify(name, { ...expectedOf(source), receipt: stored.receipt })
    })

    test('is stored under its name alone, with nothing left beside it', async () => {
      await put('alone/a.tar', randomBytes(large))
      expect((await place().raw()).filter((name) => name.includes('alone'))).toEqual(['alone/a.tar'])
    })

    test('tells when it was stored, by a clock near ours', async () => {
      const before = Date.now()
      await put('time.tar', Buffer.from('x'))
      const { modifiedMs = 0 } = (await storage.head('time.tar')) ?? {}
      // Whole seconds are all that some tell.
      expect(modifiedMs).toBeGreaterThan(before - 5000)
      expect(modifiedMs).toBeLessThan(Date.now() + 5000)
    })

    test('gives a part, up to the end at most', async () => {
      const bytes = randomBytes(300_000)
      await put('part.tar', bytes)
      const part = (from?: number, to?: number) => collected(storage.get('part.tar', { from, to }))
      expect(await part(100, 250_000)).toEqual(bytes.subarray(100, 250_000))
      expect(await part(299_999)).toEqual(bytes.subarray(299_999))
      expect(await part(0, 1)).toEqual(bytes.subarray(0, 1))
      expect(await part(299_990, 400_000)).toEqual(bytes.subarray(299_990))
      expect(await part(5, 5)).toEqual(Buffer.alloc(0))
    })

    test('a file of this machine goes as it is, and a change of it meanwhile is found', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'netops-source-'))
      onTestFinished(() => rm(folder, { recursive: true, force: true }))
      const bytes = randomBytes(large)
      const path = join(folder, 'a.tar')
      await writeFile(path, bytes)
      const { size, sha256 } = bytesSource(bytes)
      const source = fileSource({ path, size, sha256 })
      expect((await storage.put('from-file.tar', source)).outcome).toBe('stored')
      await storage.verify('from-file.tar', { size, sha256 })

      bytes[large - 1] = (bytes[large - 1] ?? 0) ^ 1
      await writeFile(path, bytes)
      expect(await errorOf(storage.put('changed.tar', source))).toMatchObject({ code: 'damaged' })
      await writeFile(path, bytes.subarray(1))
      expect(await errorOf(storage.put('changed.tar', source))).toMatchObject({ code: 'damaged' })
      expect(await storage.head('changed.tar')).toBeUndefined()
      await storage.abandon('changed.tar')
    })

    test('the same again sends nothing, and something else is refused and changes nothing', async () => {
      const bytes = randomBytes(100_000)
      const source = await put('twice.tar', bytes)
      expect(await storage.put('twice.tar', source)).toMatchObject({ outcome: 'there', sent: 0 })
      for (const other of [randomBytes(100_000), randomBytes(99_999)]) {
        const error = await errorOf(storage.put('twice.tar', bytesSource(other)))
        expect(error).toMatchObject({ code: 'refused' })
        expect(error.message).toContain('twice.tar')
      }
      expect((await collected(storage.get('twice.tar'))).equals(bytes)).toBe(true)
      expect((await place().raw()).filter((name) => name.includes('twice'))).toEqual(['twice.tar'])
    })

    test('lists by the beginning of names, and never what is not whole', async () => {
      for (const name of ['list/a1.tar', 'list/a2.tar', 'list/b/c.tar', 'list-too.tar'])
        await put(name, Buffer.from(name))
      const names = async (prefix: string) => (await all(storage.list(prefix))).map(({ name }) => name)
      expect(await names('list/')).toEqual(['list/a1.tar', 'list/a2.tar', 'list/b/c.tar'])
      expect(await names('list/a')).toEqual(['list/a1.tar', 'list/a2.tar'])
      expect(await names('list')).toEqual(['list-too.tar', 'list/a1.tar', 'list/a2.tar', 'list/b/c.tar'])
      expect(await names('list/b/c.tar')).toEqual(['list/b/c.tar'])
      expect(await names('nothing/')).toEqual([])
      expect(await names('')).toEqual(expect.arrayContaining(['list/b/c.tar', 'list-too.tar']))
      expect((await all(storage.list('list/a1'))).at(0)).toMatchObject({ size: 11 })
    })

    test('removes, also what is not there', async () => {
      await put('gone/a.tar', Buffer.from('x'))
      await storage.delete('gone/a.tar')
      expect(await storage.head('gone/a.tar')).toBeUndefined()
      await storage.delete('gone/a.tar')
      await storage.delete('never/was.tar')
    })

    test('finds what is missing, longer or changed', async () => {
      const source = await put('sound.tar', randomBytes(large))
      const missing = await errorOf(storage.verify('none.tar', expectedOf(source)))
      expect(missing).toMatchObject({ code: 'damaged' })
      expect(missing.message).toContain('missing')
      const longer = { ...expectedOf(source), size: source.size + 1 }
      expect(await errorOf(storage.verify('sound.tar', longer))).toMatchObject({ code: 'damaged' })
      await place().flip('sound.tar')
      expect(await errorOf(storage.verify('sound.tar', expectedOf(source), { whole: true }))).toMatchObject({
        code: 'damaged',
      })
    })

    test('tells of an object that is not there', async () => {
      expect(await storage.head('none.tar')).toBeUndefined()
      const error = await errorOf(collected(storage.get('none.tar')))
      expect(error).toMatchObject({ code: 'failed' })
      expect(error.message).toContain('none.tar')
    })

    test.each([
      '../a',
      '/a',
      'a/../b',
      'a//b',
      './a',
      'a/.b',
      '.a',
      'a\nb',
      'a\u0000b',
      'a\u202eb',
      'a\\b',
      '',
      'a/',
      'x'.repeat(201),
    ])('refuses the name %j, whatever is asked', async (name) => {
      const asked: readonly Promise<unknown>[] = [
        storage.put(name, bytesSource(Buffer.from('x'))),
        collected(storage.get(name)),
        storage.head(name),
        storage.verify(name, { size: 1, sha256: '' }),
        storage.delete(name),
        storage.abandon(name),
      ]
      for (const call of asked) expect(await errorOf(call)).toMatchObject({ code: 'usage' })
    })

    test('names of letters of all kinds are kept as they are', async () => {
      const name = 'Früh jahr+100% (ä)=?#;"[x]/日本.tar'
      const source = await put(name, Buffer.from('x'))
      expect((await all(storage.list('Früh jahr'))).map((found) => found.name)).toEqual([name])
      await storage.verify(name, expectedOf(source))
      await storage.delete(name)
      expect(await storage.head(name)).toBeUndefined()
    })

    test('a put that is left stays invisible, goes on when it is repeated, and can be cleared away', async () => {
      const bytes = randomBytes(large)
      const whole = bytesSource(bytes)
      const leaving = new AbortController()
      const notes = memoryNotes()
      // It is left as soon as something of it is there.
      const onProgress = ({ done }: Progress): void => {
        if (done > 0) leaving.abort()
      }
      const left = await errorOf(storage.put('left.tar', whole, { signal: leaving.signal, onProgress, notes }))
      expect(left).toMatchObject({ code: 'interrupted' })
      expect(await storage.head('left.tar')).toBeUndefined()
      expect((await all(storage.list('left'))).length).toBe(0)

      const stored = await storage.put('left.tar', whole, { notes })
      expect(stored.sent).toBeLessThan(large)
      expect((await collected(storage.get('left.tar'))).equals(bytes)).toBe(true)
      await storage.verify('left.tar', expectedOf(whole))

      const again = new AbortController()
      const leave = ({ done }: Progress): void => {
        if (done > 0) again.abort()
      }
      const other = bytesSource(randomBytes(large))
      await errorOf(storage.put('cleared.tar', other, { signal: again.signal, onProgress: leave, notes }))
      await storage.abandon('cleared.tar', { notes })
      expect((await place().raw()).filter((name) => name.includes('cleared'))).toEqual([])
      expect(await notes.load()).toBeUndefined()
    })

    test('what begins after it was left does nothing', async () => {
      const signal = AbortSignal.abort()
      const source = bytesSource(Buffer.from('x'))
      expect(await errorOf(storage.put('late.tar', source, { signal }))).toMatchObject({ code: 'interrupted' })
      expect(await errorOf(storage.head('late.tar', { signal }))).toMatchObject({ code: 'interrupted' })
      expect(await storage.head('late.tar')).toBeUndefined()
    })

    test('two that store the same at once both find it stored', async () => {
      const source = bytesSource(randomBytes(200_000))
      const other = await place().open()
      onTestFinished(() => other.close())
      await storage.put('both.tar', source)
      const outcomes = await Promise.all([storage.put('both.tar', source), other.put('both.tar', source)])
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['there', 'there'])
    })
  })
}

/** Notes that live as long as the test. */
function memoryNotes() {
  let kept: string | undefined
  return {
    load: () => Promise.resolve(kept),
    save: (text: string) => {
      kept = text
      return Promise.resolve()
    },
    clear: () => {
      kept = undefined
      return Promise.resolve()
    },
  }
}
