// netops lab down: removes a lab.
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'
import { named, nameOption } from './lab-shared.ts'

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
