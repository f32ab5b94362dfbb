// A lab's network: a bridge in a network namespace of its own, joined to the machine by one veth pair. The machine's
// firewall never sees traffic between hosts (so neither bridge-nf-call-iptables nor a FORWARD policy of DROP can stop
// it), and all of it ends with the namespace.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { NetopsError } from '../model/errors.ts'
import { attempt, run } from './machine.ts'
import { labFolder } from './state.ts'
import type { LabRecord } from './state.ts'

export type Network = LabRecord['network']

/** The file that holds a lab's network namespace. */
const namespaceFile = (lab: string): string => join(labFolder(lab), 'net')

/** Runs a command in the lab's network namespace. */
const inNetwork = (lab: string, argv: readonly string[], text = ''): Promise<string> =>
  run(['nsenter', `--net=${namespaceFile(lab)}`, ...argv], { stdin: { text } })

/** The machine's address in the lab. */
const gateway = (network: Network): string => `${network.prefix}.1`

// Private ranges (RFC 1918), spread so that a machine on a company network or VPN still has a free one.
const candidates: readonly string[] = [
  ...Array.from({ length: 40 }, (_, index) => `10.${40 + 5 * index}.77`),
  ...Array.from({ length: 16 }, (_, index) => `172.${16 + index}.77`),
  '192.168.177',
]

/**
 * The networks a lab may take, in order of preference: none overlaps what the machine can already reach.
 * @param routes destinations as `ip route` names them: `default`, `10.0.0.0/8`, `192.0.2.1`
 */
export function freeNetworks(routes: readonly string[]): readonly Network[] {
  const taken = routes.filter((route) => /^[\d.]+(\/\d+)?$/.test(route)).map(range)
  return candidates
    .map((prefix, index) => ({ link: `nolab${index}`, prefix }))
    .filter(({ prefix }) => {
      const [first, last] = range(`${prefix}.0/24`)
      return !taken.some(([from, to]) => from <= last && first <= to)
    })
}

/** The first and last address of `10.0.0.0/8` as numbers. */
function range(cidr: string): readonly [number, number] {
  const [address = '', length = '32'] = cidr.split('/')
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const size = 2 ** (32 - Number(length))
  const first = Math.floor(number / size) * size
  return [first, first + size - 1]
}

// The interfaces whose hosts are cut off: their frames are dropped on entering and on leaving the bridge.
const cuts = `table bridge lab {
  set cut { type ifname; }
  chain in { type filter hook prerouting priority -300; iifname @cut drop; }
  chain out { type filter hook postrouting priority 300; oifname @cut drop; }
}
`

/** Cuts a host off or makes its network whole again; the same call twice changes nothing. */
export async function setCut(lab: string, machine: string, state: 'cut' | 'whole'): Promise<void> {
  // systemd-nspawn names the machine's side of a host's link vb-MACHINE. Only what is there can be deleted.
  const element = `element bridge lab cut { "vb-${machine}" }\n`
  await inNetwork(lab, ['nft', '-f', '-'], `add ${element}${state === 'cut' ? '' : `delete ${element}`}`)
}

const routeList = z.array(z.object({ dst: z.string(), dev: z.string().optional() }))

/**
 * Makes the namespace, the bridge and the machine's end of it.
 * @throws NetopsError `refused` when every network we would take is in use
 */
export async function createNetwork(lab: string): Promise<Network> {
  const file = namespaceFile(lab)
  await writeFile(file, '', { flag: 'wx' })
  await run(['unshare', `--net=${file}`, 'true'])
  const routes = routeList.parse(JSON.parse(await run(['ip', '-json', '-4', 'route', 'show', 'table', 'all'])))
  for (const network of freeNetworks(routes.map(({ dst }) => dst))) {
    if (!(await claim(network, file))) continue
    const port = [
      'link set lo up',
      'link add lab type bridge',
      'link set uplink master lab',
      'link set uplink up',
      'link set lab up',
    ]
    await inNetwork(lab, ['ip', '-batch', '-'], `${port.join('\n')}\n`)
    await inNetwork(lab, ['nft', '-f', '-'], cuts)
    await run(['ip', 'address', 'add', `${gateway(network)}/24`, 'dev', network.link])
    await run(['ip', 'link', 'set', network.link, 'up'])
    return network
  }
  throw new NetopsError('refused', {
    message: `none of the ${candidates.length} private networks that a lab may take is free on this machine`,
    hint: 'see ip route; netops lab list shows labs that can be taken down',
  })
}

/** Takes a network by making its interface, which only one lab can: two that start at once get one each. */
async function claim(network: Network, file: string): Promise<boolean> {
  const argv = ['ip', 'link', 'add', network.link, 'type', 'veth', 'peer', 'name', 'uplink', 'netns', file]
  const { code, stderr } = await attempt(argv)
  if (code === 0) return true
  if (stderr.includes('File exists')) return false
  throw new NetopsError('failed', { message: `cannot create ${network.link}: ${stderr.trim()}` })
}

/** Removes the network of a lab, or what there is of it. Its hosts must be gone. */
export async function removeNetwork(lab: string): Promise<void> {
  const file = namespaceFile(lab)
  const mounts = await readFile('/proc/self/mountinfo', 'utf8')
  if (mounts.split('\n').some((line) => line.split(' ')[4] === file)) {
    // The kernel would take the pair down with the namespace too, but some time later.
    const links = z
      .array(z.object({ ifname: z.string() }))
      .parse(JSON.parse(await inNetwork(lab, ['ip', '-json', 'link'])))
    if (links.some(({ ifname }) => ifname === 'uplink')) await inNetwork(lab, ['ip', 'link', 'delete', 'uplink'])
    await run(['umount', file])
  }
  await rm(file, { force: true })
}
