// `npm test`: installs what the real tests need, runs every tier, and ends with the sum as the very last line. `npm run fuzz`
// runs the fuzz tests alone, with many more inputs.
import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, statfs, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism, freemem, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import * as z from 'zod'
import { labPackages } from '../src/lab/machine.ts'
import { messageOf, systemCode } from '../src/model/errors.ts'
import { formatDuration } from '../src/model/units.ts'
import { exec, execText } from '../src/system/exec.ts'
import { readTextIfAny } from '../src/system/files.ts'

const top = join(import.meta.dirname, '..')
const minute = 60_000

// Bounds against hanging, together below the 90 minutes that continuous integration gives a run.
const tiers: Readonly<Record<string, number>> = {
  unit: 5 * minute,
  fuzz: 2 * minute,
  integration: 40 * minute,
  lab: 42 * minute,
}
const enduranceFactor = 10
const usage = 'usage: npm test, npm run endurance, or npm run fuzz'

// `npm run fuzz`: so many inputs a target.
const fuzzRuns = '50000'
const fuzzLimit = 180 * minute

interface Sum {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const database = 'postgresql'
const rsyslog = 'rsyslog'
const monitoring = 'prometheus'
// An S3 server, and what it keeps its tokens in.
const storage = ['swift-proxy', 'swift-account', 'swift-container', 'swift-object', 'memcached']
const packages = [
  ...new Set([
    'acl',
    'attr',
    'openssh-server',
    'openssh-client',
    'procps',
    'sudo',
    'tcsh',
    'tmux',
    'openssl',
    database,
    rsyslog,
    monitoring,
    ...storage,
    'age',
    ...labPackages,
  ]),
]

/** Tests start a PostgreSQL of their own; the package must not leave another one running on its usual port. */
async function keepDatabaseFromStarting(): Promise<void> {
  // pg_createcluster(8): read by the package before it makes and starts its first cluster.
  const folder = '/etc/postgresql-common/createcluster.d'
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'netops-test.conf'), '# Written by npm test of netops.\ncreate_main_cluster = false\n')
}

/** The same for other packages, by systemd's word for a unit that must not be started: masked (systemctl(1)). */
async function keepFromStarting(unit: string): Promise<void> {
  const folder = '/etc/systemd/system'
  await mkdir(folder, { recursive: true })
  await symlink('/dev/null', join(folder, `${unit}.service`)).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error
  })
}

/**
 * Installs the Debian packages that are missing.
 * @returns why some tests cannot run here, if so
 */
async function setUp(): Promise<string | undefined> {
  const system = (await readTextIfAny('/etc/os-release')) ?? ''
  if (!/^ID(?:_LIKE)?=.*\b(?:debian|ubuntu)\b/m.test(system)) return 'this machine runs neither Debian nor Ubuntu'
  if (process.getuid?.() !== 0)
    return 'only root may boot hosts in containers: run npm test as root in a virtual machine'
  const installed = await exec([
    'dpkg-query',
    '--show',
    '--showformat',
    '${Package} ${db:Status-Status}\n',
    ...packages,
  ])
  const present = installed.stdout.split('\n')
  const missing = packages.filter((name) => !present.includes(`${name} installed`))
  if (missing.length === 0) return undefined
  console.log(`installing Debian packages that the tests need: ${missing.join(' ')}`)
  if (missing.includes(database)) await keepDatabaseFromStarting()
  for (const unit of [monitoring, ...storage]) if (missing.includes(unit)) await keepFromStarting(unit)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const apt = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=120']
  await execText([...apt, 'update'], { env, timeoutMs: 5 * minute })
  await execText([...apt, 'install', '--no-install-recommends', ...missing], { env, timeoutMs: 15 * minute })
  // Tests start an rsyslog of their own; on a machine without systemd the package has started none.
  if (missing.includes(rsyslog)) await exec(['systemctl', 'disable', '--now', 'rsyslog.service', 'syslog.socket'])
  return undefined
}

const assertion = z.object({
  status: z.string(),
  fullName: z.string(),
  // Written by test/support/fuzz-setup.ts.
  meta: z
    .object({ fuzz: z.object({ runs: z.number(), seconds: z.number(), peakBytes: z.number() }).optional() })
    .optional(),
})
const jsonReport = z.object({
  success: z.boolean(),
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(assertion) })),
})

/** `  50000 inputs    12.3 s    210 MB  TARGET`: a line for each fuzz test. */
const fuzzTable = (results: z.infer<typeof jsonReport>['testResults']): readonly string[] =>
  results
    .flatMap(({ assertionResults }) => assertionResults)
    .flatMap(({ status, fullName, meta }) => {
      if (meta?.fuzz === undefined) return []
      const { runs, seconds, peakBytes } = meta.fuzz
      const figures = `${String(runs).padStart(7)} inputs ${seconds.toFixed(1).padStart(8)} s ${(peakBytes / 1e6).toFixed(0).padStart(6)} MB`
      return [`${figures}  ${status === 'passed' ? '' : 'FAILED '}${fullName}`]
    })

// What the integration tests hold at once: folders with executables of 130 MB, a few for each worker, and as much again.
const memoryForTemporary = 8e9

/**
 * Temporary files in memory, where there is plenty: a deployment alone waits for the disk a hundred times. That what is written is
 * synchronised is for the lab's tests, whose hosts are on the disk.
 */
async function quickTemporary(): Promise<Readonly<Record<string, string>>> {
  const folder = '/dev/shm'
  const { bavail, bsize } = await statfs(folder).catch(() => ({ bavail: 0, bsize: 0 }))
  if (bavail * bsize < memoryForTemporary || freemem() < 2 * memoryForTemporary) return {}
  // Containers have it without permission to run what lies there.
  const probe = await mkdtemp(join(folder, 'netops-test-'))
  try {
    const program = join(probe, 'program')
    await writeFile(program, '#!/bin/sh\n', { mode: 0o755 })
    return (await exec([program]).catch(() => undefined))?.code === 0 ? { TMPDIR: folder } : {}
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}

// In the environment of whatever a tier starts.
const mark = 'NETOPS_TEST_TIER'

/**
 * Ends what a tier that broke off has left behind: it would take the processors away from the next.
 * @returns how many processes there were
 */
async function killMarked(value: string): Promise<number> {
  let killed = 0
  for (const name of await readdir('/proc')) {
    // A process may end at any time, and be somebody else's.
    const environment = /^\d+$/.test(name) ? await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '') : ''
    if (!environment.split('\0').includes(`${mark}=${value}`)) continue
    try {
      process.kill(Number(name), 'SIGKILL')
      killed += 1
    } catch (error) {
      if (systemCode(error) !== 'ESRCH') throw error
    }
  }
  return killed
}

/** Runs one vitest project, and those that are named after it. Whatever goes wrong besides its tests (a crash, no tests at all) counts as one failed. */
async function runTier(name: string, limit: number, env: Readonly<Record<string, string | undefined>>): Promise<Sum> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-test-'))
  const temporary = name === 'integration' ? await quickTemporary() : {}
  const ended = new Set<string>()
  try {
    const report = join(folder, 'report.json')
    const vitest = [
      join(top, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--project',
      name,
      '--project',
      `${name}-*`,
    ]
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    // A third of the time a file waits: for a service to have been healthy long enough, for a lease to run out.
    const workers = name === 'integration' ? [`--maxWorkers=${Math.ceil(1.5 * availableParallelism())}`] : []
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', ...vitest, ...reporters, ...workers]
    // One stream, so that what vitest prints on either comes out in order and at once.
    const merged = ['sh', '-c', 'exec "$@" 2>&1', 'sh', ...argv]
    const { code } = await exec(merged, {
      cwd: top,
      env: { ...env, ...temporary, [mark]: folder },
      timeoutMs: limit,
      onLine(line) {
        const [, file] = /(\S+\.test\.ts) \(/.exec(line) ?? []
        if (file !== undefined) ended.add(basename(file))
        console.log(line)
      },
    })
    const results = jsonReport.parse(JSON.parse(await readFile(report, 'utf8')))
    const brokenFiles = results.testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
    )
    for (const line of fuzzTable(results.testResults)) console.log(line)
    const failed = results.numFailedTests + brokenFiles.length
    const otherwise = code === 0 && results.success && results.testResults.length > 0 ? 0 : 1
    return {
      passed: results.numPassedTests,
      failed: Math.max(failed, otherwise),
      skipped: results.numPendingTests + results.numTodoTests,
    }
  } catch (thrown) {
    console.log(`tier ${name} broke off: ${messageOf(thrown)}`)
    const files = (await readdir(join(top, 'test', name))).filter((file) => file.endsWith('.test.ts'))
    console.log(`not ended: ${files.filter((file) => !ended.has(file)).join(' ')}`)
    console.log(`processes of it that were still there, and are killed: ${await killMarked(folder)}`)
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const loud = (text: string): string => {
  const line = '!'.repeat(text.length + 8)
  return `${line}\n!!! ${text} !!!\n${line}`
}

const showSum = ({ passed, failed, skipped }: Sum): string => `${passed} passed, ${failed} failed, ${skipped} skipped`

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => !['--endurance', '--fuzz'].includes(arg))
  if (unknown !== undefined) {
    console.error(`unknown argument ${unknown}; ${usage}`)
    return 2
  }
  const [endurance, fuzz] = [args.includes('--endurance'), args.includes('--fuzz')]
  const seed = process.env.NETOPS_FUZZ_SEED ?? process.env.NETOPS_SEED ?? String(randomInt(2 ** 31))
  console.log(`seed ${seed}: the same choices again with NETOPS_SEED=${seed}`)
  const sums: Sum[] = []
  const lines: string[] = []
  const leftOut = await (fuzz ? Promise.resolve(undefined) : setUp()).catch((thrown: unknown) => {
    // The tests then fail or not by themselves; that the set-up failed counts in any case.
    lines.push(loud(`set-up failed: ${messageOf(thrown)}`))
    console.log(lines.at(-1))
    sums.push({ passed: 0, failed: 1, skipped: 0 })
    return undefined
  })
  if (leftOut !== undefined) lines.push(loud(`LEFT OUT: the whole lab tier, because ${leftOut}`))
  if (leftOut !== undefined) console.log(lines.at(-1))

  // vitest writes to a pipe here, and cannot tell by itself whether a terminal is at the end of it.
  const colour = process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1', FORCE_COLOR: undefined }
  const many = fuzz ? { NETOPS_FUZZ_RUNS: process.env.NETOPS_FUZZ_RUNS ?? fuzzRuns } : {}
  const env = { ...colour, NETOPS_SEED: seed, ...(endurance ? { NETOPS_ENDURANCE: '1' } : {}), ...many }
  const chosen = fuzz ? { fuzz: fuzzLimit } : tiers
  for (const [name, limit] of Object.entries(chosen)) {
    if (name === 'lab' && leftOut !== undefined) continue
    console.log(`\n=== ${name}`)
    const begun = performance.now()
    const sum = await runTier(name, limit * (endurance ? enduranceFactor : 1), env)
    sums.push(sum)
    lines.push(`${name.padEnd(12)} ${showSum(sum)}  (${formatDuration(performance.now() - begun)})`)
  }
  const total = (key: keyof Sum): number => sums.reduce((all, sum) => all + sum[key], 0)
  console.log(`\n${lines.join('\n')}`)
  console.log(showSum({ passed: total('passed'), failed: total('failed'), skipped: total('skipped') }))
  return total('failed') === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
