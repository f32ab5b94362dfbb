// A line of the server's log as people read it.
import { parseLogLine } from '../../procedures/logs/lines.ts'
import { shownText } from '../../model/escape.ts'

interface LineStyle {
  /** 1 shows the release too. */
  readonly verbosity: number
  readonly now: Date
}

/** `10:03:01 INFO  ready  {"address":"127.0.0.1:8080"}`, in this machine's time zone; with the day unless it is today's. */
export function readable(line: string, { verbosity, now }: LineStyle): string {
  const entry = parseLogLine(line)
  if (entry === undefined) return line
  const { level, msg } = entry.fields
  const shown = verbosity > 0 ? ['time', 'level', 'msg'] : ['time', 'level', 'msg', 'release']
  const more = Object.fromEntries(Object.entries(entry.fields).filter(([name]) => !shown.includes(name)))
  // A message that holds an end of line must not make two lines, of which the second says what it likes.
  const textOf = (value: unknown): string =>
    typeof value === 'string' ? shownText(value) : JSON.stringify(value ?? '-')
  const words = [clock(new Date(entry.ms), now), textOf(level).padEnd(5), msg === undefined ? '' : textOf(msg)]
  return words.join(' ') + (Object.keys(more).length === 0 ? '' : `  ${JSON.stringify(more)}`)
}

function clock(at: Date, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = (date: Date): string => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')
  return day(at) === day(now) ? time : `${day(at)} ${time}`
}
