// `netops config validate`: is a network_server configuration valid, and what of it does this release leave aside?
import type { Problem } from '../config/problems.ts'
import { defineCommand, type RawOptions } from './command.ts'
import { examineLive, liveOptions, textOfLive, type LiveReport } from './config-live.ts'

interface Report extends LiveReport {
  readonly file: string
  readonly valid: boolean
  readonly problems: readonly Problem[]
  /** What the file asks for and this release does not do. */
  readonly notes: readonly string[]
}

/** Each file is checked by itself: the environment of the machine that checks is not the service's. */
export const configValidate = defineCommand({
  name: 'config validate',
  summary: 'Check configurations of network_server: every problem with its line, and what this release does not act on',
  args: '[file...]',
  examples: [
    'netops config validate',
    'netops config validate config/production.yaml config/staging.yaml --json',
    'netops config validate /etc/network_system/config.yaml --live',
  ],
  options: liveOptions,
  async run({ args, options }, { cwd }) {
    const { formatProblems } = await import('../config/problems.ts')
    const files = args.length === 0 ? ['config.yaml'] : args
    const reports = await Promise.all(files.map((file) => examine(file, cwd, options)))
    const text = reports.map(({ file, valid, problems, notes, live }) =>
      valid
        ? [`${file}: valid`, ...notes.map((note) => `${file}: note: ${note}`), ...textOfLive(file, live)].join('\n')
        : formatProblems(problems),
    )
    const fits = reports.every(({ live }) => live?.every(({ kind }) => kind !== 'problem') ?? true)
    return {
      outcome: fits && reports.every(({ valid }) => valid) ? 'done' : 'usage',
      data: { files: reports },
      text: text.join('\n'),
    }
  },
})

async function examine(file: string, cwd: string, options: RawOptions): Promise<Report> {
  const { checkServerConfig } = await import('../config/server-config.ts')
  const text = await read(file, cwd)
  if (typeof text !== 'string') return { file, valid: false, problems: [text], notes: [] }
  const checked = checkServerConfig(text, file)
  return 'problems' in checked
    ? { file, valid: false, problems: checked.problems, notes: [] }
    : { file, valid: true, problems: [], notes: checked.notes, ...(await examineLive(checked.value, options, cwd)) }
}

async function read(file: string, cwd: string): Promise<string | Problem> {
  const [fs, path, { messageOf }] = await Promise.all([
    import('node:fs/promises'),
    import('node:path'),
    import('../model/errors.ts'),
  ])
  try {
    return await fs.readFile(path.resolve(cwd, file), 'utf8')
  } catch (error) {
    return { file, path: '', message: `cannot be read: ${messageOf(error)}` }
  }
}
