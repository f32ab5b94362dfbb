// netops exec against real SSH servers on this machine, and below a root.
import { existsSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { exec, execText, start } from '../../src/system/exec.ts'
import { readTextIfAny } from '../../src/system/files.ts'
import { identify } from '../../src/system/processes.ts'
import { until } from '../support/fleet.ts'
import { startSshFleet, type SshFleet } from '../support/ssh-fleet.ts'
import { inTerminal } from '../support/tmux.ts'

let fleet: SshFleet
beforeAll(async () => {
  fleet = await startSshFleet(['web1', 'database2'])
})
afterAll(() => fleet.stop())

const both = ['--hosts', 'web1,database2']
const words = (...more: readonly string[]): string[] => [
  ...[inject('builds').netops, 'exec', '--inventory', fleet.inventory],
  ...more,
]
const netops = (...more: readonly string[]) => exec(words(...more), { timeoutMs: 50_000 })
const sorted = (text: string): string[] => text.trimEnd().split('\n').sort()

interface Document {
  readonly outcome: string
  readonly hosts: readonly {
    readonly host: string
    readonly code: number | null
    readonly stdout: string
    readonly stderr: string
    readonly ms: number
    readonly error?: { readonly code: string }
  }[]
}

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-exec-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** netops in the background, its output in files; ended at the latest with the test. */
async function inBackground(...more: readonly string[]) {
  const output = join(await scratch(), 'said')
  const { pid, ended } = await start(words(...more), { output })
  let over = false
  void ended.then(() => (over = true))
  onTestFinished(() => {
    if (!over) process.kill(pid, 'SIGKILL')
  })
  return { pid, ended, said: async () => (await readTextIfAny(output)) ?? '' }
}

test('a command runs on every host, its lines with their names; what it complains of goes to standard error', async () => {
  const result = await netops(...both, '--', 'sh', '-c', 'echo "one  $0"; echo two >&2', 'a  b')
  expect(result.code).toBe(0)
  expect(sorted(result.stdout)).toEqual(['database2 | one  a  b', 'web1      | one  a  b'])
  expect(sorted(result.stderr)).toEqual(['database2 | two', 'web1      | two'])
})

test('where it fails is told in a line, where a host is lost too; the exit code is the first by the documented order', async () => {
  const script = `echo here; case $SSH_CONNECTION in ${fleet.on('database2')}) exit 3;; esac`
  const failed = await netops(...both, '--', 'sh', '-c', script)
  expect([failed.code, failed.stderr]).toEqual([1, 'database2: exited with 3\n'])
  const lost = await netops('--', 'sh', '-c', script)
  expect(lost.code).toBe(4)
  expect(lost.stderr).toMatch(/^database2: exited with 3\nlost: cannot reach .*\n {2}hint: try: ssh /)
  expect(sorted(lost.stdout)).toEqual(['database2 | here', 'web1      | here'])
})

test('with --json it is one document', async () => {
  const script = `printf out; echo err >&2; case $SSH_CONNECTION in ${fleet.on('database2')}) exit 3;; esac`
  const { code, stdout, stderr } = await netops('--json', '--', 'sh', '-c', script)
  const document = JSON.parse(stdout) as Document
  expect([code, stderr, document.outcome]).toEqual([4, '', 'unreachable'])
  expect(document.hosts).toEqual([
    { host: 'web1', code: 0, stdout: 'out', stderr: 'err\n', ms: expect.any(Number) as number },
    { host: 'database2', code: 3, stdout: 'out', stderr: 'err\n', ms: expect.any(Number) as number },
    expect.objectContaining({
      host: 'lost',
      code: null,
      error: expect.objectContaining({ code: 'unreachable' }) as unknown,
    }),
  ])
})

test('lines come while the command still runs', async () => {
  const gate = join(await scratch(), 'gate')
  const script = 'echo first; while [ ! -e "$0" ]; do sleep 0.1; done; echo second'
  const { ended, said } = await inBackground('--hosts', 'web1', '--', 'sh', '-c', script, gate)
  await until(async () => (await said()) === 'web1 | first\n')
  await writeFile(gate, '')
  expect(await ended).toBe(0)
  expect(await said()).toBe('web1 | first\nweb1 | second\n')
})

test('--grouped keeps what a host says together', async () => {
  const script = 'for i in 1 2 3 4 5; do echo $i; sleep 0.1; done'
  const { stdout } = await netops(...both, '--grouped', '--', 'sh', '-c', script)
  const names = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ')[0])
  expect([new Set(names.slice(0, 5)).size, new Set(names.slice(5)).size, names.length]).toEqual([1, 1, 10])
})

test('of a big output 8 MiB are kept and the rest is counted; streamed, all of it comes', async () => {
  const big = ['--hosts', 'web1', '--', 'sh', '-c', 'head -c 20000000 /dev/zero | tr "\\0" x']
  const { stdout } = await netops('--json', ...big)
  const kept = (JSON.parse(stdout) as Document).hosts[0]?.stdout ?? ''
  expect([kept.length, kept.slice(-23)]).toEqual([8 * 2 ** 20 + 23, `\n(${20_000_000 - 8 * 2 ** 20} more bytes)\n`])
  const streamed = await netops(...big)
  expect(streamed.stdout.replaceAll(/^web1 \| |\n/gm, '').length).toBe(20_000_000)
})

test('bytes pass through a pipe unchanged, and standard input reaches every host as it is', async () => {
  const bytes = Buffer.from([0, 255, 27, 13, 10, 128])
  const file = join(await scratch(), 'bytes')
  await writeFile(file, bytes)
  const { stdout } = await exec([...words(...both, '--stdin', '--', 'od', '-An', '-tx1')], { stdin: { file } })
  expect(sorted(stdout)).toEqual(['database2 |  00 ff 1b 0d 0a 80', 'web1      |  00 ff 1b 0d 0a 80'])
  const raw: Uint8Array[] = []
  const onOutput = (some: Uint8Array): void => void raw.push(Uint8Array.from(some))
  await exec(words('--hosts', 'web1', '--', 'cat', file), { onOutput })
  expect(Buffer.concat(raw).toString('latin1')).toBe('web1 | \0\xff\x1b\r\nweb1 | \x80\n')
})

test('Ctrl-C ends the command on the hosts too, with exit 130', async () => {
  const { pid, ended, said } = await inBackground(...both, '--', 'sh', '-c', 'echo "pid $$"; sleep 60; echo after')
  const pids = await until(async () => {
    const found = [...(await said()).matchAll(/pid (\d+)/g)].map((match) => Number(match[1]))
    return found.length === 2 && found
  })
  process.kill(pid, 'SIGINT')
  expect(await ended).toBe(130)
  expect(await said()).toContain('stopped: on 2 of 2 hosts the command did not run to its end')
  for (const one of pids) expect(await identify(one)).toBeUndefined()
})

test('--timeout ends it on the host', async () => {
  const { code, stdout, stderr } = await netops(
    '--hosts',
    'web1',
    '--timeout',
    '1s',
    '--',
    'sh',
    '-c',
    'echo $$; sleep 60',
  )
  expect([code, stderr]).toEqual([1, 'web1: sh did not end within 1000 ms\n'])
  expect(await identify(Number(stdout.split(' | ')[1]))).toBeUndefined()
})

describe('a reader that leaves', () => {
  test.each([
    ['while lines come', 'echo $$; exec yes'],
    ['while nothing comes', 'echo $$; sleep 60'],
  ])('%s ends the command at once, on the hosts too, and nothing is told', async (_, script) => {
    const piped = '{ "$@"; echo "rc $?" >&2; } | head -n 1'
    const argv = ['sh', '-c', piped, 'sh', ...words('--hosts', 'web1', '--', 'sh', '-c', script)]
    const { stdout, stderr } = await exec(argv, { timeoutMs: 20_000 })
    expect(stderr).toBe('rc 130\n')
    expect(await identify(Number(stdout.split(' | ')[1]))).toBeUndefined()
  })
})

describe('a command that leaves a process which holds its output open', () => {
  const script = 'sleep 60 & echo "left $!"'
  const leftBy = (stdout: string): number => {
    const pid = Number(/left (\d+)/.exec(stdout)?.[1])
    onTestFinished(() => void process.kill(pid))
    return pid
  }
  const note = 'its output is still held open by a process it left; not waited for\n'

  test('is over when it exits, with what it printed, and that is told', async () => {
    const { code, stdout, stderr } = await exec(words('--hosts', 'web1', '--', 'sh', '-c', script), {
      timeoutMs: 20_000,
    })
    expect([code, stderr]).toEqual([0, `web1: ${note}`])
    expect(await identify(leftBy(stdout))).toBeDefined()
  })

  test('is told so in the document, and below a root', async () => {
    const argv = [inject('builds').netops, 'exec', '--root', await scratch()]
    const { stdout } = await exec([...argv, '--json', '--', 'sh', '-c', script], { timeoutMs: 20_000 })
    const [host] = (JSON.parse(stdout) as Document).hosts
    leftBy(host?.stdout ?? '')
    expect(host).toMatchObject({ code: 0, leftOpen: true })
  })

  test('loses nothing of what it printed before, however slowly that is read', async () => {
    const slow = '"$@" | { sleep 3; tr -c -d "\\0" | wc -c; }'
    const print = 'head -c 3000000 /dev/zero; sleep 5 &'
    const argv = words('--hosts', 'web1', '--', 'sh', '-c', print)
    const { stdout } = await exec(['sh', '-c', slow, 'sh', ...argv], { timeoutMs: 20_000 })
    expect(Number(stdout)).toBe(3_000_000)
  })
})

describe('--input', () => {
  test('gives every host the whole of a file', async () => {
    const file = join(await scratch(), 'big')
    await execText(['sh', '-c', 'head -c 20000000 /dev/urandom > "$0"', file])
    const [sum] = (await execText(['sha256sum', file])).split(' ')
    const { stdout } = await netops(...both, '--input', file, '--', 'sha256sum')
    expect(sorted(stdout)).toEqual([`database2 | ${sum ?? ''}  -`, `web1      | ${sum ?? ''}  -`])
  })

  test.each([
    ['standard input', '--input -', 'printf once | "$@"'],
    ['what another command prints', '--input /dev/fd/3', 'printf once | "$@" 3<&0'],
  ])('gives every host the whole of %s, of which no file is left', async (_, option, shell) => {
    const folder = await scratch()
    const argv = words(...both, ...option.split(' '), '--', 'sh', '-c', 'cat; ls -A "$0"', folder)
    const { stdout } = await exec(['sh', '-c', shell, 'sh', ...argv], { env: { TMPDIR: folder } })
    expect(sorted(stdout)).toEqual(['database2 | once', 'web1      | once'])
  })

  test('names a file that cannot be read, and begins nothing', async () => {
    const marker = join(await scratch(), 'marker')
    const { code, stderr } = await netops(...both, '--input', '/no/such', '--', 'touch', marker)
    expect([code, stderr, existsSync(marker)]).toEqual([2, expect.stringContaining('--input /no/such: ENOENT'), false])
  })

  test('is asked for: without it a command has no input, whatever is piped to netops', async () => {
    const { code, stdout } = await exec(words('--hosts', 'web1', '--', 'cat'), { stdin: { text: 'unheard' } })
    expect([code, stdout]).toEqual([0, ''])
    const help = (await netops('--help')).stdout.replaceAll(/\s+/g, ' ')
    expect(help).toContain('without it the command has none, whatever is piped to netops')
  })
})

/** Has a host answer to every login with something else than the command that was asked for. */
async function forced(host: string, command: string): Promise<void> {
  const config = join(fleet.folder, host, 'sshd_config')
  const before = await readFile(config, 'utf8')
  await writeFile(config, `${before}ForceCommand ${command}\n`)
  await fleet.hosts[host]?.restart()
  onTestFinished(async () => {
    await writeFile(config, before)
    await fleet.hosts[host]?.restart()
  })
}

describe('a hook of the fleet file', () => {
  async function withHook(script: string): Promise<string> {
    const place = await scratch()
    await writeFile(
      join(place, 'netops.yml'),
      `${await readFile(fleet.inventory, 'utf8')}hooks: { pre_gc: [sh, -c, '${script}'] }\n`,
    )
    return place
  }
  const gc = (place: string) =>
    start(
      [
        ...['env', `NETOPS_STATE_DIR=${place}/state`, inject('builds').netops, 'gc', '--older-than', '90d'],
        ...['--inventory', join(place, 'netops.yml'), '--hosts', 'database2'],
      ],
      { output: join(place, 'said') },
    )

  test('runs in the folder of that file, as its other commands do', async () => {
    const place = await withHook('pwd > seen; exit 1')
    const { ended } = await gc(place)
    expect(await ended).not.toBe(0)
    expect(await readTextIfAny(join(place, 'seen'))).toBe(`${place}\n`)
  })

  test('is not run after Ctrl-C while hosts are connected to, and no run is left', async () => {
    const place = await withHook(`touch ran; exit 1`)
    await forced('database2', `sh -c 'touch ${place}/reached; sleep 600'`)
    const { pid, ended } = await gc(place)
    await until(() => Promise.resolve(existsSync(join(place, 'reached'))))
    const begun = performance.now()
    process.kill(pid, 'SIGINT')
    expect(await ended).toBe(130)
    expect(performance.now() - begun).toBeLessThan(6000)
    expect([existsSync(join(place, 'ran')), existsSync(join(place, 'state', 'runs'))]).toEqual([false, false])
  })
})

test.runIf(process.getuid?.() === 0)(
  'an account without a name and a home looks at hosts, and is told what runs need',
  async () => {
    const place = await scratch()
    await execText(['chmod', '0755', place])
    // The folder of the builds is closed to others.
    await execText(['cp', inject('builds').netops, join(place, 'netops')])
    await writeFile(join(place, 'netops.yml'), 'hosts: { web1: { address: 127.0.0.1, port: 1 } }\n')
    const nobody = [
      'setpriv',
      '--reuid=54321',
      '--regid=54321',
      '--clear-groups',
      'env',
      '--unset=HOME',
      join(place, 'netops'),
    ]
    const run = (...more: string[]) => exec([...nobody, ...more], { cwd: place, timeoutMs: 30_000 })
    expect((await run('inventory', 'list')).code).toBe(0)
    expect(await run('status')).toMatchObject({ code: 4, stderr: expect.not.stringContaining('defect') as unknown })
    const { code, stderr } = await run('runs', 'list')
    expect([code, stderr]).toEqual([2, expect.stringContaining('NETOPS_STATE_DIR')])
  },
)

describe('where a login shell hangs', () => {
  test.each([
    ['inventory check', 'SIGTERM', []],
    ['status', 'SIGINT', []],
    ['preflight', 'SIGHUP', []],
    ['logs', 'SIGTERM', ['-f']],
    ['exec', 'SIGTERM', ['--', 'true']],
  ] as const)('netops %s ends at %s, whatever it waits for', async (command, signal, more) => {
    const marker = join(await scratch(), 'marker')
    await forced('database2', `sh -c 'touch ${marker}; sleep 600'`)
    const argv = [inject('builds').netops, ...command.split(' '), '--inventory', fleet.inventory]
    const output = join(await scratch(), 'said')
    const { pid, ended } = await start([...argv, '--hosts', 'database2', ...more], { output })
    await until(() => Promise.resolve(existsSync(marker)))
    const begun = performance.now()
    process.kill(pid, signal)
    expect(await ended).toBe(130)
    expect(performance.now() - begun).toBeLessThan(6000)
  })

  test('a terminal that says that it has no columns is no reason to draw for ever', async () => {
    await forced('database2', 'sleep 3')
    const argv = [inject('builds').netops, 'inventory', 'check', '--inventory', fleet.inventory, '--hosts', 'database2']
    const line = ['stty', 'cols', '0', 'rows', '0', '&&', ...argv].join(' ')
    const { code } = await exec(['script', '--quiet', '--return', '--command', line, '/dev/null'], {
      env: { TERM: 'xterm', NO_COLOR: undefined },
      timeoutMs: 20_000,
    })
    expect(code).toBe(4)
  })

  test('a terminal at which somebody is asked is left as it was', async () => {
    const identity = join(await scratch(), 'locked')
    await execText(['ssh-keygen', '-q', '-t', 'ed25519', '-N', 'secret', '-f', identity])
    const inventory = await otherFleet('identity', identity)
    const argv = words('--hosts', 'web1', '--inventory', inventory, '--', 'true')
    const terminal = await inTerminal(['sh', '-c', '"$@"; stty -a', 'sh', ...argv], { SSH_AUTH_SOCK: undefined })
    await terminal.shows(/^Passphrase of/m)
    const [asking] = (await execText(['pgrep', '--full', `^${inject('builds').netops}.*${inventory}`])).split('\n')
    process.kill(Number(asking), 'SIGHUP')
    expect(await terminal.shows(/^exit 0$/m)).toMatch(/ icanon .* echo /s)
  })
})

test('on a terminal names have colours, and what a host says commands nothing', async () => {
  const script = 'printf "\\033[2J\\033[31mred\\033]0;title\\007\\n"'
  const terminal = await inTerminal(words('--hosts', 'web1', '--', 'sh', '-c', script), {})
  expect(await terminal.shows(/^exit 0$/m)).toBe('web1 | \\x1b[2J\\x1b[31mred\\x1b]0;title\\x07\nexit 0')
})

/** The fleet file with another key to log in with, or another file of known hosts. */
async function otherFleet(what: 'identity' | 'known_hosts', path: string): Promise<string> {
  const file = join(await scratch(), 'netops.yml')
  const text = await readFile(fleet.inventory, 'utf8')
  await writeFile(file, text.replace(new RegExp(`${what}: [^,} ]+`), `${what}: ${path}`))
  return file
}

test('a passphrase is asked for once at a terminal, for all hosts, and never shown', async () => {
  const identity = join(await scratch(), 'locked')
  await execText(['ssh-keygen', '-q', '-t', 'ed25519', '-N', 'opensesame', '-f', identity])
  for (const host of ['web1', 'database2'])
    await appendFile(join(fleet.folder, host, 'authorized_keys'), await readFile(`${identity}.pub`))
  const inventory = await otherFleet('identity', identity)
  const env = { SSH_AUTH_SOCK: undefined }
  const terminal = await inTerminal(words(...both, '--inventory', inventory, '--', 'echo', 'here'), env)
  await terminal.shows(/^Passphrase of \S+locked:$/m)
  await terminal.type('opensesame')
  await terminal.type('Enter')
  const shown = await terminal.shows(/^exit 0$/m)
  expect(shown.match(/Passphrase of/g)).toHaveLength(1)
  expect(shown).toContain('web1      | here')
  expect(shown).toContain('database2 | here')
  expect(shown).not.toContain('sesame')
})

test('--accept-new-host-key writes down the key of a host that is new, which is refused without it', async () => {
  const known = join(await scratch(), 'known_hosts')
  const inventory = await otherFleet('known_hosts', known)
  const ask = (...more: readonly string[]) => netops('--hosts', 'web1', '--inventory', inventory, ...more, '--', 'true')
  const refused = await ask()
  expect([refused.code, refused.stderr]).toEqual([7, expect.stringContaining('--accept-new-host-key pins it')])
  const accepted = await ask('--accept-new-host-key')
  expect([accepted.code, accepted.stderr]).toEqual([0, expect.stringContaining(`is new; it is in ${known}`)])
  expect((await ask()).code).toBe(0)
})

describe('a host that is marked', () => {
  /** All hosts are this machine; what database2 runs is given an /etc of its own. */
  async function withMark(file: string): Promise<() => ReturnType<typeof netops>> {
    const place = await scratch()
    await mkdir(join(place, 'netops'))
    await execText(['sh', '-c', file], { cwd: join(place, 'netops') })
    const apart = `unshare --mount sh -c 'mount --bind "$0" /etc && exec sh -c "$SSH_ORIGINAL_COMMAND"' ${place}`
    await forced('database2', apart)
    return () => netops(...both, '--', 'echo', 'here')
  }

  test.each([
    ['as another environment', 'echo staging > environment', 'staging'],
    ['without a line end', 'printf " staging" > environment', 'staging'],
    ['by what cannot be read', 'mkdir environment', '(unreadable)'],
  ])('%s runs nothing, with exit 7; the others do', async (_, file, mark) => {
    const run = await withMark(file)
    const { code, stdout, stderr } = await run()
    expect([code, stdout]).toEqual([7, 'web1      | here\n'])
    expect(stderr).toContain(`database2: the host is marked as ${mark}, and the fleet file is for no environment`)
  })

  test('by a file that names no environment runs nothing, with exit 9 and the way out; the others do', async () => {
    const run = await withMark(': > environment')
    const { code, stdout, stderr } = await run()
    expect([code, stdout]).toEqual([9, 'web1      | here\n'])
    expect(stderr).toContain('it holds no name of an environment')
    expect(stderr).toContain('mark it anew: echo NAME >')
  })
})

test('--limit chooses by pattern among those that the other options choose', async () => {
  expect((await netops('--limit', 'web*', '--', 'echo', 'here')).stdout).toBe('web1 | here\n')
  expect((await netops('--limit', '!lost,!web1', '--', 'echo', 'here')).stdout).toBe('database2 | here\n')
  const { code, stderr } = await netops('--hosts', 'web1', '--limit', 'data*', '--', 'true')
  expect([code, stderr]).toEqual([2, expect.stringContaining('no host of the fleet fits all of')])
})

describe('nothing is run', () => {
  test('by a dry run, which prints the command line of each host', async () => {
    const marker = join(await scratch(), 'marker')
    const { code, stdout } = await netops('--dry-run', '--', 'touch', marker, "it's")
    expect([code, stdout]).toEqual([
      0,
      [
        ...['web1', 'database2', 'lost'].map((host) => `${host}: touch ${marker} 'it'\\''s'`),
        '',
        'Dry run: nothing was run.',
        '',
      ].join('\n'),
    ])
    expect(existsSync(marker)).toBe(false)
  })

  test('for a command line given as one word', async () => {
    const { code, stderr } = await netops('--', 'echo hello')
    expect([code, stderr]).toEqual([2, expect.stringContaining("netops exec -- sh -c 'echo hello'")])
  })

  test.each([
    ['--at-once', '0'],
    ['--timeout', 'soon'],
  ])('for %s %s', async (...option) => {
    expect((await netops(...option, '--', 'true')).code).toBe(2)
  })
})

test('below a root it runs on this machine', async () => {
  const root = await scratch()
  const run = (...more: string[]) => exec([inject('builds').netops, 'exec', '--root', root, '--', ...more])
  expect(await run('sh', '-c', 'echo out; echo err >&2; exit 2')).toEqual({
    code: 1,
    stdout: 'local | out\n',
    stderr: 'local | err\nlocal: exited with 2\n',
  })
  expect(await run('netops-no-such-program')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('local: cannot run netops-no-such-program') as unknown,
  })
})
