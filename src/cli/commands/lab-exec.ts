// netops lab exec: a command on a lab host.
import { NetopsError } from '../../model/errors.ts'
import { defineCommand } from '../command.ts'
import { parseOptions } from '../options.ts'
import { named, nameOption } from './lab-shared.ts'

export const labExec = defineCommand({
  name: 'lab exec',
  summary: 'Run a command on a lab host as root, also while its network is cut',
  args: '<host> <command...>',
  examples: [
    'netops lab exec web1 -- systemctl status network_service',
    'netops lab exec lb1 --name staging -- ip address',
  ],
  options: [nameOption],
  endsUnread: true,
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
