// netops preflight on real hosts: each cause of trouble is provoked, found, named, and taken away again; nothing is written.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { quoteCommand } from '../../src/model/quote.ts'
import { powerOff, powerOn } from '../../src/lab/faults.ts'
import { execOnHost, hostRoot } from '../../src/lab/host.ts'
import { exec } from '../../src/system/exec.ts'
import { configText, listedRelease, listTree, until, type Release } from '../support/fleet.ts'
import { useLab } from '../support/lab.ts'

const { lab, host } = useLab('web1', 'web2')

interface Finding {
  readonly host: string
  readonly check: string
  readonly kind: string
  readonly message: string
  readonly remedy?: string
}

interface Called {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly json: {
    readonly hosts?: readonly Readonly<Record<string, unknown>>[]
    readonly findings?: readonly Finding[]
    readonly error?: { readonly message: string }
  }
}

let folder = ''
let release: Release
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'netops-preflight-'))
  release = await listedRelease(folder, 'release', 'exit 0')
  await writeFile(join(folder, 'config.yaml'), configText(100))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function netops(...words: string[]): Promise<Called> {
  const env = { NETOPS_STATE_DIR: join(folder, 'state') }
  const inventory = words.includes('--inventory') ? [] : ['--inventory', lab().inventory]
  const result = await exec([inject('builds').netops, ...words, ...inventory], { cwd: folder, env, timeoutMs: 90_000 })
  return { ...result, json: words.includes('--json') ? (JSON.parse(result.stdout) as Called['json']) : {} }
}

const config = ['--config', 'config.yaml']
const look = (...words: string[]): Promise<Called> =>
  netops('preflight', '--release', release.file, '--json', ...(words.includes('--config') ? [] : config), ...words)
const bad = ({ json }: Called, kind = 'problem'): readonly string[] =>
  (json.findings ?? []).filter((one) => one.kind === kind).map((one) => `${one.host} ${one.check}: ${one.message}`)
const found = ({ json }: Called, name: string, check: string): readonly string[] =>
  (json.findings ?? []).filter((one) => one.host === name && one.check === check).map((one) => one.message)

const on = async (name: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await execOnHost(host(name), ['sh', '-c', script])
  if (code !== 0) throw new Error(`${script}: ${code} ${stderr}`)
  return stdout
}

/** Something is wrong on web1 for as long as the test looks. */
async function during(wrong: string, right: string, work: () => Promise<void>): Promise<void> {
  await on('web1', wrong)
  try {
    await work()
  } finally {
    await on('web1', right)
  }
}

/** A program that comes before the real one for whoever logs in. */
const inFrontOf = (name: string, script: string, work: () => Promise<void>): Promise<void> =>
  during(
    `${quoteCommand(['printf', '#!/bin/sh\\n%s\\n', script])} > /usr/local/bin/${name} && chmod 755 /usr/local/bin/${name}`,
    `rm /usr/local/bin/${name}`,
    work,
  )

const everyCheck = [
  ...['privileges', 'environment', 'platform', 'kernel', 'systemd', 'commands', 'cpu', 'memory', 'disk'],
  ...['configuration', 'ports', 'clock', 'dns', 'peers', 'security'],
]

test('fresh hosts pass every check, and nothing is written on them', async () => {
  const files = async () => listTree(await hostRoot(host('web1')))
  const before = await files()
  const looked = await look()
  expect(bad(looked)).toEqual([])
  expect(looked.code).toBe(0)
  for (const name of ['web1', 'web2']) {
    const checks = (looked.json.findings ?? []).filter((one) => one.host === name).map(({ check }) => check)
    expect([...new Set(checks)]).toEqual(everyCheck)
  }
  expect(found(looked, 'web1', 'peers')).toEqual(['it reaches 1 other host'])
  expect(found(looked, 'web1', 'ports')).toEqual(['port 8080 is free', 'port 9090 is free'])
  expect(await files()).toEqual(before)
  const shown = await netops('preflight', ...config)
  expect(shown.stdout).toMatch(/^web1: .*\d+ checks good$/m)
  expect(shown.stdout).not.toContain('good     platform')
  expect((await netops('preflight', ...config, '-v')).stdout).toMatch(/^ {2}good +platform +linux-\w+, glibc 2\.\d+$/m)
})

test('a host without a configuration that is given none is told so', async () => {
  const looked = await netops('preflight', '--release', release.file, '--json', '--hosts', 'web1')
  expect(looked.code).toBe(7)
  expect(bad(looked)).toEqual(['web1 configuration: the host has no configuration yet, and none was given'])
})

describe('what is wrong on one host is a problem, and a deployment that would stop half way is refused', () => {
  const deploy = () => netops('deploy', '--hosts', 'web1', '--release', release.file, ...config, '--json')
  const refused = async (message: string): Promise<void> => {
    const deployed = await deploy()
    expect(deployed.json.error?.message ?? deployed.stdout).toContain(message)
    expect(deployed.code).toBe(7)
    expect((await execOnHost(host('web1'), ['ls', '/opt'])).stdout).toBe('')
  }

  test('a command is missing', () =>
    during('mv /usr/sbin/useradd /root/', 'mv /root/useradd /usr/sbin/', async () => {
      const looked = await look()
      expect(bad(looked)).toEqual(['web1 commands: missing: useradd'])
      expect(looked.code).toBe(7)
      expect(looked.json.hosts).toMatchObject([
        { host: 'web1', outcome: 'refused', exit: 7, problems: 1 },
        { host: 'web2', outcome: 'done', exit: 0, problems: 0 },
      ])
      await refused('lacks a command that a deployment calls: useradd')
      const shown = await netops('preflight', '--release', release.file, ...config)
      expect(shown.stdout).toMatch(/^web1: 1 problem, /m)
      expect(shown.stdout).toContain('commands: install what they belong to, then look again (web1)')
    }))

  test('glibc is too old', () =>
    inFrontOf('getconf', 'echo glibc 2.17', async () => {
      expect(bad(await look())).toEqual(['web1 platform: glibc is 2.17'])
      await refused('the host has glibc 2.17')
    }))

  test('systemd does not run the host', () =>
    during('mount -t tmpfs tmpfs /run/systemd', 'umount /run/systemd', async () => {
      expect(bad(await look())).toEqual(['web1 systemd: systemd does not run this host'])
      await refused('systemd does not run this host')
    }))
})

describe('what is wrong on one host is found', () => {
  const only = (...words: string[]) => look('--hosts', 'web1', ...words)

  test('libstdc++ is missing', () =>
    during(
      'mkdir /root/away && mv /usr/lib/*/libstdc++.so.6* /root/away/',
      'mv /root/away/* /usr/lib/$(uname -m)-linux-gnu/ && rmdir /root/away',
      async () => {
        expect(bad(await only()).join()).toMatch(/^web1 platform: libstdc\+\+\.so\.6 missing, [^,]+$/)
      },
    ))

  test('another machine and an old kernel', () =>
    inFrontOf(
      'uname',
      'case $1 in -m) echo riscv64 ;; -r) echo 4.17.9-generic ;; *) /usr/bin/uname "$@" ;; esac',
      async () => {
        const looked = bad(await only())
        expect(looked).toEqual([
          'web1 platform: the host is Linux on riscv64',
          'web1 kernel: the kernel is 4.17.9-generic',
        ])
      },
    ))

  test('memory is short', async () => {
    const meminfo = (mib: number) => `MemTotal: ${1024 * 1024} kB\nMemAvailable: ${mib * 1024} kB\n`
    const short = (mib: number, work: () => Promise<void>) =>
      during(
        `${quoteCommand(['printf', '%s', meminfo(mib)])} > /run/meminfo && mount --bind /run/meminfo /proc/meminfo`,
        'umount /proc/meminfo && rm /run/meminfo',
        work,
      )
    await short(300, async () => {
      const looked = await only()
      expect(looked.code).toBe(0)
      expect(bad(looked, 'warning')).toContain(
        'web1 memory: 300 MiB of 1024 MiB memory available, 512 MiB are recommended',
      )
    })
    await short(100, async () => {
      expect(bad(await only()).join()).toContain('web1 memory: 100 MiB of 1024 MiB memory available, under 128 MiB')
    })
  })

  test('the disk is full, or nearly, or has no room for files', async () => {
    const small = (options: string, work: () => Promise<void>) =>
      during(`mount -t tmpfs -o ${options} tmpfs /opt`, 'umount /opt', work)
    await small('size=8m', async () => {
      expect(bad(await only())).toEqual(['web1 disk: 8.4 MB free on /opt (releases), 16.8 MB are needed'])
    })
    await small('size=200m', async () => {
      await on('web1', 'head -c 182m /dev/zero > /opt/filler')
      const looked = await only()
      expect(looked.code).toBe(0)
      expect(bad(looked, 'warning').join()).toMatch(/web1 disk: 18\.\d MB free on \/opt \(releases\), less than 10%/)
      const usual = await netops(
        'preflight',
        '--hosts',
        'web1',
        ...config,
        '--release',
        inject('builds').server1,
        '--json',
      )
      expect(bad(usual).join()).toMatch(/^web1 disk: 18\.\d MB free on \/opt \(releases\), 2\d\d\.\d MB are needed$/)
    })
    await small('size=64m,nr_inodes=60', async () => {
      expect(bad(await only()).join()).toMatch(/^web1 disk: room for 5\d files on \/opt \(releases\), 100 are needed$/)
    })
  })

  test('a port of the configuration is taken', () =>
    during('systemd-run --unit=taker systemd-socket-activate -l 8080 cat', 'systemctl stop taker', async () => {
      const looked = await until(async () => {
        const answer = await only()
        return answer.code === 0 ? undefined : answer
      })
      expect(bad(looked).join()).toMatch(/^web1 ports: port 8080 is in use by systemd-socket-\S* \(pid \d+\)$/)
    }))

  test('a name of the configuration cannot be resolved', async () => {
    const database =
      'database: { driver: postgres, host: db.nowhere.invalid, read_replicas: ["web2:5433", "10.0.0.1"] }\n'
    await writeFile(join(folder, 'database.yaml'), `${configText(100)}${database}`)
    const looked = await only('--config', 'database.yaml')
    expect(bad(looked)).toEqual(['web1 dns: the host cannot resolve db.nowhere.invalid, which the configuration names'])
  })

  test('its own name cannot be resolved', () =>
    during(
      "cp /etc/hosts /root/hosts && sed '/web1/d' /root/hosts > /etc/hosts && cp /etc/nsswitch.conf /root/ && sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf",
      'cp /root/hosts /etc/hosts && cp /root/nsswitch.conf /etc/nsswitch.conf && rm /root/hosts /root/nsswitch.conf',
      async () => {
        expect(bad(await only(), 'warning')).toContain('web1 dns: the host cannot resolve its own name, web1')
      },
    ))

  test('its clock is off', async () => {
    const off = (seconds: number, work: () => Promise<void>) =>
      inFrontOf('date', `exec /usr/bin/date -d '${seconds} seconds' '+%s.%N'`, work)
    await off(5, async () => {
      const looked = await only()
      expect(looked.code).toBe(0)
      expect(bad(looked, 'warning').join()).toMatch(/web1 clock: the clock is [45]\.\d s ahead of this machine's/)
    })
    await off(-90, async () => {
      expect(bad(await only()).join()).toMatch(/^web1 clock: the clock is 1 min (29|30) s behind this machine's$/)
    })
  })

  test('a unit has failed', () =>
    during('systemd-run --quiet --unit=breaks false', 'systemctl reset-failed breaks', async () => {
      const looked = await until(async () => {
        const answer = await only()
        return bad(answer, 'warning').join().includes('degraded') ? answer : undefined
      })
      expect(looked.code).toBe(0)
      expect(bad(looked, 'warning')).toContain('web1 systemd: degraded: breaks.service failed')
    }))

  test('it is marked as another environment', () =>
    during('mkdir -p /etc/netops && echo production > /etc/netops/environment', 'rm -r /etc/netops', async () => {
      expect(bad(await only())).toEqual([
        'web1 environment: the host is marked as production, and the fleet file is for no environment',
      ])
    }))

  test('the login is not root', async () => {
    const text = await readFile(lab().inventory, 'utf8')
    await writeFile(join(folder, 'plain.yml'), text.replace('user: root', 'user: plain'))
    const key = await readFile(`${lab().identity}.pub`, 'utf8')
    await during(
      `useradd -m -s /bin/sh plain && mkdir ~plain/.ssh && echo '${key.trim()}' > ~plain/.ssh/authorized_keys && chown -R plain ~plain/.ssh`,
      'loginctl terminate-user plain; sleep 1; rm -f /etc/sudoers.d/plain; userdel -rf plain 2> /dev/null || ! id plain',
      async () => {
        expect(bad(await only('--inventory', 'plain.yml'))).toEqual([
          'web1 privileges: plain is not root and may not use sudo without a password',
        ])
        await on('web1', 'echo "plain ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/plain')
        const looked = bad(await only('--inventory', 'plain.yml'))
        expect(looked).toEqual(['web1 privileges: plain is not root, and netops was not told to use sudo'])
        await writeFile(join(folder, 'plain.yml'), text.replace('user: root', 'user: plain, become: sudo'))
        expect(bad(await only('--inventory', 'plain.yml'))).toEqual([])
        await on('web1', 'rm /etc/sudoers.d/plain')
        const refused = await only('--inventory', 'plain.yml')
        expect(refused.code).toBe(7)
        expect(bad(refused).join()).toMatch(/^web1 connect: sudo does not let plain on \S+ be root: /)
      },
    )
  })
})

const address = (name: string) => lab().hosts.find((one) => one.name === name)?.address ?? ''

test('hosts that do not reach each other are found from both sides, though netops reaches both', async () => {
  await during(
    `ip neigh replace ${address('web2')} lladdr 02:00:00:00:00:01 dev host0 nud permanent`,
    `ip neigh del ${address('web2')} dev host0`,
    async () => {
      const looked = await look()
      const silent = (from: string, to: string) =>
        `${from} peers: ${to} (${address(to)} port 22) does not answer within 3 s from this host`
      expect(bad(looked)).toEqual([silent('web1', 'web2'), silent('web2', 'web1')])
      expect(looked.code).toBe(7)
      // It takes more than a second, so each host is told of when it is done.
      expect(looked.stderr).toMatch(/^web[12]: looked at \(2 of 2\)$/m)
    },
  )
})

test('the ports of a service that runs are its own, and its configuration is the one in place', async () => {
  const quick = ['--min-healthy-time', '500ms', '--healthy-deadline', '60s']
  const words = ['--hosts', 'web1', '--release', inject('builds').server1, ...config, ...quick]
  // By an account that sudo asks for its password, and through the other host.
  const key = await readFile(`${lab().identity}.pub`, 'utf8')
  await on(
    'web1',
    `useradd -m -s /bin/sh ops && echo ops:open-sesame | chpasswd && echo 'ops ALL=(ALL) ALL' > /etc/sudoers.d/ops &&
    mkdir ~ops/.ssh && echo '${key.trim()}' > ~ops/.ssh/authorized_keys && chown -R ops ~ops/.ssh`,
  )
  const way = `user: ops, become: sudo, become_password: { file: password }, jump: 'root@${address('web2')}'`
  await writeFile(join(folder, 'password'), 'open-sesame\n')
  await writeFile(join(folder, 'ops.yml'), (await readFile(lab().inventory, 'utf8')).replace('user: root', way))
  const before = await on('web2', 'ss -Htn state established dport = :22 | wc -l')
  expect(before.trim()).toBe('0')
  const deploying = netops('deploy', '--inventory', 'ops.yml', ...words)
  await until(async () => (await on('web2', 'ss -Htn state established dport = :22 | wc -l')).trim() === '1')
  expect(await deploying).toMatchObject({ code: 0 })
  expect(await on('web1', 'grep -rl open-sesame /dev/shm /var/lib/netops /opt/network_system/incoming || true')).toBe(
    '',
  )
  const looked = await netops('preflight', '--hosts', 'web1', '--release', inject('builds').server2, '--json')
  expect(bad(looked)).toEqual([])
  expect(found(looked, 'web1', 'ports')).toEqual([
    'port 8080 is in use by our own service',
    'port 9090 is in use by our own service',
  ])
})

test('a host that is off is a finding, and the exit code says that it could not be reached', async () => {
  await powerOff(host('web2'))
  try {
    const looked = await look()
    expect(bad(looked).join()).toMatch(/^web2 connect: cannot reach root@/)
    expect(bad(looked, 'warning').join()).toContain('does not answer this host either')
    expect(looked.json.hosts).toMatchObject([
      { host: 'web1', outcome: 'done' },
      { host: 'web2', outcome: 'unreachable' },
    ])
    expect(looked.code).toBe(4)
  } finally {
    await powerOn(host('web2'))
  }
})
