// From the address of a place to its driver; what is not used is not loaded.
import { NetopsError } from '../../model/errors.ts'
import type { StoragePlace } from '../../model/storage-place.ts'
import type { HostFiles } from '../hosts/port.ts'
import type { Storage } from './port.ts'
import { usualPatience } from './retry.ts'
import type { S3Credentials } from './s3-client.ts'

/** What a place needs besides its address. */
export interface StorageOutside {
  /** Logs in to the host of an SFTP place. */
  readonly files: (place: Extract<StoragePlace, { kind: 'sftp' }>) => Promise<HostFiles>
  /** What S3 needs. */
  readonly s3: {
    readonly region: string
    readonly endpoint?: string | undefined
    readonly pathStyle: boolean
    readonly credentials: () => Promise<S3Credentials>
  }
  /** Whether what is stored is encrypted before it gets there. */
  readonly isEncrypted: boolean
}

/**
 * Opens a place. Nothing is connected to yet.
 * @throws NetopsError `refused` for a service that is reached in the clear with what is not encrypted
 */
export async function openStorage(place: StoragePlace, outside: StorageOutside): Promise<Storage> {
  switch (place.kind) {
    case 'folder': {
      const { storageInFolder } = await import('./folder.ts')
      return storageInFolder(place.folder)
    }
    case 'sftp': {
      const { storageOverSftp } = await import('./sftp.ts')
      const { user, address, port, folder } = place
      const host = `${user === undefined ? '' : `${user}@`}${address}${port === undefined ? '' : `:${port}`}`
      const shown = `sftp://${host}${folder.startsWith('/') ? '' : '/~/'}${folder}`
      return storageOverSftp({ place: shown, folder, connect: () => outside.files(place) })
    }
    case 's3': {
      refuseInTheClear(outside)
      const { storageInS3 } = await import('./s3.ts')
      return storageInS3({ ...outside.s3, bucket: place.bucket, prefix: place.prefix, patience: usualPatience })
    }
  }
}

function refuseInTheClear({ s3: { endpoint }, isEncrypted }: StorageOutside): void {
  if (endpoint === undefined || isEncrypted) return
  const { protocol, hostname } = new URL(endpoint)
  if (protocol === 'https:' || /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)) return
  throw new NetopsError('refused', {
    message: `${endpoint} is reached without TLS: whoever is on the way could read what is stored`,
    hint: 'use its https:// address, or encrypt what goes there: encrypt_to',
  })
}
