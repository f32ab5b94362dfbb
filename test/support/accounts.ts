// Accounts of this machine for a test, each with its own shell, password and rights; only root can make them.
import { randomBytes } from 'node:crypto'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { execText, exec } from '../../src/system/exec.ts'

export interface Account {
  readonly name: string
  readonly home: string
  remove(): Promise<void>
}

export interface AccountWish {
  readonly shell?: string
  readonly password?: string
  /** What sudoers(5) says behind the account's name. */
  readonly sudo?: string
}

/** @param wish without a password nobody can log in with one, but by key */
export async function makeAccount({ shell = '/bin/sh', password, sudo }: AccountWish): Promise<Account> {
  const name = `netops-${randomBytes(4).toString('hex')}`
  const home = `/tmp/${name}`
  const hash = password === undefined ? '*' : (await execText(['openssl', 'passwd', '-6', password])).trim()
  await execText(['useradd', '--home-dir', home, '--create-home', '--shell', shell, '--password', hash, name])
  const rights = `/etc/sudoers.d/${name}`
  if (sudo !== undefined) {
    await writeFile(rights, `${name} ${sudo}\n`)
    await chmod(rights, 0o440)
  }
  return {
    name,
    home,
    async remove() {
      await rm(rights, { force: true })
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const { code } = await exec(['userdel', '--remove', name])
        // 8 (userdel(8)): a process of it is left, of a connection that was cut or of a test that failed.
        if (code !== 8) return
        const { stdout } = await exec(['pgrep', '--uid', name])
        for (const pid of stdout.split('\n').filter(Boolean)) await exec(['kill', '-KILL', pid])
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      throw new Error(`the account ${name} is still in use`)
    },
  }
}
