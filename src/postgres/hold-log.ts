// Has the server keep its log for as long as a base backup takes: a temporary replication slot, which goes with its connection
// however that ends.
import { randomBytes } from 'node:crypto'
import { exec } from '../system/exec.ts'
import type { Asking } from './ask.ts'
import { connectionString, programEnvironment } from './login.ts'

export interface HeldLog {
  /** The server keeps nothing for it any more. */
  release(): Promise<void>
}

/**
 * Makes a temporary slot at the server's present position.
 * @returns undefined where the server has no slot left: then its log is kept no longer than usual
 */
export async function holdLog({ bin, login, password }: Asking): Promise<HeldLog | undefined> {
  if (!('passfile' in password)) throw new TypeError('a slot is held by a program that reads its password from a file')
  const connection = connectionString(login, { ...password, replication: true, name: 'netops backup, log' })
  const name = `netops_backup_${randomBytes(4).toString('hex')}`
  const over = Promise.withResolvers<undefined>()
  const made = Promise.withResolvers<boolean>()
  async function* commands(): AsyncGenerator<Uint8Array, void, undefined> {
    yield Buffer.from(`CREATE_REPLICATION_SLOT ${name} TEMPORARY PHYSICAL RESERVE_WAL;\n`)
    await over.promise
  }
  const running = exec([`${bin}/psql`, '-X', '-A', '-t', '-q', '-w', '-v', 'ON_ERROR_STOP=1', '-f', '-', connection], {
    env: { ...programEnvironment, PSQLRC: '/dev/null' },
    stdin: { stream: commands },
    most: 1 << 20,
    onLine: (line) => {
      if (line.startsWith(name)) made.resolve(true)
    },
  })
  const ended = running.then(
    () => made.resolve(false),
    () => made.resolve(false),
  )
  const release = async (): Promise<void> => {
    over.resolve(undefined)
    await ended
  }
  if (await made.promise) return { release }
  await release()
  return undefined
}
