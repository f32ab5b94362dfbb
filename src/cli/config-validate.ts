// `netops config validate`: is a network_server configuration valid, and what of it does this release leave aside?
import type { Problem } from '../config/problems.ts'
import { defineCommand } from './command.ts'

interface Report {
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
  examples: ['netops config validate', 'netops config validate config/production.yaml config/staging.yaml --json'],
  options: [],
  async run({ args }, { cwd }) {
    const { formatProblems } = await import('../config/problems.ts')
    const files = args.length === 0 ? ['config.yaml'] : args
    const reports = await Promise.all(files.map((file) => examine(file, cwd)))
    const text = reports.map(({ file, valid, problems, notes }) =>
      valid
        ? [`${file}: valid`, ...notes.map((note) => `${file}: note: ${note}`)].join('\n')
        : formatProblems(problems),
    )
    return {
      outcome: reports.every(({ valid }) => valid) ? 'done' : 'usage',
      data: { files: reports },
      text: text.join('\n'),
    }
  },
})

async function examine(file: string, cwd: string): Promise<Report> {
  const { checkServerConfig } = await import('../config/server-config.ts')
  const text = await read(file, cwd)
  if (typeof text !== 'string') return { file, valid: false, problems: [text], notes: [] }
  const checked = checkServerConfig(text, file)
  return 'problems' in checked
    ? { file, valid: false, problems: checked.problems, notes: [] }
    : { file, valid: true, problems: [], notes: checked.notes }
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
