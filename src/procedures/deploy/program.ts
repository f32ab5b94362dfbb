// Whether a release can run on a host at all, before anything there is stopped for it.
import type { HostReader } from '../../drivers/hosts/port.ts'
import type { ServiceManager } from '../../drivers/services/port.ts'
import { NetopsError } from '../../model/errors.ts'
import { shownText } from '../../model/escape.ts'
import { runsOn, type ProgramNeeds } from '../../model/program-needs.ts'
import { isOlder } from './host-needs.ts'

// Given: where commands are looked for, the interpreter, the command that it looks up, libraries. A host whose loader keeps
// no list of libraries says nothing of them.
const look = `path=\${1:-$PATH} interpreter=$2 command=$3
shift 3
if [ -n "$interpreter" ] && ! { [ -f "$interpreter" ] && [ -x "$interpreter" ]; }; then echo interpreter; fi
if [ -n "$command" ] && ! (PATH=$path command -v "$command") > /dev/null; then echo command; fi
[ $# -gt 0 ] || exit 0
known=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2> /dev/null) || exit 0
for name; do
  case $known in *"	$name ("*) continue ;; esac
  for folder in /lib /usr/lib /lib64 /usr/lib64 /lib/*-linux-gnu* /usr/lib/*-linux-gnu*; do
    [ ! -e "$folder/$name" ] || continue 2
  done
  echo "library $name"
done
exit 0`

// systemd.exec(5): what a service's PATH is where nobody sets it.
const servicePath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What a host lacks of what a release needs, in words. */
export async function readLacking(
  reader: HostReader,
  manager: ServiceManager['kind'],
  needs: ProgramNeeds | undefined,
): Promise<readonly string[]> {
  if (needs === undefined) return []
  const { interpreter = '', command = '', libraries = [] } = needs
  if (interpreter === '' && libraries.length === 0) return []
  const path = manager === 'systemd' ? servicePath : ''
  const { stdout } = await reader.query(['sh', '-c', look, 'sh', path, interpreter, command, ...libraries])
  return stdout.split('\n').flatMap((line) => {
    if (line === 'interpreter') return [`its interpreter ${shownText(interpreter)}`]
    if (line === 'command') return [`the command ${shownText(command)}, which its first line asks for`]
    return line.startsWith('library ') ? [`the library ${shownText(line.slice(8))}`] : []
  })
}

export interface ProgramHost {
  /** Node's name for the host's platform: `linux-x64`. */
  readonly platform: string
  /** `2.36`; undefined where the host does not say. */
  readonly glibc: string | undefined
  readonly lacking: readonly string[]
}

/** Why a release cannot run on a host, and what to do about it; undefined where nothing says so. */
export function cannotRun(
  needs: ProgramNeeds | undefined,
  { platform, glibc, lacking }: ProgramHost,
): { readonly message: string; readonly hint: string } | undefined {
  const machine = machineOf(platform)
  if (needs?.machine !== undefined && !runsOn(needs.machine, machine)) {
    return {
      message: `the release is a program for ${needs.machine}, the host is ${machine}`,
      hint: 'build it for a machine like the host',
    }
  }
  if (needs?.glibc !== undefined && glibc !== undefined && isOlder(glibc, needs.glibc)) {
    return {
      message: `the release asks for glibc ${needs.glibc}, the host has ${glibc}`,
      hint: 'build it on a system as old as the host, or deploy to a newer one',
    }
  }
  if (lacking.length === 0) return undefined
  return {
    message: `the release cannot run here, the host lacks ${lacking.join(' and ')}`,
    hint: 'install it, then run the same again',
  }
}

/** @throws NetopsError `refused` for a release that cannot run on the host */
export function refuseProgram(
  needs: ProgramNeeds | undefined,
  { host, ...facts }: ProgramHost & { host: string },
): void {
  const cannot = cannotRun(needs, facts)
  if (cannot !== undefined) throw new NetopsError('refused', { host, ...cannot })
}

/** As `uname -m` names it. */
function machineOf(platform: string): string {
  const name = platform.slice(platform.indexOf('-') + 1)
  return { x64: 'x86_64', arm64: 'aarch64' }[name] ?? name
}
