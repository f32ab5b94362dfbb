// npm run demo: the main job on the embedded default, as any user: build, deploy, check, update, roll back, clean up.
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { formatDuration } from '../src/model/units.ts'
import { exec } from '../src/system/exec.ts'
import { httpGet } from '../src/system/http.ts'

const checkout = resolve(import.meta.dirname, '..')
const launcher = join(checkout, 'bin', 'netops')

interface Shown {
  readonly what: string
  readonly seen: string
  readonly ms: number
}

/** Runs netops for the demo: prints the command as a person would type it, and stops the demo when it fails. */
async function netops(...words: string[]): Promise<void> {
  console.log(`\n$ bin/netops ${words.map((word) => word.replace(`${checkout}/`, '')).join(' ')}`)
  const result = await exec([launcher, ...words], { cwd: checkout, timeoutMs: 170_000 })
  process.stdout.write(result.stderr + result.stdout)
  if (result.code !== 0) throw new Error(`netops ${words[0] ?? ''} exited with ${result.code}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

/** The processes whose executable lies below a folder, by /proc. */
async function runningBelow(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  // Processes of other users, and those that end meanwhile, cannot be read: they are not ours.
  const executables = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/exe`).catch(() => '')))
  return pids.filter((_, index) => executables[index]?.startsWith(`${folder}/`))
}

async function demo(): Promise<readonly Shown[]> {
  const shown: Shown[] = []
  const folder = await mkdtemp(join(tmpdir(), 'netops-demo-'))
  const root = join(folder, 'site')
  const config = join(folder, 'config.yaml')
  const port = await freePort()
  const example = await readFile(join(checkout, 'examples', 'config.yaml'), 'utf8')
  await writeFile(config, example.replace('8080', String(port)).replace('9090', String(await freePort())))
  const ready = async (): Promise<string> => {
    const answer = await httpGet(`http://127.0.0.1:${port}/health/ready`, 5000)
    if (answer.status !== 200) throw new Error(`/health/ready answers ${answer.status}`)
    return `release ${answer.headers['x-release'] ?? 'unknown'} is ready`
  }
  const scene = async (what: string, work: () => Promise<string>): Promise<void> => {
    const begun = performance.now()
    const seen = await work()
    shown.push({ what, seen, ms: performance.now() - begun })
  }
  const second = join(folder, 'second')
  const quick = ['--root', root, '--min-healthy-time', '2s']
  try {
    await scene('build netops and network_server 1.0.0', async () => {
      await netops('build')
      return 'single executables in build/'
    })
    await scene('build network_server 1.1.0', async () => {
      await netops('build', 'network_server', '--set-version', '1.1.0', '--out', second)
      return 'a second version'
    })
    await scene('deploy 1.0.0', async () => {
      await netops('deploy', ...quick, '--config', config)
      return ready()
    })
    await scene('check health over HTTP', async () => {
      const answer = await httpGet(`http://127.0.0.1:${port}/health`, 5000)
      console.log(`\n$ curl http://127.0.0.1:${port}/health\n${answer.body}`)
      await netops('health', '--root', root)
      return `/health answers ${answer.status}`
    })
    await scene('deploy 1.1.0', async () => {
      await netops('deploy', ...quick, '--release', join(second, 'network_server'))
      return ready()
    })
    await scene('roll back', async () => {
      await netops('rollback', ...quick)
      return ready()
    })
    await scene('stop', async () => {
      await netops('status', '--root', root)
      await netops('service', 'stop', '--root', root)
      const left = await runningBelow(root)
      if (left.length > 0) throw new Error(`processes are left: ${left.join(', ')}`)
      return 'no process is left'
    })
  } finally {
    // Also after a failure nothing keeps running; where nothing was deployed there is nothing to stop.
    await exec([launcher, 'service', 'stop', '--root', root], { timeoutMs: 60_000 })
    await rm(folder, { recursive: true, force: true })
  }
  return shown
}

const begun = performance.now()
try {
  const shown = await demo()
  console.log('\nSummary')
  for (const { what, seen, ms } of shown)
    console.log(`  ${what.padEnd(40)} ${formatDuration(ms).padStart(8)}   ${seen}`)
  console.log(`  ${'in all'.padEnd(40)} ${formatDuration(performance.now() - begun).padStart(8)}`)
} catch (error) {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
