// Copies in S3, against s3rver: the contract, and what goes wrong on the way.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { S3Server } from '../support/s3-server.ts'
import { testedPlace } from '../support/s3-server.ts'
import { startS3rver } from '../support/s3rver.ts'
import { startSwift, type SwiftServer } from '../support/swift.ts'
import { storageContract } from '../support/storage-contract.ts'

let folder: string
let s3rver: S3Server
let swift: SwiftServer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-s3-'))
  for (const name of ['s3rver', 'swift']) await mkdir(join(folder, name))
  s3rver = await startS3rver(join(folder, 's3rver'))
  swift = await startSwift(join(folder, 'swift'))
})
afterAll(async () => {
  await s3rver.stop()
  await swift.stop()
  await rm(folder, { recursive: true, force: true })
})

storageContract('s3rver', () => testedPlace(() => s3rver), 18_000_000)
storageContract('Swift', () => testedPlace(() => swift), 18_000_000)
