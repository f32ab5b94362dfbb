// What a host is to everything above: a place that runs argv commands and can be read. Drivers: local, ssh.
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../../model/errors.ts'
import type { ExecOptions, ExecResult } from '../../system/exec.ts'

export type RunOptions = Pick<
  ExecOptions,
  'stdin' | 'timeoutMs' | 'signal' | 'most' | 'onLine' | 'longestLine' | 'onOutput'
>

/** What a command on a host is expected to print at most, in bytes, unless its caller says what is expected of it. */
export const usualAnswer = 4 * 2 ** 20

/** One command as a dry run prints it and a run applies it. */
export interface HostCommand {
  readonly argv: readonly string[]
  readonly stdin?:
    | { readonly text: string; readonly shown?: string }
    | { readonly file: string; readonly size: number; readonly note?: string }
    | { readonly stream: () => AsyncIterable<Uint8Array> }
    | undefined
  /** Exit codes that count as success; 0 alone by default. */
  readonly okCodes?: readonly number[] | undefined
  /** How many of the commands that follow are left out where this one exits with 0. */
  readonly skipNextIfOk?: number | undefined
  /** How long it may take; ten minutes unless it says so. */
  readonly timeoutMs?: number | undefined
  /** What the failure is called. */
  readonly failAs?: ErrorCode | undefined
}

export type Endpoint = { readonly host: string; readonly port: number } | { readonly socket: string }

/** A way to run commands on one machine. */
export interface HostConnection {
  readonly name: string
  /**
   * Runs a command and returns its code and output, whatever the code. One that was given a signal is ended on the host too when it
   * is aborted or its time is over, with its process group.
   * @throws NetopsError `unreachable` when the host is lost, `interrupted` when aborted, `failed` when it prints more than is
   * expected (`most`, `longestLine`)
   */
  run(argv: readonly string[], options?: RunOptions): Promise<ExecResult>
  /**
   * A connection from there to a TCP port or a Unix socket, such as a balancer's or a database's, that only the host reaches.
   * @throws NetopsError `unreachable` when nothing listens, or the host's sshd forbids it
   */
  open(to: Endpoint): Promise<Duplex>
  close(): Promise<void>
}

/** What lies somewhere; a link counts by itself, not by what it points to. */
export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  /** In bytes. */
  readonly size: number
  /** In milliseconds since 1970, by the clock there. */
  readonly modifiedMs: number
}

/** A file that is open. */
export interface HostFile {
  /** What stands there, fewer bytes at its end. */
  read(at: number, length: number): Promise<Uint8Array>
  write(bytes: Uint8Array, at: number): Promise<void>
  /** Waits until what was written is on the disk, where the host can tell. */
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * Files of one machine, by their absolute paths. What cannot be done is `failed` with its reason, a host that is lost
 * `unreachable`.
 */
export interface HostFiles {
  readonly name: string
  look(path: string): Promise<FileFacts | undefined>
  /** What a folder holds, in no order and never all of it at once; nothing where there is no folder. */
  list(folder: string): AsyncIterable<{ readonly name: string; readonly facts: FileFacts }>
  /** Makes one folder, for its owner alone; fine where there is one. */
  makeFolder(path: string): Promise<void>
  /**
   * Opens a file, never through a link.
   * @param how `new` makes it, for its owner alone, and fails where something is there; `more` writes to one that is there
   */
  open(path: string, how: 'read' | 'more' | 'new'): Promise<HostFile>
  /** Gives a file another name. @returns false where that name is taken, by whatever it is */
  rename(from: string, to: string): Promise<boolean>
  /** Removes a file; fine where there is none. */
  remove(path: string): Promise<void>
  /** Bytes that a folder's file system has left for us; undefined where nobody can tell. */
  free(folder: string): Promise<number | undefined>
  /** The SHA-256 of a file as the host itself computes it, as 64 hexadecimal digits; undefined where it computes none. */
  hash(path: string, signal?: AbortSignal): Promise<string | undefined>
  /** Waits until what a folder lists is on the disk, where the host can do that. */
  syncFolder(folder: string): Promise<void>
  close(): Promise<void>
}

/** Reads a host. It has no call that writes, so facts cannot change what they describe. */
export interface HostReader {
  readonly name: string
  /** A file's text, or undefined where there is none; one of more than 4 MiB is no file that netops reads. */
  readText(path: string): Promise<string | undefined>
  /** What a symbolic link points to, or undefined where there is none. */
  readLink(path: string): Promise<string | undefined>
  /** A folder's names in order, none where there is no folder. */
  list(path: string): Promise<readonly string[]>
  /** Whether something is there; a link counts by itself, not by what it points to. */
  exists(path: string): Promise<boolean>
  /** 64 hexadecimal digits, or undefined where there is no such file. */
  sha256(path: string): Promise<string | undefined>
  /** A command that only looks; its code may be anything. */
  query(argv: readonly string[], options?: Pick<RunOptions, 'most' | 'stdin'>): Promise<ExecResult>
}
