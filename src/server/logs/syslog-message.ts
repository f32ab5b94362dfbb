// A line as a syslog message (RFC 5424), and messages in a stream (RFC 6587, octet counting).
import type { LogLevel } from '../../model/logging-config.ts'
import { severityOf } from './levels.ts'

/** Who the messages come from; the same for all of them. */
export interface Sender {
  /** Its number, see {@link facilities}. */
  readonly facility: number
  readonly hostname: string
  readonly pid: number
}

/** The numbers of RFC 5424, 6.2.1, by the names of syslog(3). */
export const facilities: Readonly<Record<string, number>> = {
  ...{ user: 1, mail: 2, daemon: 3, auth: 4, syslog: 5, lpr: 6, news: 7, uucp: 8, cron: 9, authpriv: 10, ftp: 11 },
  ...Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`local${index}`, 16 + index])),
}

// rsyslog takes 8 KiB of a message (maxMessageSize), and RFC 5425, 4.3.1, asks receivers for as much.
const longestMessage = 8192

/** @param line JSON without its end */
export function syslogMessage(level: LogLevel, line: string, { facility, hostname, pid }: Sender): Buffer {
  const time = /"time":"([^"]{1,30})"/.exec(line)?.[1] ?? new Date().toISOString()
  const priority = facility * 8 + severityOf[level]
  // RFC 5424, 6.2.4: printable ASCII, at most 255.
  const host = hostname.replace(/[^!-~]/g, '').slice(0, 255) || '-'
  const message = Buffer.from(`<${priority}>1 ${time} ${host} network_server ${pid} - - ${line}`)
  if (message.length <= longestMessage) return message
  // Not within a character: its later bytes are 10xxxxxx.
  let end = longestMessage
  while (end > 0 && ((message[end] ?? 0) & 0xc0) === 0x80) end--
  return message.subarray(0, end)
}

export const counted = (message: Buffer): Buffer => Buffer.concat([Buffer.from(`${message.length} `), message])
