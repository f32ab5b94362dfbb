// What setting up the archive of a log does itself: the file with the password, the slot on the server, settings there, and
// waiting for the log to come.
import { setTimeout as sleep } from 'node:timers/promises'
import * as z from 'zod'
import { NetopsError } from '../../model/errors.ts'
import { hostPaths } from '../../model/paths.ts'
import { quoteCommand } from '../../model/quote.ts'
import { formatDuration } from '../../model/units.ts'
import { archiveRecord, type ArchiveRecord } from '../../postgres/archive-record.ts'
import { askText, refusalOf, type Asking } from '../../postgres/ask.ts'
import { configuredLogin } from '../../postgres/config-login.ts'
import { passfileText, programEnvironment } from '../../postgres/login.ts'
import { createSlotCommand, dropSlotCommand, type Receiver } from '../../postgres/receiver.ts'
import { readServerFacts } from '../../postgres/server-facts.ts'
import { exec } from '../../system/exec.ts'
import { listIfAny, readTextIfAny, writeFileAtomic } from '../../system/files.ts'
import { refuseDistrustedHere } from '../../system/folder-trust.ts'
import { defineWork } from '../work.ts'
import { settingStatements } from './facts.ts'

const at = { root: z.string() }

/** How the programs of PostgreSQL are called for an archive that is set up below a root. */
export const receiverOf = (root: string, record: ArchiveRecord): Receiver => {
  const { bin, login, folder, slot, synchronous } = record
  return { bin, login, passfile: hostPaths(root).walPassfile, folder, slot, synchronous }
}

const askingOf = (root: string, { bin, login }: ArchiveRecord): Asking => ({
  run: exec,
  ...{ bin, login, host: 'local', password: { passfile: hostPaths(root).walPassfile } },
})

export const writePassfile = defineWork({
  name: 'wal-passfile',
  input: z.strictObject({ ...at, record: archiveRecord, passwordFile: z.string().exactOptional() }),
  changes: true,
  brief: true,
  show: ({ root, record }) => [
    `# the password of ${record.login.user} goes into ${hostPaths(root).walPassfile}, for root alone`,
  ],
  async run({ root, record, passwordFile }) {
    const { walPassfile, state } = hostPaths(root)
    const { user } = record.login
    await refuseDistrustedHere([state])
    const { login, password } = await configuredLogin(readTextIfAny, root, { user, passwordFile })
    await writeFileAtomic(walPassfile, passfileText(login, password ?? ''), 0o600)
    // Before anything hangs on it.
    await askText(askingOf(root, record), 'SELECT 1')
    return null
  },
})

const dropWithinMs = 10_000

export const changeSlot = defineWork({
  name: 'wal-slot',
  input: z.strictObject({ ...at, action: z.enum(['create', 'drop']), record: archiveRecord }),
  changes: true,
  brief: true,
  show: ({ root, action, record }) => [
    quoteCommand((action === 'create' ? createSlotCommand : dropSlotCommand)(receiverOf(root, record))),
  ],
  async run({ root, action, record }) {
    const argv = (action === 'create' ? createSlotCommand : dropSlotCommand)(receiverOf(root, record))
    const deadline = performance.now() + dropWithinMs
    for (;;) {
      const { code, stderr } = await exec(argv, { env: programEnvironment, timeoutMs: 30_000, most: 1 << 20 })
      if (code === 0 || (action === 'drop' && /does not exist/.test(stderr))) return null
      // Who received through it has only just ended.
      if (!/is active for PID/.test(stderr) || performance.now() > deadline) throw refusalOf(stderr, record.login)
      await sleep(200)
    }
  },
})

export const alterSystem = defineWork({
  name: 'alter-system',
  input: z.strictObject({
    ...at,
    record: archiveRecord,
    settings: z.record(z.string().regex(/^[a-z_]+$/), z.string().nullable()),
  }),
  changes: true,
  brief: true,
  show: ({ settings }) => [...settingStatements(settings), 'SELECT pg_reload_conf();'],
  async run({ root, record, settings }) {
    await askText(askingOf(root, record), ...settingStatements(settings), 'SELECT pg_reload_conf()')
    return null
  },
})

export const awaitLog = defineWork({
  name: 'await-wal',
  input: z.strictObject({ ...at, record: archiveRecord, withinMs: z.int(), logs: z.string() }),
  changes: false,
  brief: true,
  show: ({ record, withinMs }) => [
    `# (wait) until the log comes into ${record.folder}, at most ${formatDuration(withinMs)}`,
  ],
  async run({ root, record, withinMs, logs }) {
    const asking = askingOf(root, record)
    const deadline = performance.now() + withinMs
    const { mode, folder, slot } = record
    // A server that nobody writes to ends no segment by itself.
    const before = mode === 'stream' ? '' : await askText(asking, 'SELECT pg_walfile_name(pg_switch_wal())')
    for (;;) {
      const names = await listIfAny(folder)
      const isThere = mode === 'stream' ? names.some((name) => /^[0-9A-F]{24}/.test(name)) : names.includes(before)
      if (isThere && (mode !== 'stream' || (await readServerFacts(asking, slot)).slot?.active === true)) return null
      if (performance.now() > deadline) {
        throw new NetopsError('unhealthy', {
          message: `no log came into ${folder} within ${formatDuration(withinMs)}`,
          hint:
            mode === 'stream'
              ? `see what the receiver said: ${logs}; where the server has removed what comes next to the log that is there, begin anew beside it: ${quoteCommand(['mv', '--', folder, `${folder}-before`])}`
              : "see the server's own log: its archive_command failed",
        })
      }
      await sleep(200)
    }
  },
})
