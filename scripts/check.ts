// `npm run check`: types, lint, format, dead code and the fast tests, in under a minute; says which failed and why.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { formatDuration } from '../src/model/units.ts'
import { exec } from '../src/system/exec.ts'

const top = join(import.meta.dirname, '..')

// What did not change since the last time is not looked at again, where that is safe: what lint says of a file hangs on the
// types of others.
const cache = (name: string): string => join(top, 'node_modules', '.cache', 'netops-check', name)

// Slowest first, so that the last ones to run are short.
const checks: Readonly<Record<string, readonly string[]>> = {
  lint: ['eslint/bin/eslint.js', '--max-warnings=0', '.'],
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

async function runCheck(name: string, [script = '', ...args]: readonly string[]): Promise<Outcome> {
  const begun = performance.now()
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', join(top, 'node_modules', script), ...args]
  const { code, stdout, stderr } = await exec(argv, {
    cwd: top,
    env: { NO_COLOR: '1', FORCE_COLOR: undefined, NETOPS_QUICK: '1' },
  })
  return { name, passed: code === 0, ms: performance.now() - begun, output: `${stdout}${stderr}`.trim() }
}

async function runAll(): Promise<readonly Outcome[]> {
  const waiting = Object.entries(checks)
  const outcomes: Outcome[] = []
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) outcomes.push(await runCheck(...next))
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return outcomes
}

const begun = performance.now()
const outcomes = await runAll()
for (const { name, output } of outcomes.filter(({ passed }) => !passed)) console.log(`--- ${name}\n${output}\n`)
for (const { name, passed, ms } of outcomes) {
  console.log(`${name.padEnd(12)}${passed ? 'passed' : 'FAILED'}  ${formatDuration(ms).padStart(8)}`)
}
console.log(`${'all'.padEnd(12)}${' '.repeat(6)}  ${formatDuration(performance.now() - begun).padStart(8)}`)
process.exitCode = outcomes.every(({ passed }) => passed) ? 0 : 1
