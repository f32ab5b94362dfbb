// `npm run check`: types, lint, format, dead code and the fast tests, in under a minute; says which failed and why.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { formatDuration } from '../src/model/units.ts'
import { exec } from '../src/system/exec.ts'
import { makeFolder } from '../src/system/files.ts'
import { lint } from './lint.ts'

const top = join(import.meta.dirname, '..')

// What did not change since the last time is not looked at again; what lint says of a file hangs on the types of others
// (scripts/lint.ts).
const cache = (name: string): string => join(top, 'node_modules', '.cache', 'netops-check', name)

// Slowest first, so that the last ones to run are short.
const programs: Readonly<Record<string, readonly string[]>> = {
  types: ['typescript/bin/tsc', '-p', '.', '--incremental', '--tsBuildInfoFile', cache('types.json')],
  'unit tests': ['vitest/vitest.mjs', 'run', '--project', 'unit', '--passWithNoTests'],
  'dead code': ['knip/bin/knip.js', '--no-progress'],
  format: [
    ...['prettier/bin/prettier.cjs', '--check', '--log-level=warn'],
    ...['--cache', '--cache-strategy=content', '--cache-location', cache('format.json'), '.'],
  ],
}

interface Outcome {
  readonly name: string
  readonly passed: boolean
  readonly ms: number
  readonly output: string
}

type Check = () => Promise<{ readonly code: number | undefined; readonly output: string }>

async function runProgram([script = '', ...args]: readonly string[]): ReturnType<Check> {
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', join(top, 'node_modules', script), ...args]
  const env = { NO_COLOR: '1', FORCE_COLOR: undefined, NETOPS_QUICK: '1' }
  const { code, stdout, stderr } = await exec(argv, { cwd: top, env })
  return { code, output: `${stdout}${stderr}` }
}

async function runCheck(name: string, check: Check): Promise<Outcome> {
  const begun = performance.now()
  const { code, output } = await check()
  return { name, passed: code === 0, ms: performance.now() - begun, output: output.trim() }
}

async function runAll(): Promise<readonly Outcome[]> {
  const waiting: [string, Check][] = [
    ['lint', () => lint(cache('lint.json'))],
    ...Object.entries(programs).map(([name, argv]): [string, Check] => [name, () => runProgram(argv)]),
  ]
  const outcomes: Outcome[] = []
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) outcomes.push(await runCheck(...next))
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return outcomes
}

const begun = performance.now()
await makeFolder(cache(''))
const outcomes = await runAll()
for (const { name, output } of outcomes.filter(({ passed }) => !passed)) console.log(`--- ${name}\n${output}\n`)
for (const { name, passed, ms } of outcomes) {
  console.log(`${name.padEnd(12)}${passed ? 'passed' : 'FAILED'}  ${formatDuration(ms).padStart(8)}`)
}
console.log(`${'all'.padEnd(12)}${' '.repeat(6)}  ${formatDuration(performance.now() - begun).padStart(8)}`)
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1
