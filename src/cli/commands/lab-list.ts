// netops lab list: the labs on this machine.
import type { LabStatus } from '../../lab/lab.ts'
import { defineCommand } from '../command.ts'

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
    `${lab.name}  ${lab.state}  ${lab.damaged?.message ?? lab.out ?? 'not finished starting'}`,
    ...(lab.damaged?.hint === undefined ? [] : [`  hint: ${lab.damaged.hint}`]),
    ...lab.hosts.map((host) => `  ${host.name}  ${host.address}  ${host.state}`),
  ].join('\n')
