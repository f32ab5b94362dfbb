// The commands of a delta push (push.ts) on the host's side: by a netops build there, else by a shell and coreutils. Pure.
import { basename, dirname } from 'node:path'
import { serverExecutable } from '../../model/paths.ts'
import { blockSize } from '../../system/blocks.ts'
import type { Run } from '../../system/delta.ts'
import { newMark, partialOf } from './commands.ts'

/** As many runs make a command of about 15 KB; Linux takes 128 KB (MAX_ARG_STRLEN, execve(2)). */
export const longestDeal = 200

/**
 * Lists time of change, size and path of what a new file may share blocks with: releases, netops builds, and files of its
 * name in the folders beside its own, whole or half written.
 */
export const listBases = (folders: { readonly releases: string; readonly netops: string }, path: string): string[] => [
  ...['sh', '-c'],
  `for file in "$0"/*/${serverExecutable} "$1"/*/netops "$2"/*/"$3" "$2"/*/."$3"${newMark}*; do
  if [ -f "$file" ] && [ ! -L "$file" ]; then stat -c '%Y %s %n' -- "$file"; fi
done`,
  ...[folders.releases, folders.netops, dirname(dirname(path)), basename(path)],
]

/** Keeps what a push that broke off has written, out of the way of the new file. */
export const keepPartial = (temporary: string): string[] => ['mv', '-f', '-T', '--', temporary, partialOf(temporary)]

export const hashByNetops = (netops: string, path: string): string[] => [netops, 'host', 'blocks', path]

/**
 * One sha256sum over all blocks as files of their own: 1.1 s for 129 MB, where `split --filter=sha256sum`, a process a
 * block, takes 68 s (docs/benchmarks.md). The folder is removed before and after.
 */
export const hashByCoreutils = (folder: string, path: string): string[] => [
  ...['sh', '-c'],
  `LC_ALL=C && export LC_ALL &&
rm -rf -- "$0" && mkdir -m 0700 -- "$0" &&
trap 'rm -rf -- "$0"' EXIT && trap 'exit 1' HUP INT TERM &&
split -b ${blockSize} -a 4 -- "$1" "$0/" && cd -- "$0" && sha256sum -- *`,
  folder,
  path,
]

export const assembleCommand = (netops: string, temporary: string): string[] => [netops, 'host', 'assemble', temporary]

/** Deals the new file out of the bases and of standard input, which each `dd` reads no further than it is told. */
export function dealCommand(temporary: string, runs: readonly Run[], bases: readonly string[]): string[] {
  const deals = runs.map((run) => {
    const count = Math.ceil(run.length / blockSize)
    const source = run.kind === 'copy' ? ` "if=$${run.base + 1}" skip=${run.offset / blockSize}` : ''
    return `dd${source} bs=${blockSize} count=${count} iflag=fullblock status=none`
  })
  return ['sh', '-c', ['set -e', 'exec > "$0"', ...deals].join('\n'), temporary, ...bases]
}

/** Whether the host can {@link unzipping unzip}. */
export const lookForGzip = ['sh', '-c', 'command -v gzip']

/**
 * A command that gets its standard input unzipped. It fails when either of the two does, and each says why itself: a
 * pipeline alone would hide that gzip failed.
 */
export const unzipping = (argv: readonly string[]): string[] => [
  ...['sh', '-c'],
  `whole=$({ { gzip -dc && echo yes >&3; } | "$@"; } 3>&1) && [ "$whole" = yes ]`,
  ...['sh', ...argv],
]
