// A command in a terminal of its own: a private tmux server for one test, gone when the test ends.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { exec, execText } from '../../src/system/exec.ts'
import { until } from './fleet.ts'

export interface Terminal {
  /** What stands on the screen, without blanks at the ends of lines and of the screen. */
  screen(): Promise<string>
  /** The screen once it shows something. */
  shows(what: RegExp): Promise<string>
  type(key: string): Promise<void>
  resize(columns: number, rows: number): Promise<void>
  cursorIsVisible(): Promise<boolean>
}

/** Runs a command in a terminal of 80 columns and 24 rows; when it ends, the screen shows `exit` and its code below. */
export async function inTerminal(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Terminal> {
  const folder = await mkdtemp(join(tmpdir(), 'netops-tmux-'))
  const settings = join(folder, 'tmux.conf')
  await writeFile(settings, 'set -g status off\n')
  const own = ['tmux', '-S', join(folder, 'socket'), '-u', '-f', settings]
  const tmux = (...words: string[]): Promise<string> => execText([...own, ...words])
  onTestFinished(async () => {
    await exec([...own, 'kill-server'])
    await rm(folder, { recursive: true, force: true })
  })
  const script = `trap : INT; "$@"; echo "exit $?"; exec sleep 600`
  const start = [...own, 'new-session', '-d', '-x', '80', '-y', '24']
  // The colours of the terminal that the tests themselves run in are not those of this one.
  const clean = { NO_COLOR: undefined, FORCE_COLOR: undefined, ...env }
  await execText([...start, '--', 'sh', '-c', script, 'sh', ...argv], { env: clean })
  const screen = async (): Promise<string> =>
    (await tmux('capture-pane', '-p'))
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd()
  return {
    screen,
    shows: async (what) =>
      until(async () => {
        const shown = await screen()
        return what.test(shown) && shown
      }).catch(async () => {
        throw new Error(`the screen did not come to show ${String(what)}:\n${await screen()}`)
      }),
    async type(key) {
      await tmux('send-keys', key)
    },
    async resize(columns, rows) {
      await tmux('resize-window', '-x', String(columns), '-y', String(rows))
    },
    cursorIsVisible: async () => (await tmux('display-message', '-p', '#{cursor_flag}')).trim() === '1',
  }
}
