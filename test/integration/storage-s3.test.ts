// Copies in S3, on two servers: the contract, and what goes wrong on the way and there.
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { notesInFile } from '../../src/drivers/storage/notes.ts'
import type { Progress, Storage } from '../../src/drivers/storage/port.ts'
import { checkLifecycle } from '../../src/drivers/storage/s3-lifecycle.ts'
import { storageInS3 } from '../../src/drivers/storage/s3.ts'
import type { S3Place } from '../../src/drivers/storage/s3-client.ts'
import { faultyLink, type FaultyLink } from '../support/faulty-link.ts'
import { placeAt, quick, testedPlace, type S3Server } from '../support/s3-server.ts'
import { startS3rver } from '../support/s3rver.ts'
import { startSwift, type SwiftServer } from '../support/swift.ts'
import { bytesSource, collected, errorOf, expectedOf, storageContract } from '../support/storage-contract.ts'

let folder: string
let s3rver: S3Server
let swift: SwiftServer
const starting: Promise<S3Server>[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-s3-'))
  for (const name of ['s3rver', 'swift']) await mkdir(join(folder, name))
  const [one, other] = [startS3rver(join(folder, 's3rver')), startSwift(join(folder, 'swift'))]
  starting.push(one, other)
  ;[s3rver, swift] = await Promise.all([one, other])
})
afterAll(async () => {
  for (const started of await Promise.allSettled(starting))
    if (started.status === 'fulfilled') await started.value.stop()
  await rm(folder, { recursive: true, force: true })
})

storageContract('s3rver', () => testedPlace(() => s3rver), 18_000_000)
storageContract('Swift', () => testedPlace(() => swift), 18_000_000)

const partSize = 8 * 2 ** 20
const size = 4 * partSize + 1000
// What the requests themselves take.
const around = 64 * 1024

describe.each(['s3rver', 'Swift'] as const)('%s behind a bad link', (which) => {
  let link: FaultyLink
  beforeEach(async () => {
    link = await faultyLink(server().port)
    onTestFinished(() => link.close())
  })
  const server = (): S3Server => (which === 's3rver' ? s3rver : swift)
  const over = (other: Partial<S3Place> = {}): Storage => {
    const storage = storageInS3(placeAt(server(), { port: link.port, ...other }))
    onTestFinished(() => storage.close())
    return storage
  }

  test('a part that is cut off is sent again, and nothing else', async () => {
    const source = bytesSource(randomBytes(size))
    link.cutAfter(partSize / 2, 3)
    const stored = await over().put(`cut-${which}.tar`, source)
    expect(stored.outcome).toBe('stored')
    // Up to four parts are under way when all connections are cut.
    expect(link.passed()).toBeLessThan(size + 3 * 4 * partSize)
    expect(await over().verify(`cut-${which}.tar`, expectedOf(source), { whole: true })).toBe('read-back')
  })

  test('a put that was left is gone on with by another process, which sends only what is missing', async () => {
    const source = bytesSource(randomBytes(size))
    const path = join(folder, `notes-${which}`)
    const name = `resumed-${which}.tar`
    const leaving = new AbortController()
    const seen: Progress[] = []
    const onProgress = (progress: Progress): void => {
      seen.push(progress)
      if (progress.done < 2 * partSize) return
      // What is under way does not arrive any more.
      link.swallow(true)
      leaving.abort()
    }
    const left = await errorOf(
      over().put(name, source, { signal: leaving.signal, notes: notesInFile(path), onProgress }),
    )
    expect(left.code).toBe('interrupted')
    const kept = seen.at(-1)?.done ?? 0
    expect(kept).toBeGreaterThanOrEqual(2 * partSize)
    const notes = await readFile(path, 'utf8')
    expect(notes).not.toContain(server().credentials.secretKey)

    link.swallow(false)
    const before = link.passed()
    const stored = await over().put(name, source, { notes: notesInFile(path) })
    expect(stored.sent).toBeLessThanOrEqual(size - kept)
    expect(link.passed() - before).toBeLessThanOrEqual(size - kept + around)
    expect(await over().verify(name, expectedOf(source), { whole: true })).toBe('read-back')
    await expect(readFile(path)).rejects.toThrow('ENOENT')
  })

  test('what a changed byte makes of it is not kept', async () => {
    const source = bytesSource(randomBytes(6_000_000))
    link.flipAfter(3_000_000)
    await over().put(`flipped-${which}.tar`, source)
    expect(link.passed()).toBeGreaterThan(2 * 6_000_000)
    expect(await over().verify(`flipped-${which}.tar`, expectedOf(source), { whole: true })).toBe('read-back')
  })

  test('a slow link takes its time', async () => {
    const source = bytesSource(randomBytes(2_000_000))
    link.limitTo(2_000_000)
    expect((await over().put(`slow-${which}.tar`, source)).outcome).toBe('stored')
    await over().verify(`slow-${which}.tar`, expectedOf(source), { whole: true })
  })

  test('a link that changes bytes all the time is told, and nothing is there', async () => {
    const source = bytesSource(randomBytes(300_000))
    link.flipAfter(100_000, 1000)
    const error = await errorOf(over().put(`broken-${which}.tar`, source))
    expect(error).toMatchObject({ code: 'damaged' })
    expect(error.message).toMatch(/what arrived is not what was sent/)
  })

  test('an answer that is cut off is read on from there', async () => {
    const bytes = randomBytes(3_000_000)
    const name = `read-${which}.tar`
    await over().put(name, bytesSource(bytes))
    link.cutAnswersAfter(1_000_000, 2)
    expect((await collected(over().get(name))).equals(bytes)).toBe(true)
    link.cutAnswersAfter(1_000_000, 2)
    expect(
      (await collected(over().get(name, { from: 1000, to: 2_900_000 }))).equals(bytes.subarray(1000, 2_900_000)),
    ).toBe(true)
  })

  test('a service that says nothing is not waited for without end', async () => {
    link.swallow(true)
    const patience = { tries: 2, firstPauseMs: 5, longestPauseMs: 5, silenceMs: 300 }
    const error = await errorOf(over({ patience }).put(`silent-${which}.tar`, bytesSource(randomBytes(100))))
    expect(error).toMatchObject({ code: 'unreachable' })
    expect(error.message).toContain(`http://127.0.0.1:${link.port}`)
  })
})

describe('what is wrong is told in words', () => {
  const told = async (server: S3Server, other: Partial<S3Place> & { readonly port?: number }) => {
    const storage = storageInS3(placeAt(server, other))
    onTestFinished(() => storage.close())
    const error = await errorOf(storage.put('told.tar', bytesSource(Buffer.from('x'))))
    expect(`${error.stack ?? ''}${error.message}${error.hint ?? ''}`).not.toContain('hush')
    expect(error.hint).toBeDefined()
    return error
  }
  const keys = (accessKey: string, secretKey: string) => ({
    credentials: () => Promise.resolve({ accessKey, secretKey, sessionToken: undefined }),
  })

  test('an access key that the service does not know', async () => {
    const error = await told(s3rver, keys('stranger', 'hush-hush'))
    expect(error).toMatchObject({ code: 'usage' })
    expect(error.message).toMatch(/does not know this access key/)
  })

  test('a secret key that does not belong to it', async () => {
    const error = await told(swift, keys(swift.credentials.accessKey, 'hush-hush'))
    expect(error).toMatchObject({ code: 'usage' })
    expect(error.message).toMatch(/the secret key does not belong to the access key/)
  })

  test('no such bucket', async () => {
    for (const server of [s3rver, swift]) {
      const error = await told(server, { bucket: 'elsewhere' })
      expect(error).toMatchObject({ code: 'usage' })
      expect(error.message).toContain('there is no bucket elsewhere')
    }
  })

  test('the wrong region', async () => {
    const error = await told(swift, { region: 'us-west-9' })
    expect(error).toMatchObject({ code: 'usage' })
    expect(error.message).toContain('is in the region eu-test-1, not in us-west-9')
    expect(error.hint).toContain('eu-test-1')
  })

  test('nobody there', async () => {
    const error = await told(swift, { port: 1, patience: { ...quick, tries: 2 } })
    expect(error).toMatchObject({ code: 'unreachable', resumable: true })
  })

  test('credentials that cannot be had are asked for again by the next call', async () => {
    let asked = 0
    const storage = storageInS3(
      placeAt(s3rver, {
        credentials: () =>
          (asked += 1) === 1 ? Promise.reject(new Error('no file')) : Promise.resolve(s3rver.credentials),
      }),
    )
    onTestFinished(() => storage.close())
    await expect(storage.head('x.tar')).rejects.toThrow('no file')
    expect(await storage.head('x.tar')).toBeUndefined()
  })
})

test('whether the bucket expires copies is told by what the service says', async () => {
  const expiry = { days: 90, partsDays: 7 }
  expect(await checkLifecycle(placeAt(s3rver), expiry)).toEqual({ state: 'unknown', why: 'not supported' })
  expect(await checkLifecycle(placeAt(swift), expiry)).toMatchObject({
    state: 'wrong',
    faults: [expect.stringContaining('90 days'), expect.stringContaining('7 days')],
  })
})

describe('a key that may only put', () => {
  const putOnly = (): Storage => {
    const storage = storageInS3(placeAt(swift, { credentials: () => Promise.resolve(swift.putter) }))
    onTestFinished(() => storage.close())
    return storage
  }

  test('stores under a name that holds the hash, and says what is known then', async () => {
    const source = bytesSource(randomBytes(100_000))
    const name = `config-${source.sha256.slice(0, 12)}.tar`
    expect(await putOnly().put(name, source)).toMatchObject({ outcome: 'stored', evidence: 'checksum-of-service' })
    // Again is no harm.
    expect(await putOnly().put(name, source)).toMatchObject({ evidence: 'checksum-of-service' })
    const whole = storageInS3(placeAt(swift))
    onTestFinished(() => whole.close())
    expect(await whole.verify(name, expectedOf(source), { whole: true })).toBe('read-back')
    expect(await errorOf(collected(putOnly().get(name)))).toMatchObject({ code: 'failed' })
    expect(await errorOf(putOnly().head(name))).toMatchObject({ code: 'failed' })
  })

  test('is refused under any other, because nobody can tell what is there', async () => {
    const error = await errorOf(putOnly().put('plain.tar', bytesSource(randomBytes(10))))
    expect(error).toMatchObject({ code: 'refused' })
    expect(error.hint).toMatch(/beginning of its hash/)
  })
})
