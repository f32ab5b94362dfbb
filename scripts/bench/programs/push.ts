// A file to all hosts at once as `netops deploy` brings it; prints how many bytes it sent.
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pushFile } from '../../../src/drivers/hosts/push.ts'
import { SshHosts } from '../../../src/drivers/hosts/ssh.ts'
import { sha256OfFile } from '../../../src/system/files.ts'
import type { Host } from '../ssh-hosts.ts'
import { readOrder } from './order.ts'

const { hosts, file = '', to = '', builds = '' } = readOrder()
const ssh = new SshHosts()
const source = Promise.all([sha256OfFile(file), stat(file)])

async function pushTo({ target, files }: Host): Promise<number> {
  const connection = await ssh.connect(target)
  try {
    const [sha256, { size }] = await source
    const path = join(files, to)
    const bases = { releases: dirname(dirname(path)), netops: builds }
    const effect = { kind: 'push', from: file, path, mode: '0755', sha256, size, bases } as const
    return (await pushFile(connection, effect, (line) => console.error(`${basename(path)}: ${line}`))).bytes
  } finally {
    await connection.close()
  }
}

void Promise.all(hosts.map(pushTo)).then((sent) => console.log(sent.reduce((sum, bytes) => sum + bytes, 0)))
