// The commands of a push (push.ts) on the host's side: a netops build there works with blocks, gzip unzips. Pure.
import { basename, dirname } from 'node:path'
import { serverExecutable } from '../../model/paths.ts'
import { newMark, partialOf } from './commands.ts'

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

export const hashCommand = (netops: string, path: string): string[] => [netops, 'host', 'blocks', path]
export const assembleCommand = (netops: string, temporary: string): string[] => [netops, 'host', 'assemble', temporary]

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
