// netops lab up: boots throwaway hosts to rehearse on.
import { resolve } from 'node:path'
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { nameList, parseOptions } from '../options.ts'
import { named, nameOption } from './lab-shared.ts'

/** `3` or `web1,web2` to host names. */
const hostsWish = nameList.transform((names) => {
  const [first = ''] = names
  if (names.length > 1 || !/^\d+$/.test(first)) return names
  return Array.from({ length: Math.min(Number(first), 1000) }, (_, index) => `web${index + 1}`)
})

export const labUp = defineCommand({
  name: 'lab up',
  summary: 'Boot throwaway Debian hosts on this machine, with the fleet file to reach them',
  examples: ['netops lab up', 'netops lab up --hosts web1,web2,lb1 --name staging --out /tmp/staging'],
  options: [
    { flags: '--hosts <hosts>', description: 'how many, or their names separated by commas', default: '2' },
    nameOption,
    { flags: '--out <dir>', description: 'where to write netops.yml, the key and known_hosts (default: ./NAME)' },
  ],
  async run({ options }, context) {
    const [{ startLab }, { hostNames }] = await Promise.all([import('../../lab/lab.ts'), import('../../lab/state.ts')])
    const schema = (await named()).extend({ hosts: hostsWish.pipe(hostNames), out: z.string().optional() })
    const { name, hosts, out } = parseOptions(schema, options)
    const { progress, signal } = context
    const lab = await startLab({ name, hosts, out: resolve(context.cwd, out ?? name), progress, signal })
    const addresses = lab.hosts.map((host) => ({ name: host.name, address: host.address }))
    const next = [
      `netops lab exec ${addresses[0]?.name ?? ''} --name ${name} -- hostname`,
      `netops lab down --name ${name}`,
    ]
    const text = [
      `lab '${name}' is up:`,
      ...addresses.map((host) => `  ${host.name}  ${host.address}`),
      `fleet file: ${lab.inventory}`,
      ...next.map((command) => `  ${command}`),
    ].join('\n')
    const { inventory, identity, knownHosts } = lab
    return {
      outcome: 'done',
      data: { lab: name, hosts: addresses, inventory, identity, known_hosts: knownHosts },
      text,
    }
  },
})
