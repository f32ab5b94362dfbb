// `netops config validate`: are configuration files valid, and what of them does this release leave aside?
import * as z from 'zod'
import { defineCommand } from '../command.ts'
import { examineLive, liveOptions, textOfLive } from './config-live.ts'
import { parseOptions } from '../options.ts'

/** Each file is checked by itself: the environment of the machine that checks is not the service's, unless it is said to be. */
export const configValidate = defineCommand({
  name: 'config validate',
  summary: "Check the server's and the fleet's configuration: every problem with its line, and what is not in effect",
  args: '[file...]',
  examples: [
    'netops config validate',
    'netops config validate config/production.yaml netops.production.yml --json',
    'NETWORK_SERVER_PORT=81 netops config validate --env config.yaml',
    'netops config validate --set server.port=81 config.yaml',
    'netops config validate --live /etc/network_system/config.yaml',
  ],
  options: [
    { flags: '--env', description: "put this shell's NETWORK_* variables over the file, as the server would" },
    {
      flags: '--set <key=value>',
      description: 'put values over the file, as network_server --set would',
      repeats: true,
    },
    ...liveOptions,
  ],
  async run({ options, args }, context) {
    const { formatProblems } = await import('../../config/problems.ts')
    const { examineFile } = await import('../../config/examine.ts')
    const { env, set } = parseOptions(schema, options)
    const files = args.length > 0 ? args : await filesHere(context.cwd)
    const sources = { ...(env ? { env: context.env } : {}), set }
    const reports = await Promise.all(
      files.map(async (file) => {
        const examined = await examineFile(file, context.cwd, sources)
        const { read } = examined
        return { ...examined, ...(read === undefined ? {} : await examineLive(read.value, options, context.cwd)) }
      }),
    )
    const text = reports.map(({ file, problems, notes, live }) =>
      problems.length === 0
        ? [`${file}: valid`, ...notes.map((note) => `${file}: note: ${note}`), ...textOfLive(file, live)].join('\n')
        : formatProblems(problems),
    )
    const fits = reports.every(({ live }) => live?.every(({ kind }) => kind !== 'problem') ?? true)
    return {
      outcome: fits && reports.every(({ problems }) => problems.length === 0) ? 'done' : 'usage',
      data: {
        files: reports.map(({ file, kind, problems, notes, live }) => ({
          file,
          kind,
          valid: problems.length === 0,
          problems,
          notes,
          ...(live === undefined ? {} : { live }),
        })),
      },
      text: text.join('\n'),
    }
  },
})

const schema = z.object({ env: z.boolean().default(false), set: z.array(z.string()).default([]) })

/** Without a name: the fleet file and the configuration of this folder, as far as they are there. */
async function filesHere(cwd: string): Promise<readonly string[]> {
  const fs = await import('node:fs/promises')
  const path = await import('node:path')
  const found = await Promise.all(
    ['netops.yml', 'config.yaml'].map((file) =>
      fs.access(path.join(cwd, file)).then(
        () => [file],
        () => [],
      ),
    ),
  )
  const files = found.flat()
  return files.length > 0 ? files : ['config.yaml']
}
