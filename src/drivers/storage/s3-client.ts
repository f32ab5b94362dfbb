// The one place that talks to S3's client library: loaded when the first request is made, and told all that it would look up itself.
import type * as Sdk from '@aws-sdk/client-s3'
import { NetopsError } from '../../model/errors.ts'
import type { CallOptions } from './port.ts'
import { persistently, wasLeft, type Patience } from './retry.ts'
import { toldLost, toldS3, type S3Where } from './s3-errors.ts'

export interface S3Credentials {
  readonly accessKey: string
  readonly secretKey: string
  readonly sessionToken?: string | undefined
}

export interface S3Place {
  readonly bucket: string
  /** What all names begin with: empty, or a folder with a slash at its end. */
  readonly prefix: string
  readonly region: string
  /** `https://...`; that of Amazon for the region unless said. */
  readonly endpoint?: string | undefined
  /** Whether the bucket stands in the address's path instead of its host name. */
  readonly pathStyle: boolean
  /** Read late, and again for each connection. @throws NetopsError `usage` where there are none */
  readonly credentials: () => Promise<S3Credentials>
  readonly patience: Patience
}

type Library = (typeof Sdk)['default']

/** Requests that a test of the answers to one may need to be made by its own means. */
type Work<T> = (client: Sdk.S3Client, sdk: Library, options: { readonly abortSignal?: AbortSignal }) => Promise<T>

const nothing = (): void => undefined
/** It says what it likes on the console otherwise. */
const silent = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing }

const connectWithinMs = 15_000
/** As many parts at once, and a request beside them. */
const mostSockets = 8

interface Connected {
  readonly client: Sdk.S3Client
  readonly sdk: Library
  /** What no message may hold. */
  readonly hidden: readonly string[]
}

/** A bucket, and how to ask it. */
export class S3Bucket {
  readonly at: S3Place
  readonly where: S3Where
  #client: Promise<Connected> | undefined

  constructor(at: S3Place) {
    const { bucket, prefix, region, endpoint = `https://s3.${region}.amazonaws.com` } = at
    this.at = at
    this.where = { place: `s3://${bucket}/${prefix}`.replace(/\/$/, ''), bucket, region, endpoint }
  }

  /** The key of an object in the bucket. */
  keyOf(name: string): string {
    return `${this.at.prefix}${name}`
  }

  /**
   * Makes a request; what passes by itself is tried again.
   * @param what it in words, for messages
   * @throws the error of the library where the service answered and `expects` says so; else NetopsError
   */
  async ask<T>(
    what: string,
    { signal, expects }: CallOptions & { readonly expects?: ((error: unknown) => boolean) | undefined },
    work: Work<T>,
  ): Promise<T> {
    const { client, sdk, hidden } = await this.#connected()
    const given = signal === undefined ? {} : { abortSignal: signal }
    return persistently(what, { patience: this.at.patience, signal }, async () => {
      try {
        return await work(client, sdk, given)
      } catch (error) {
        if (signal?.aborted === true) throw wasLeft(what)
        if (expects?.(error) === true) throw error
        throw toldS3(error, what, this.where, hidden)
      }
    })
  }

  /** What broke off while its answer was read, in words. */
  told(error: unknown, what: string): NetopsError {
    return error instanceof NetopsError ? error : toldLost(error, what, this.where)
  }

  async close(): Promise<void> {
    const connected = await this.#client?.catch(() => undefined)
    this.#client = undefined
    connected?.client.destroy()
  }

  #connected(): Promise<Connected> {
    const connected = (this.#client ??= this.#connect())
    // What was missing may be there the next time.
    connected.catch(() => (this.#client = undefined))
    return connected
  }

  async #connect(): Promise<Connected> {
    const { accessKey, secretKey, sessionToken } = await this.at.credentials()
    // CommonJS: inside an executable it has no names of its own, only what it exports as a whole.
    const { default: sdk } = await import('@aws-sdk/client-s3')
    const silence = this.at.patience.silenceMs
    const client = new sdk.S3Client({
      region: this.at.region,
      endpoint: this.where.endpoint,
      forcePathStyle: this.at.pathStyle,
      credentials: {
        accessKeyId: accessKey,
        secretAccessKey: secretKey,
        ...(sessionToken === undefined ? {} : { sessionToken }),
      },
      // One rule for trying again, for all places alike (retry.ts); the library's own knows nothing of what arrived damaged.
      maxAttempts: 1,
      // Its own checksum (CRC32 in a trailer) is refused by other services; MD5 and SHA-256 go along with each part instead.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // What an account's AWS files and variables say is not for us.
      useDualstackEndpoint: false,
      useFipsEndpoint: false,
      useArnRegion: false,
      disableS3ExpressSessionAuth: true,
      userAgentAppId: 'netops',
      requestHandler: {
        connectionTimeout: Math.min(connectWithinMs, silence),
        socketTimeout: silence,
        httpAgent: { maxSockets: mostSockets, keepAlive: true },
        httpsAgent: { maxSockets: mostSockets, keepAlive: true },
      },
      logger: silent,
    })
    return { client, sdk, hidden: [secretKey, accessKey, ...(sessionToken === undefined ? [] : [sessionToken])] }
  }
}
