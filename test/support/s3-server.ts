// What tests need to know of an S3 server, and how they look into it without the driver that they test.
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { storageInS3 } from '../../src/drivers/storage/s3.ts'
import type { S3Credentials, S3Place } from '../../src/drivers/storage/s3-client.ts'
import type { Patience } from '../../src/drivers/storage/retry.ts'
import type { TestedPlace } from './storage-contract.ts'

export interface S3Server {
  readonly name: string
  readonly port: number
  readonly bucket: string
  readonly region: string
  readonly credentials: S3Credentials
  stop(): Promise<void>
}

/** Tries as often as usual, with shorter pauses. */
export const quick: Patience = { tries: 6, firstPauseMs: 5, longestPauseMs: 40, silenceMs: 20_000 }

/** A server's bucket as a place; what is given takes the place of what is right. */
export const placeAt = (server: S3Server, other: Partial<S3Place> & { readonly port?: number } = {}): S3Place => {
  const { port = server.port, ...rest } = other
  return {
    bucket: server.bucket,
    prefix: 'hosts/web1/',
    region: server.region,
    endpoint: `http://127.0.0.1:${port}`,
    pathStyle: true,
    credentials: () => Promise.resolve(server.credentials),
    patience: quick,
    ...rest,
  }
}

/** A server's bucket for the contract. */
export function testedPlace(server: () => S3Server): TestedPlace {
  const client = (): S3Client => {
    const { region, port, credentials } = server()
    return new S3Client({
      region,
      endpoint: `http://127.0.0.1:${port}`,
      forcePathStyle: true,
      credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    })
  }
  return {
    open: () => Promise.resolve(storageInS3(placeAt(server()))),
    async raw() {
      const Bucket = server().bucket
      const { Contents = [] } = await client().send(new ListObjectsV2Command({ Bucket }))
      // s3rver cannot tell them.
      const { Uploads = [] } = await client()
        .send(new ListMultipartUploadsCommand({ Bucket }))
        .catch(() => ({ Uploads: [] }))
      return [...Contents, ...Uploads].map(({ Key = '' }) => Key.replace('hosts/web1/', ''))
    },
    async flip(name) {
      const at = { Bucket: server().bucket, Key: `hosts/web1/${name}` }
      const { Body } = await client().send(new GetObjectCommand(at))
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
      bytes[1000] = (bytes[1000] ?? 0) ^ 1
      await client().send(new PutObjectCommand({ ...at, Body: bytes }))
    },
  }
}
