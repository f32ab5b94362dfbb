// netops lab up, down, list, exec: throwaway hosts to rehearse on.
import { resolve } from 'node:path'
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import type { LabStatus } from '../../lab/lab.ts'
import { defineCommand } from '../command.ts'
import type { OptionSpec } from '../command.ts'
import { nameList, parseOptions } from '../options.ts'

const nameOption: OptionSpec = { flags: '--name <lab>', description: 'the name of the lab', default: 'lab' }

// These rules are repeated nowhere: the lab's own modules are loaded only when a command runs.
const named = async () => {
  const { labName } = await import('../../lab/state.ts')
  return z.object({ name: labName })
}

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

export const labDown = defineCommand({
  name: 'lab down',
  summary: 'Remove a lab: hosts, network, files; the cached base image stays',
  examples: ['netops lab down', 'netops lab down --name staging'],
  options: [nameOption],
  async run({ options }) {
    const { stopLab } = await import('../../lab/lab.ts')
    const { name } = parseOptions(await named(), options)
    const { found, kept } = await stopLab(name)
    const note = kept === undefined ? '' : `\n${kept} was edited since, and stays`
    const text = found ? `lab '${name}' is gone${note}` : `there is no lab '${name}': nothing to do`
    return { outcome: 'done', data: { lab: name, found, ...(kept === undefined ? {} : { kept }) }, text }
  },
})

export const labList = defineCommand({
  name: 'lab list',
  summary: 'Show the labs on this machine with their hosts and addresses',
  examples: ['netops lab list', 'netops lab list --json'],
  options: [],
  async run() {
    const { listLabs } = await import('../../lab/lab.ts')
    const labs = await listLabs()
    return {
      outcome: 'done',
      data: { labs },
      text: labs.map(describe).join('\n') || 'no labs: netops lab up boots one',
    }
  },
})

const describe = (lab: LabStatus): string =>
  [
    `${lab.name}  ${lab.state}  ${lab.out ?? 'not finished starting'}`,
    ...lab.hosts.map((host) => `  ${host.name}  ${host.address}  ${host.state}`),
  ].join('\n')

export const labExec = defineCommand({
  name: 'lab exec',
  summary: 'Run a command on a lab host as root, also while its network is cut',
  args: '<host> <command...>',
  examples: [
    'netops lab exec web1 -- systemctl status network_service',
    'netops lab exec lb1 --name staging -- ip address',
  ],
  options: [nameOption],
  async run({ options, args }, context) {
    const { execOnHost } = await import('../../lab/host.ts')
    const { requireRoot } = await import('../../lab/machine.ts')
    const { name } = parseOptions(await named(), options)
    const [host = '', ...argv] = args
    if (argv.length === 0)
      throw new NetopsError('usage', { message: 'no command given', hint: 'netops lab exec HOST -- COMMAND' })
    requireRoot()
    const { signal } = context
    const stream = context.json ? {} : { onLine: context.write }
    const { code, stdout, stderr } = await execOnHost({ lab: name, name: host }, argv, { signal, ...stream })
    // Standard output is the command's own.
    if (!context.json && stderr !== '') context.progress(stderr.trimEnd())
    if (code !== 0) context.progress(`${argv[0] ?? ''} exited with ${code}`)
    return { outcome: code === 0 ? 'done' : 'failed', data: { lab: name, host, code, stdout, stderr }, text: '' }
  },
})
