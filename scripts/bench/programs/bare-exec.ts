// The bare loop: one command on all hosts at once with nothing but the SSH library.
import type { Host } from '../ssh-hosts.ts'
import { connectBare } from './bare.ts'
import { readOrder } from './order.ts'

const { hosts, command = 'true' } = readOrder()

async function runOn(host: Host): Promise<number> {
  const client = await connectBare(host)
  const code = await new Promise<number>((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) return reject(error)
      let exit = 255
      channel.on('exit', (given: number | null) => (exit = given ?? 255))
      channel.on('close', () => resolve(exit))
      channel.resume()
      channel.stderr.resume()
    })
  })
  client.end()
  return code
}

void Promise.all(hosts.map(runOn)).then((codes) => {
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1
})
