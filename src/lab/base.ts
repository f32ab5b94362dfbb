// The base image that every lab host starts from: a small Debian, built once per recipe and kept in the machine's cache.
import { access, mkdir, readFile } from 'node:fs/promises'
import { NetopsError } from '../model/errors.ts'
import { readTemplate } from '../system/assets.ts'
import { sha256OfText } from '../system/files.ts'
import { run } from './machine.ts'

const cacheFolder = '/var/cache/netops/lab'

// What a plain server has: systemd with logind sessions, sshd, and the tools that people and procedures expect.
const packages = ['systemd', 'systemd-sysv', 'dbus', 'libpam-systemd', 'openssh-server', 'iproute2', 'procps', 'sudo']

/** Where this machine gets Debian from, and how to reach it. */
export interface AptSource {
  readonly mirror: string
  /** The binary key ring that signs the source; empty for debootstrap's own. */
  readonly keyring: string
  readonly env: Readonly<Record<string, string>>
  /** The certificate authority apt trusts for https; empty for the system's. */
  readonly ca: string
}

/**
 * Finds the archive of a release in what apt itself says.
 * @param targets lines of `codename release component url keyring` as `apt-get indextargets` prints them
 * @param settings lines of `name=value` as `apt-config dump` prints them
 * @throws NetopsError `refused` when apt has no source for the release
 */
export function aptSource(suite: string, targets: string, settings: string): AptSource {
  const rows = targets.split('\n').map((line) => line.split(' '))
  // The codename is known only after an `apt-get update`; until then the release is what the source list says.
  const row = rows.find(
    ([codename, release, component, url]) =>
      (codename === suite || release === suite) && component === 'main' && /^(https?|file):/.test(url ?? ''),
  )
  const [, , , mirror, keyring = ''] = row ?? []
  if (mirror === undefined) {
    throw new NetopsError('refused', {
      message: `apt on this machine has no http, https or file source for the main part of ${suite}`,
      hint: 'add one to /etc/apt/sources.list.d, run apt-get update, then try again',
    })
  }
  const values = new Map(
    settings.split('\n').map((line) => {
      const [name = '', ...value] = line.split('=')
      return [name.toLowerCase(), value.join('=')]
    }),
  )
  const proxies = { http_proxy: values.get('acquire::http::proxy'), https_proxy: values.get('acquire::https::proxy') }
  return {
    mirror,
    keyring: /^\/.*\.(gpg|pgp)$/.test(keyring) ? keyring : '',
    env: Object.fromEntries(Object.entries(proxies).flatMap(([name, value]) => proxySetting(name, value))),
    ca: values.get('acquire::https::cainfo') ?? '',
  }
}

/** apt writes "no proxy" as DIRECT, wget as an empty variable; a name without a value is not set at all. */
const proxySetting = (name: string, value: string | undefined): [string, string][] =>
  value === undefined || value === '' ? [] : [[name, value.toUpperCase() === 'DIRECT' ? '' : value]]

/**
 * Returns the folder of the base image, after building it if this machine does not have it yet.
 * @param progress told before anything that takes more than a second
 */
export async function ensureBase(progress: (line: string) => void, signal?: AbortSignal): Promise<string> {
  const suite = await releaseName()
  const finish = readTemplate('lab/finish-base.sh')
  const recipe = JSON.stringify([suite, process.arch, packages, finish])
  const base = `${cacheFolder}/${sha256OfText(recipe).slice(0, 16)}`
  if (await exists(base)) return base
  progress(`building the base image, ${suite} (about a minute, once)`)
  const columns = '$(CODENAME) $(RELEASE) $(COMPONENT) $(REPO_URI) $(SIGNED_BY)'
  const targets = await run(['apt-get', 'indextargets', '--format', columns, 'Created-By: Packages'])
  const settings = await run(['apt-config', 'dump', '--format', '%f=%v%n', 'Acquire::http', 'Acquire::https'])
  const { mirror, keyring, ca, env } = aptSource(suite, targets, settings)
  await mkdir(cacheFolder, { recursive: true })
  // In namespaces of its own, with a parent's death signal: when netops is killed, so is everything that builds.
  const alone = ['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc']
  const script = ['sh', '-c', readTemplate('lab/build-base.sh'), 'build-base']
  const inputs = [base, suite, mirror, keyring, ca, packages.join(','), finish]
  await run(['setpriv', '--pdeathsig', 'KILL', ...alone, 'flock', `${base}.lock`, ...script, ...inputs], {
    env,
    signal,
  })
  return base
}

async function releaseName(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8')
  const name = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(text)?.[1]
  if (name !== undefined) return name
  throw new NetopsError('refused', {
    message: '/etc/os-release names no Debian release (VERSION_CODENAME)',
    hint: 'run the lab on a released Debian or Ubuntu',
  })
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
