// Redraws a frame in place at the bottom of a terminal; lines that are to stay go above it.
import { rendered, type Line } from '../../painted.ts'
import type { View } from '../../screen.ts'
import type { Size } from './live.ts'
import { widthOf } from './text.ts'

// As often as an eye follows, and seldom enough for a slow line.
const drawEveryMs = 100

// xterm's control sequences; terminals without synchronized output (mode 2026) ignore it.
const escape = {
  up: (lines: number) => (lines > 0 ? `\u001b[${lines}A` : ''),
  eraseLine: '\u001b[2K',
  eraseBelow: '\u001b[J',
  hideCursor: '\u001b[?25l',
  showCursor: '\u001b[?25h',
  synchronized: (text: string) => `\u001b[?2026h${text}\u001b[?2026l`,
}

/** The terminal that a view draws on. */
export interface Surface {
  size(): Size
  write(text: string): void
}

/** Draws what `frame` returns, again and again until it is stopped; the last frame stays on the screen. */
export function liveView(surface: Surface, frame: (size: Size) => readonly Line[]): View {
  const now = (): readonly string[] => frame(surface.size()).map(rendered)
  let drawn: readonly string[] = []
  const draw = (lines: readonly string[], above: readonly string[] = []): void => {
    const size = surface.size()
    const text = [...above, ...lines].map((line) => `${escape.eraseLine}${line}\n`).join('')
    // What is to stay may be longer than a row: nothing old must be where it goes on.
    const start = `\r${escape.up(heightOf(drawn, size))}${above.length === 0 ? '' : escape.eraseBelow}`
    surface.write(escape.synchronized(`${start}${text}${escape.eraseBelow}`))
    drawn = lines
  }
  const refresh = (): void => {
    const lines = now()
    if (lines.join('\n') !== drawn.join('\n')) draw(lines)
  }
  const restore = (): void => surface.write(escape.showCursor)
  const onTerm = (): void => {
    stop()
    process.kill(process.pid, 'SIGTERM')
  }
  const stop = (): void => {
    if (stopped) return
    stopped = true
    clearInterval(timer)
    process.off('exit', restore).off('SIGTERM', onTerm)
    // In any case: the terminal may have shown a ^C below.
    draw(now())
    restore()
  }
  let stopped = false
  surface.write(escape.hideCursor)
  const timer = setInterval(refresh, drawEveryMs)
  timer.unref()
  // A second Ctrl-C or a signal ends the process without coming back here.
  process.once('exit', restore).once('SIGTERM', onTerm)
  return { line: (text) => draw(now(), rendered(text).split('\n')), stop }
}

/** How many rows drawn lines take now: a terminal that was made narrower has wrapped them. */
const heightOf = (lines: readonly string[], { columns }: Size): number =>
  lines.reduce((height, line) => height + Math.max(1, Math.ceil(widthOf(line) / columns)), 0)
