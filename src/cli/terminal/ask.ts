// Asks whoever sits at the terminal, by a line of which what is typed is shown or hidden.
import type { CommandContext } from '../command.ts'
import { shownText } from '../../model/escape.ts'
import { printerTo } from './printer.ts'
import type { Spinner } from './spinner.ts'

type Typed = 'shown' | 'hidden'

/** A way to ask; undefined where nobody sits at a terminal. */
export function askerFor(signal: AbortSignal, spinner: Spinner, typed: Typed): CommandContext['ask'] {
  // In this order: looking at standard input opens it.
  if (!process.stderr.isTTY || !process.stdin.isTTY) return undefined
  return (question) => {
    spinner.stop()
    return ask(question, signal, typed)
  }
}

/** Asks whoever sits at the terminal; an empty answer where they leave it with Ctrl-C or Ctrl-D. */
async function ask(question: string, signal: AbortSignal, typed: Typed): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const { Writable } = await import('node:stream')
  // The line editor shows what is typed by writing it; what is hidden goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const hidden = typed === 'hidden'
  const print = printerTo(process.stderr)
  if (hidden) print(question)
  const output = hidden ? nowhere : process.stderr
  const terminal = createInterface({ input: process.stdin, output, terminal: true, historySize: hidden ? 0 : 30 })
  // In raw mode the terminal hands us the key instead of the signal.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const closed = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
    return await Promise.race([terminal.question(hidden ? '' : shownText(question), { signal }), closed])
  } catch {
    // Left with Ctrl-C: whoever asked gets no answer.
    return ''
  } finally {
    terminal.close()
    if (hidden) print('\n')
  }
}
