// A folder of another machine as a place for copies, by SFTP; connecting, with its checks of host keys, is the caller's.
import type { HostFiles } from '../hosts/port.ts'
import { StorageInFiles } from './in-files.ts'
import type { Storage } from './port.ts'
import { usualPatience, type Patience } from './retry.ts'

export interface SftpPlace {
  /** `sftp://backup@vault.example.com/srv/copies`, for messages. */
  readonly place: string
  /** Absolute, or relative to the account's home folder. */
  readonly folder: string
  /** Logs in. @throws NetopsError `refused` for an unknown or changed host key; `unreachable` */
  readonly connect: () => Promise<HostFiles>
  readonly patience?: Patience
}

/** A folder of another machine. Whose its folders are, the protocol does not tell: that is for whoever runs that machine. */
export const storageOverSftp = ({ patience = usualPatience, ...at }: SftpPlace): Storage =>
  new StorageInFiles({ ...at, patience, trust: () => Promise.resolve() })
