// Building executables as a user does it: what comes out, that it is the same each time, and what a failure leaves behind.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { contextFor } from '../support/context.ts'
import { planBuild, runBuild } from '../../src/build/build.ts'
import { bundle } from '../../src/build/bundle.ts'
import { ownCheckout } from '../../src/build/checkout.ts'
import { build as buildCommand } from '../../src/cli/commands/build.ts'
import { buildManifest, type ExecutableName } from '../../src/model/manifest.ts'
import { exec, execText } from '../../src/system/exec.ts'
import { sha256OfFile } from '../../src/system/files.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-build-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

const options = (signal = new AbortController().signal) => ({ signal, progress: () => undefined })

const build = async (checkout: string, names: readonly ExecutableName[], out: string, version?: string) =>
  runBuild(await planBuild({ checkout, names, out, version }), options())

const manifestIn = async (out: string) =>
  buildManifest.parse(JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'))).executables

/** A checkout with little sources of its own and the libraries of this one. */
async function smallCheckout(name: string, main: string): Promise<string> {
  const checkout = join(folder, name)
  await mkdir(join(checkout, 'src', 'cli'), { recursive: true })
  for (const part of ['server', 'archive']) {
    await mkdir(join(checkout, 'src', part, 'threads'), { recursive: true })
    await writeFile(join(checkout, 'src', part, 'threads', 'entry.ts'), 'export const nothing = undefined\n')
  }
  await writeFile(join(checkout, 'src', 'server', 'main.ts'), main)
  await writeFile(join(checkout, 'src', 'cli', 'main.ts'), main)
  await writeFile(join(checkout, 'src', 'heavy.ts'), "console.log('heavy')\nexport const heavy: string = 'used'\n")
  await cp(join(ownCheckout, 'package.json'), join(checkout, 'package.json'))
  await symlink(join(ownCheckout, 'node_modules'), join(checkout, 'node_modules'))
  return checkout
}

const littleMain = `
declare const __NETOPS_NAME__: string, __NETOPS_VERSION__: string, __NETOPS_COMMIT__: string
if (process.argv[2] === '--version') console.log(__NETOPS_NAME__ + ' ' + __NETOPS_VERSION__ + ' (' + __NETOPS_COMMIT__ + ')')
else if (process.argv[2] === 'place') console.log(import.meta.url, import.meta.dirname)
else void import('../heavy.ts').then(({ heavy }) => console.log(heavy))
`

/** A clone of what the checkout tracks now, committed, with the libraries of this one. */
async function cloneOf(checkout: string, name: string): Promise<string> {
  const clone = join(folder, name)
  await execText(['git', 'clone', '--quiet', checkout, clone])
  await symlink(join(ownCheckout, 'node_modules'), join(clone, 'node_modules'))
  return clone
}

async function committed(checkout: string): Promise<string> {
  const git = ['git', '-C', checkout, '-c', 'user.name=Test', '-c', 'user.email=test@example.com']
  await execText([...git, 'init', '--quiet'])
  await writeFile(join(checkout, '.gitignore'), 'node_modules\n')
  await execText([...git, 'add', '.'])
  await execText([...git, '-c', 'commit.gpgsign=false', 'commit', '--quiet', '-m', 'All'])
  return (await execText([...git, 'rev-parse', 'HEAD'])).trim()
}

test('both executables print their version, and the manifest tells their size, hash, commit and Node', async () => {
  const { netops, server1, server2 } = inject('builds')
  for (const [file, name, version] of [
    [netops, 'netops', '1.1.0'],
    [server1, 'network_server', '1.0.0'],
    [server2, 'network_server', '1.1.0'],
  ] as const) {
    const [entry] = await manifestIn(join(file, '..'))
    const printed = await execText([file, '--version'])
    expect(printed).toContain(version)
    expect(printed).toContain(entry?.commit)
    const { byteLength } = await readFile(file)
    expect(entry).toMatchObject({ name, version, platform: `${process.platform}-${process.arch}`, node: '24.21.0' })
    expect(entry).toMatchObject({ size: byteLength, sha256: await sha256OfFile(file) })
  }
})

test.each([
  [
    'src/cli/main.ts',
    ['commander', 'execa', 'ssh2', 'fastify', 'pino', 'ora', 'chalk', 'js-yaml', 'esbuild', 'postject'],
  ],
  ['src/server/main.ts', ['fastify', 'pino', 'prom-client', 'js-yaml']],
])('%s loads none of the heavy libraries to print its version', async (entry, heavy) => {
  const { eager, warnings } = await bundle({ checkout: ownCheckout, entry, facts: {} })
  const loaded = heavy.filter((library) => eager.some((file) => file.startsWith(`node_modules/${library}/`)))
  expect(loaded).toEqual([])
  expect(eager).toContain(entry)
  expect(warnings).toEqual([])
})

test('the same commit gives the same bytes in another folder and in another clone, and no folder name is in them', async () => {
  const origin = await smallCheckout('origin', littleMain)
  const commit = await committed(origin)
  const clone = await cloneOf(origin, 'second-clone')
  const [here] = (await build(origin, ['network_server'], join(folder, 'out-1'))).executables
  const [again] = (await build(origin, ['network_server'], join(folder, 'deeper', 'out-2'))).executables
  const [there] = (await build(clone, ['network_server'], join(folder, 'out-3'))).executables
  expect(here?.commit).toBe(commit)
  expect(again).toEqual(here)
  expect(there).toEqual(here)
  const bytes = await readFile(join(folder, 'out-3', 'network_server'))
  for (const path of [folder, ownCheckout]) expect(bytes.includes(path)).toBe(false)
})

test('the real server is the same bytes when built in two output folders at different times', async () => {
  const first = inject('builds').server1
  const [again] = (await build(ownCheckout, ['network_server'], join(folder, 'real'), '1.0.0')).executables
  expect((await manifestIn(join(first, '..')))[0]).toEqual(again)
})

test('a lazily imported module is evaluated only when it is used, and a module finds its place', async () => {
  const out = join(folder, 'out-lazy')
  await build(await smallCheckout('lazy', littleMain), ['netops'], out, '2.0.0-rc.1')
  const file = join(out, 'netops')
  expect(await execText([file, '--version'])).toBe('netops 2.0.0-rc.1 (unknown)\n')
  expect(await execText([file])).toBe('heavy\nused\n')
  expect(await execText([file, 'place'])).toBe(`file://${file} ${out}\n`)
})

test('building one executable keeps the other one and its entry in the manifest', async () => {
  const checkout = await smallCheckout('one', littleMain)
  const out = join(folder, 'out-one')
  await build(checkout, ['network_server', 'netops'], out, '1.0.0')
  await build(checkout, ['network_server'], out, '1.1.0')
  expect((await manifestIn(out)).map(({ name, version }) => [name, version])).toEqual([
    ['netops', '1.0.0'],
    ['network_server', '1.1.0'],
  ])
  expect(await readdir(out)).toEqual(['manifest.json', 'netops', 'network_server'])
})

test('uncommitted changes to tracked files are told in the commit', async () => {
  const checkout = await smallCheckout('dirty', littleMain)
  const commit = await committed(checkout)
  const planned = async () => (await planBuild({ checkout, names: ['netops'], out: folder })).executables[0]?.commit
  await writeFile(join(checkout, 'untracked'), '')
  expect(await planned()).toBe(commit)
  await writeFile(join(checkout, 'src', 'heavy.ts'), 'export const heavy = 1\n')
  expect(await planned()).toBe(`${commit}-dirty`)
})

test('what cannot be bundled is told with file, line and column, and the folder stays as it was', async () => {
  const checkout = await smallCheckout('broken', "const ok = 1\nimport './missing.ts'\nconsole.log(ok)\n")
  const out = join(folder, 'out-broken')
  await mkdir(out)
  await writeFile(join(out, 'netops'), 'the old one')
  await expect(build(checkout, ['netops'], out)).rejects.toMatchObject({
    code: 'failed',
    message: expect.stringMatching(/src\/cli\/main\.ts:2:8: .*missing\.ts/) as string,
  })
  expect(await readdir(out)).toEqual(['netops'])
  expect(await readFile(join(out, 'netops'), 'utf8')).toBe('the old one')
})

test('an executable that does not print its version is not put in place, nor is its sibling', async () => {
  const checkout = await smallCheckout('mute', littleMain)
  await writeFile(join(checkout, 'src', 'cli', 'main.ts'), "console.log('netops 9.9.9')\n")
  const out = join(folder, 'out-mute')
  await expect(build(checkout, ['network_server', 'netops'], out, '1.0.0')).rejects.toMatchObject({
    code: 'failed',
    message: expect.stringContaining('does not print version 1.0.0') as string,
  })
  expect(await readdir(out)).toEqual([])
})

test('an interrupted build leaves nothing behind', async () => {
  const checkout = await smallCheckout('stopped', littleMain)
  const out = join(folder, 'out-stopped')
  const plan = await planBuild({ checkout, names: ['netops'], out })
  const stop = new AbortController()
  const running = runBuild(plan, options(stop.signal))
  const copying = async () =>
    (await readdir(out, { recursive: true }).catch(() => [])).some((name) => name.endsWith('/netops'))
  await expect.poll(copying, { timeout: 20_000, interval: 5 }).toBe(true)
  stop.abort()
  await expect(running).rejects.toMatchObject({ code: 'interrupted' })
  expect(await readdir(out)).toEqual([])
})

test('without the pinned Node it says how to get it', async () => {
  const checkout = await smallCheckout('bare', littleMain)
  await rm(join(checkout, 'node_modules'))
  await expect(build(checkout, ['netops'], join(folder, 'out-bare'))).rejects.toMatchObject({
    code: 'failed',
    message: expect.stringContaining('the pinned Node 24.21.0 is not at') as string,
    hint: expect.stringContaining('npm ci') as string,
  })
})

// A file system of its own size needs root to mount.
test.skipIf(process.getuid?.() !== 0)('a disk that is too small is told before anything is written', async () => {
  const checkout = await smallCheckout('full', littleMain)
  const out = join(folder, 'out-full')
  await mkdir(out)
  await execText(['mount', '-t', 'tmpfs', '-o', 'size=100m', 'tmpfs', out])
  try {
    await expect(build(checkout, ['netops'], out)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/104\.9 MB free, the build needs .* nothing was written/) as string,
    })
    expect(await readdir(out)).toEqual([])
  } finally {
    await execText(['umount', out])
  }
})

test('a write that fails half way leaves the folder as it was', async () => {
  const checkout = await smallCheckout('limit', littleMain)
  const out = join(folder, 'out-limit')
  await mkdir(out)
  const script = join(folder, 'limited.ts')
  await writeFile(
    script,
    `import { planBuild, runBuild } from '${join(ownCheckout, 'src/build/build.ts')}'
process.on('SIGXFSZ', () => {}) // so that writing too much is an error, and not the end
const plan = await planBuild({ checkout: process.argv[2]!, names: ['netops'], out: process.argv[3]! })
await runBuild(plan, { signal: new AbortController().signal, progress: () => {} }).catch((e) => {
  console.log(e.code, e.message)
  process.exitCode = e.exit
})`,
  )
  // In blocks of 512 bytes: no file over 5 MB.
  const limited = 'ulimit -f 10000; exec "$@"'
  const result = await exec(['sh', '-c', limited, 'sh', process.execPath, script, checkout, out])
  expect(result.stdout).toMatch(/^failed cannot write to /)
  expect(result.code).toBe(1)
  expect(await readdir(out)).toEqual([])
})

const context = (cwd: string) => contextFor({ cwd, json: true })

test('a dry run tells what would be built, and writes nothing', async () => {
  const cwd = join(folder, 'dry')
  await mkdir(cwd)
  const invocation = { args: ['network_server'], options: { dryRun: true, setVersion: '3.2.1' } }
  const result = await buildCommand.run(invocation, context(cwd))
  expect(result.outcome).toBe('done')
  expect(result.text).toContain('network_server 3.2.1 of commit ')
  expect(result.text).toContain(`put it in place as ${join(cwd, 'build', 'network_server')}`)
  expect(result.text).not.toContain('netops 3.2.1')
  expect(await readdir(cwd)).toEqual([])
})

test.each([
  [['network-server'], {}, 'there is no executable called network-server'],
  [[], { setVersion: '1.1' }, '--set-version: expected a semantic version'],
])('it refuses %j with %j as bad usage', async (args, given, message) => {
  await expect(buildCommand.run({ args, options: given }, context(folder))).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining(message) as string,
  })
})

test('a built netops refuses to build, because it has no sources', async () => {
  const { code, stdout, stderr } = await exec([inject('builds').netops, 'build'], { cwd: folder })
  expect(code).toBe(7)
  expect(`${stdout}${stderr}`).toContain('in a checkout of the project')
})
