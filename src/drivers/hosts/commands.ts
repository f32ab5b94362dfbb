// Each effect on a host as the exact commands that bring it about. Pure: a dry run prints them, a run executes them.
import { basename, dirname, join } from 'node:path'
import type { Content } from '../../config/file-sources.ts'
import { isTheirs, type HostEffect } from '../../model/effects.ts'
import { describeSource } from '../../model/file-source.ts'
import { formatBytes } from '../../model/units.ts'
import { quoteCommand } from '../../model/quote.ts'
import type { HostCommand } from './port.ts'

/** Stands in the names of files that are not whole yet. */
export const newMark = '.netops-new'

/** The name under which a new file is made ready; with a run in it where several may make the same file ready at once. */
const temporaryFor = (path: string, run?: string): string =>
  join(dirname(path), `.${basename(path)}${newMark}${run === undefined ? '' : `-${run}`}`)

/** The commands of an effect, in order. Each tolerates that it was carried out before, wholly or half. */
export function commandsOf(effect: HostEffect): readonly HostCommand[] {
  switch (effect.kind) {
    case 'directory':
      return [isTheirs(effect.owner) ? makeTheirs(effect) : makeOurs(effect)]
    case 'write': {
      const stdin = { text: effect.content }
      const same = { argv: ['cmp', '-s', '--', '-', effect.path], stdin }
      return whereNeeded(effect, same, replace(effect, [{ argv: fill(temporaryFor(effect.path)), stdin }]))
    }
    case 'push': {
      const note = effect.bases === undefined ? {} : { note: 'less the blocks that executables on the host have' }
      return pushCommands(effect, {
        argv: fillPushed(effect),
        stdin: { file: effect.from, size: effect.size, ...note },
      })
    }
    case 'copy': {
      const same = { argv: ['cmp', '-s', '--', effect.from, effect.path] }
      const copied = replace(effect, [
        { argv: ['cp', '--reflink=auto', '--', effect.from, temporaryFor(effect.path)] },
        ...(effect.sha256 === undefined ? [] : [checkHash(temporaryFor(effect.path), effect.sha256)]),
      ])
      return whereNeeded(effect, same, copied)
    }
    case 'duplicate':
      return duplicateCommands(effect)
    case 'provide':
      return provideCommands(effect)
    case 'link':
      return [
        { argv: ['ln', '-sfn', '--', effect.target, temporaryFor(effect.path)] },
        { argv: ['mv', '-T', '--', temporaryFor(effect.path), effect.path] },
        { argv: ['sync', dirname(effect.path)] },
      ]
    case 'remove':
      return [{ argv: ['rm', '-f', '--', effect.path] }]
    case 'remove-tree':
      return [{ argv: ['rm', '-rf', '--', effect.path] }]
    case 'remove-empty':
      // 1: it holds something, or it is gone already; both leave nothing to do.
      return [{ argv: ['rmdir', '--', effect.path], okCodes: [0, 1] }]
    case 'account':
      // guide: Linux Deployment. 9 (useradd(8)): the account is there already.
      return [{ argv: ['useradd', '-r', '-s', '/bin/false', effect.user], okCodes: [0, 9] }]
    case 'sysctl':
      // sysctl(8). One command a key, so that a refusal names its key.
      return Object.entries(effect.values).map(([key, value]) => ({ argv: ['sysctl', '-q', '-w', `${key}=${value}`] }))
    case 'check':
      return [{ argv: effect.argv, failAs: effect.code }]
  }
}

/** What an effect that failed may have left half made; of a push the next one makes use. */
export function halfMadeBy(effect: HostEffect): string | undefined {
  switch (effect.kind) {
    case 'write':
    case 'copy':
    case 'duplicate':
    case 'provide':
    case 'link':
      return temporaryFor(effect.path)
    default:
      return undefined
  }
}

type Push = Extract<HostEffect, { kind: 'push' }>

/** The name under which a pushed file is made ready. */
export const temporaryOf = ({ path, run }: Push): string => temporaryFor(path, run)

/** What a push that broke off has written, while the next one makes use of it. */
export const partialOf = (temporary: string): string => `${temporary}.part`

/** Makes a pushed file of all that comes. */
export const fillPushed = (effect: Push): string[] => fill(temporaryOf(effect))

/** Makes a pushed file longer by all that comes. */
export const extendPushed = (effect: Push): string[] => [
  ...['dd', `of=${temporaryOf(effect)}`, 'bs=1M', 'oflag=append', 'conv=notrunc,fsync', 'status=none'],
]

/** The commands of a push around the one that fills the new file. */
export const pushCommands = (effect: Push, content: HostCommand): readonly HostCommand[] => [
  beginPush(effect),
  content,
  ...finishPush(effect),
]

export const beginPush = (effect: Push): HostCommand => begin(temporaryOf(effect))

export function finishPush(effect: Push): readonly HostCommand[] {
  const temporary = temporaryOf(effect)
  return [checkHash(temporary, effect.sha256), ...putInPlace(effect, temporary)]
}

/** The commands of a file whose content is read late; without the content, to be shown. */
export function provideCommands(
  effect: Extract<HostEffect, { kind: 'provide' }>,
  content?: Content,
): readonly HostCommand[] {
  const temporary = temporaryFor(effect.path)
  const shown = describeSource(effect.source)
  const given = content === undefined || 'text' in content ? { text: content?.text ?? '', shown } : content
  const sum = `${content?.sha256 ?? ''}  ${temporary}\n`
  return replace(effect, [
    { argv: fill(temporary), stdin: given },
    {
      argv: ['sha256sum', '--check', '--strict', '--quiet', '-'],
      stdin: { text: sum, shown: 'its hash' },
      failAs: 'damaged',
    },
  ])
}

/** A command as a person could type it. */
export function showCommand(command: HostCommand): string {
  const line = quoteCommand(command.argv)
  if (command.stdin === undefined) return line
  if ('stream' in command.stdin) return `${line} < (a stream)`
  if ('file' in command.stdin) {
    const { file, size, note } = command.stdin
    return `${line} < ${quoteCommand([file])}  # ${formatBytes(size)}${note === undefined ? '' : `, ${note}`}`
  }
  if (command.stdin.shown !== undefined) return `${line} < (${command.stdin.shown})`
  const lines = command.stdin.text.replace(/\n$/, '').split('\n').length
  return lines === 1 ? `${line} <<< ${quoteCommand([command.stdin.text.trimEnd()])}` : `${line} < (${lines} lines)`
}

type Placed = Extract<HostEffect, { mode: string }>
type Folder = Extract<HostEffect, { kind: 'directory' }>

const makeOurs = (effect: Folder): HostCommand => ({ argv: ['install', '-d', ...modeAndOwner(effect), effect.path] })

/**
 * A folder for another account. The folder that it lies in may be one that others write to, such as /var/log for syslog: a
 * link in its place is not followed, and mode and owner are those of the folder that was made or found, whatever its name
 * leads to meanwhile.
 */
const makeTheirs = ({ path, mode, owner = '' }: Folder): HostCommand => ({
  argv: [
    ...['sh', '-c'],
    '[ -d "$1" ] || install -d -m 0755 -- "$1"; cd -P -- "$1" && at=$(pwd -P) && { mkdir -m 0700 -- "./$2" || [ -d "./$2" ]; } 2> /dev/null && cd -P -- "./$2" && [ "$(pwd -P)" = "${at%/}/$2" ] || { echo "something else is in its place" >&2; exit 1; }; chown "$3" . && chmod "$4" .',
    ...['sh', dirname(path), basename(path), `${ownerOf(owner)}:${groupOf(owner)}`, mode],
  ],
})

const sameAll =
  'about() { stat -c "%F %a %u:%g %s %y" -- "$1"; }; [ "$(about "$0")" = "$(about "$1")" ] && if [ -L "$0" ]; then [ "$(readlink -- "$0")" = "$(readlink -- "$1")" ]; else cmp -s -- "$0" "$1"; fi'

/** What lies somewhere, with all that cp(1) knows of it: extended attributes that cannot be kept fail it, unlike with -a alone. */
function duplicateCommands({
  from,
  path,
  sha256,
  unlessSame,
}: Extract<HostEffect, { kind: 'duplicate' }>): readonly HostCommand[] {
  const temporary = temporaryFor(path)
  const copied: readonly HostCommand[] = [
    { argv: ['rm', '-rf', '--', temporary] },
    { argv: ['cp', '-a', '--preserve=xattr', '--reflink=auto', '-T', '--', from, temporary] },
    ...(sha256 === undefined ? [] : [checkHash(temporary, sha256)]),
    // sync(1) would look for what a link points to.
    { argv: ['sh', '-c', '[ -L "$0" ] || exec sync "$0"', temporary] },
    { argv: ['mv', '-T', '--', temporary, path] },
    { argv: ['sync', dirname(path)] },
  ]
  if (unlessSame === undefined) return copied
  return [{ argv: ['sh', '-c', sameAll, from, path], okCodes: [0, 1, 2], skipNextIfOk: copied.length }, ...copied]
}

const modeAndOwner = (effect: Placed): string[] => [
  '-m',
  effect.mode,
  ...(effect.owner === undefined ? [] : ['-o', ownerOf(effect.owner), '-g', groupOf(effect.owner)]),
]
const ownerOf = (owner: string): string => owner.split(':')[0] ?? owner
const groupOf = (owner: string): string => owner.split(':')[1] ?? ownerOf(owner)

/**
 * Prints the SHA-256 of the file `$0`, then a blank: by OpenSSL where the host has it, which takes a sixth of the time of
 * coreutils (docs/benchmarks.md).
 */
export const printHash = 'openssl dgst -sha256 -r 2> /dev/null < "$0" || sha256sum < "$0"'

/** Writes standard input to the new file beside the old and waits until it is on the disk. */
const fill = (temporary: string): string[] => ['dd', `of=${temporary}`, 'bs=1M', 'conv=fsync', 'status=none']

/** Fails where a file has another hash than it should. */
const checkHash = (path: string, sha256: string): HostCommand => ({
  argv: [
    ...['sh', '-c'],
    `sum=$(${printHash}) && [ "\${sum%% *}" = "$1" ] || { echo "its SHA-256 is \${sum%% *}" >&2; exit 1; }`,
    ...[path, sha256],
  ],
  failAs: 'damaged',
})

/** Replaces a file only where its content is another; mode and owner are set in any case. */
const whereNeeded = (
  effect: Placed & { readonly unlessSame?: true | undefined },
  same: HostCommand,
  replacing: readonly HostCommand[],
): readonly HostCommand[] =>
  effect.unlessSame === undefined
    ? replacing
    : [
        // cmp(1): 1 they differ, 2 one is missing; whatever it is, it is replaced.
        { ...same, okCodes: [0, 1, 2], skipNextIfOk: replacing.length },
        ...replacing,
        ...(effect.owner === undefined ? [] : [{ argv: ['chown', effect.owner, effect.path] }]),
        { argv: ['chmod', effect.mode, effect.path] },
      ]

/** The new file gets its content, mode and owner under another name, then takes the place of the old one. */
const replace = (effect: Placed, content: readonly HostCommand[]): readonly HostCommand[] => {
  const temporary = temporaryFor(effect.path)
  return [begin(temporary), ...content, ...putInPlace(effect, temporary)]
}

const begin = (temporary: string): HostCommand => ({ argv: ['install', '-m', '0600', '/dev/null', temporary] })

const putInPlace = (effect: Placed, temporary: string): readonly HostCommand[] => [
  ...(effect.owner === undefined ? [] : [{ argv: ['chown', effect.owner, temporary] }]),
  { argv: ['chmod', effect.mode, temporary] },
  { argv: ['sync', temporary] },
  { argv: ['mv', '-T', '--', temporary, effect.path] },
  { argv: ['sync', dirname(effect.path)] },
]
