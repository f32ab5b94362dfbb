// Where copies go, as one address: s3://bucket/prefix, sftp://user@host:port/folder, /folder. Pure.
import { plainPath } from './paths.ts'
import { userName } from './login-names.ts'

export type StoragePlace =
  | { readonly kind: 'folder'; readonly folder: string }
  | {
      readonly kind: 'sftp'
      readonly address: string
      readonly port: number | undefined
      readonly user: string | undefined
      /** Absolute, or relative to the account's home folder. */
      readonly folder: string
    }
  | {
      readonly kind: 's3'
      readonly bucket: string
      /** Empty, or a folder with a slash at its end. */
      readonly prefix: string
    }

// Amazon S3 User Guide, "General purpose bucket naming rules".
const bucketName = /^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/
const hostName = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)$/
const words = 'expected s3://bucket/prefix, sftp://[user@]host[:port]/folder or an absolute path'

/**
 * Reads the address of a place.
 * @returns the place, or why it is none
 */
export function parseStoragePlace(text: string): StoragePlace | { readonly fault: string } {
  if (text.startsWith('/')) {
    return plainPath.test(text)
      ? { kind: 'folder', folder: text }
      : { fault: 'expected an absolute path without .., // and /./' }
  }
  const [, scheme = '', authority = '', path = ''] = /^([a-z0-9]+):\/\/([^/]*)(.*)$/s.exec(text) ?? []
  if (scheme === 's3') return parseS3(authority, path)
  if (scheme === 'sftp') return parseSftp(authority, path)
  return { fault: words }
}

function parseS3(bucket: string, path: string): StoragePlace | { readonly fault: string } {
  if (!bucketName.test(bucket) || bucket.includes('..')) {
    return { fault: 'expected a bucket of 3 to 63 small letters, digits, hyphens and dots; keys do not belong here' }
  }
  const prefix = path.replace(/\/$/, '').slice(1)
  if (prefix !== '' && !plainPath.test(`/${prefix}`)) return { fault: 'expected a prefix that says each folder once' }
  return { kind: 's3', bucket, prefix: prefix === '' ? '' : `${prefix}/` }
}

function parseSftp(authority: string, path: string): StoragePlace | { readonly fault: string } {
  const [, user, address = '', port] = /^(?:([^@]*)@)?(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority) ?? []
  if (user?.includes(':') === true) return { fault: 'a password does not belong here: log in with a key' }
  if (user !== undefined && !userName.test(user)) return { fault: 'expected the name of an account before the @' }
  if (!hostName.test(address)) return { fault: words }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    return { fault: 'expected a port from 1 to 65535' }
  // As curl(1) has it: below the account's home folder.
  const home = /^\/~(?:\/|$)/.exec(path)?.[0]
  const folder = home === undefined ? path.replace(/\/$/, '') : path.slice(home.length).replace(/\/$/, '')
  if (!plainPath.test(home === undefined ? folder : `/${folder}`)) {
    return { fault: 'expected a folder, absolute or as /~/folder, without .., // and /./' }
  }
  return {
    kind: 'sftp',
    address: address.replace(/^\[|\]$/g, ''),
    port: port === undefined ? undefined : Number(port),
    user,
    folder,
  }
}
