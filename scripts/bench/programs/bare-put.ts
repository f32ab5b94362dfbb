// A file to all hosts at once with nothing but the SSH library's own SFTP client.
import type { Host } from '../ssh-hosts.ts'
import { connectBare } from './bare.ts'
import { readOrder } from './order.ts'

const { hosts, file = '', to = '' } = readOrder()

async function putOn(host: Host): Promise<void> {
  const client = await connectBare(host)
  await new Promise<void>((resolve, reject) => {
    client.sftp((failed, sftp) => {
      if (failed !== undefined) return reject(failed)
      sftp.fastPut(file, to, (error) => (error ? reject(error) : resolve()))
    })
  })
  client.end()
}

void Promise.all(hosts.map(putOn))
