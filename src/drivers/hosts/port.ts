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
  query(argv: readonly string[], options?: Pick<RunOptions, 'most'>): Promise<ExecResult>
}
