import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BackupEntry } from '../../../../src/model/backup.ts'
import { backupEntryOf } from '../../../support/backups.ts'
import { fakeConnections, unreachable } from '../../../support/fake-hosts.ts'
import { runCommand } from '../../../support/run-in-process.ts'
import { smallFleet, type SmallFleet } from '../../../support/small-fleet.ts'

let fleet: SmallFleet
beforeAll(async () => {
  fleet = await smallFleet()
})
afterAll(() => fleet.remove())

const catalogue = '/var/lib/netops/backups'
const now = Date.parse('2026-11-27T12:00:00Z')
const hour = 3_600_000
const verified = { at: '2026-11-27T03:00:00.000Z', how: 'stored', share: 1 } as const
const good = (agoMs: number, more: Partial<BackupEntry> = {}) => backupEntryOf(now - agoMs, { verified, ...more })
const marked = { '/etc/netops/environment': 'staging\n' }

/** A host with these entries, and what else lies in its catalogue by name. */
function hostWith(entries: readonly BackupEntry[], others: Readonly<Record<string, string>> = {}) {
  const texts = [
    ...entries.map((entry) => [`${entry.id}.json`, JSON.stringify(entry, undefined, 2)] as const),
    ...Object.entries(others),
  ]
  const tail = texts.map(([name, text]) => `==> ${catalogue}/${name} <==\n${text}\n`).join('\n')
  return {
    files: {
      ...marked,
      ...Object.fromEntries(texts.map(([name, text]) => [`${catalogue}/${name}`, text])),
      '/var/lib/network_system/state.db': '',
      '/var/lib/network_system/checkpoints/checkpoint-20261127T113000000Z.db': '',
    },
    commands: [
      [/^find -H \/var\/lib\/netops\/backups /, { stdout: tail }] as const,
      [/^date \+%s\.%N$/, { stdout: `${now / 1000}.0\n` }] as const,
    ],
  }
}

const newest = good(9 * hour, { checkpoint: { file: 'checkpoint-x.db', takenAt: '2026-11-27T02:59:00.000Z' } })
const older = good(33 * hour, { troubles: { unreadable: 2, vanished: 0, changed: 0, missing: 0 } })
const broken = good(57 * hour, { damage: { at: verified.at, what: ['the archive is missing\nand so on'] } })
const hosts = () =>
  fakeConnections({
    web1: hostWith([newest, older, { ...good(10 * hour), sameAs: newest.id, verified: null }]),
    web2: hostWith([broken], { 'config_20200101_000000.json': '{' }),
    db1: unreachable,
  })
const netops = (words: string) => runCommand(words, { cwd: fleet.cwd, connections: hosts() })

describe('netops backup list', () => {
  it('tells what is proven of each, and what cannot be read', async () => {
    const { exit, stdout } = await netops('backup list')
    expect({ exit, stdout }).toMatchInlineSnapshot(`
      {
        "exit": 4,
        "stdout": "web1: 3 backups, 2.0 KB
        config_20261127_030000  1.0 KB  12 entries  read back 2026-11-27T03:00Z                         1.0.0-0123456789ab
        config_20261127_020000  (same)  12 entries  not verified                                        1.0.0-0123456789ab
        config_20261126_030000  1.0 KB  12 entries  read back 2026-11-27T03:00Z, 2 not as it should be  1.0.0-0123456789ab
      web2: 1 backup, 1.0 KB
        config_20261125_030000  1.0 KB  12 entries  DAMAGED  1.0.0-0123456789ab
        /var/lib/netops/backups/config_20200101_000000.json is damaged: it is cut off, or no JSON
          hint: put it aside: mv -- /var/lib/netops/backups/config_20200101_000000.json /var/lib/netops/backups/config_20200101_000000.json.aside
      db1: connection refused
        hint: is its sshd running?
      ",
      }
    `)
  })

  it('gives scripts the entries themselves', async () => {
    const { exit, json } = await netops('backup list --hosts web1 --json')
    expect(exit).toBe(0)
    expect(JSON.parse(json)).toMatchObject({ ok: true, hosts: [{ host: 'web1', backups: [newest, {}, older] }] })
  })
})

describe('netops backup show', () => {
  it('tells all of one, with the command that restores it without netops', async () => {
    const { exit, stdout } = await netops('backup show --hosts web1')
    expect({ exit, stdout }).toMatchInlineSnapshot(`
      {
        "exit": 0,
        "stdout": "web1: config_20261127_030000
        made      2026-11-27T03:00:00.000Z, in 1.5 s
        archive   /var/backups/network_system/config_20261127_030000.tar.gz
        size      1.0 KB of 10.2 KB, 12 entries
        release   1.0.0-0123456789ab
        state     checkpoint-x.db as of 2026-11-27T02:59:00.000Z, data schema 2
        proof     read back 2026-11-27T03:00Z
        left out  3
        copies    none
        restore   tar --extract --gzip --file /var/backups/network_system/config_20261127_030000.tar.gz --directory / --same-owner --preserve-permissions --acls --xattrs '--xattrs-include=*'
      ",
      }
    `)
  })

  it('names what is damaged, on lines of its own', async () => {
    const { stdout } = await netops(`backup show ${broken.id} --hosts web2`)
    expect(stdout).toContain('  damage: the archive is missing\\x0aand so on\n')
  })

  it('says where there is none of that id', async () => {
    const { exit, stdout } = await netops('backup show config_20200101_000000 --hosts web1')
    expect({ exit, stdout }).toEqual({
      exit: 1,
      stdout: 'web1: there is no backup config_20200101_000000\n  hint: see which there are: netops backup list\n',
    })
  })
})

describe('netops backup status', () => {
  it('holds each host against the objectives', async () => {
    const { exit, stdout } = await netops('backup status')
    expect({ exit, stdout }).toMatchInlineSnapshot(`
      {
        "exit": 5,
        "stdout": "web1: in time, 3 backups (2 good), 2.0 KB
        configuration  at most 24 h    9 h old     in time  config_20261127_030000
        state          at most 60 min  30 min old  in time  checkpoint
        log            at most 1 min   -           -        SQLite: its log is not copied, only checkpoints are
        verified       at most 7 d     9 h old     in time  config_20261127_030000
      web2: BEHIND, 1 backup (0 good), 1.0 KB
        configuration  at most 24 h    -           BEHIND   no good backup (config_20261125_030000 is damaged)
        state          at most 60 min  30 min old  in time  checkpoint
        log            at most 1 min   -           -        SQLite: its log is not copied, only checkpoints are
        verified       at most 7 d     -           BEHIND   none was read back
        damaged: /var/lib/netops/backups/config_20200101_000000.json is damaged: it is cut off, or no JSON
        damaged: config_20261125_030000: the archive is missing\\x0aand so on
        hint: netops backup; what is not verified: netops backup verify
      db1: connection refused
        hint: is its sshd running?
      ",
      }
    `)
  })
})

describe('netops backup expire', () => {
  it('gives a reason for each in a dry run', async () => {
    const { exit, stdout } = await netops('backup expire --dry-run --hosts web1,web2')
    expect({ exit, stdout }).toMatchInlineSnapshot(`
      {
        "exit": 0,
        "stdout": "web1: nothing to remove
        keep  config_20261127_030000  the last good one
        keep  config_20261127_020000  not verified; within 30 d of the newest good one
        keep  config_20261126_030000  within 30 d of the newest good one
      web2: nothing to remove
        keep  config_20261125_030000  there is no good one to count from

      Dry run: nothing was changed.
      ",
      }
    `)
  })
})

describe('netops backup verify', () => {
  it.each([
    ['a name that is none', 'backup verify yesterday', 'yesterday: expected an id such as config_20261127_020000'],
    ['ids beside all', `backup verify --all ${newest.id}`, '--all: expected without ids'],
    ['a share that is none', 'backup verify --sample 0%', '--sample: expected a share such as 10%'],
  ])('refuses %s', async (_, words, message) => {
    const { exit, stderr } = await netops(words)
    expect(exit).toBe(2)
    expect(stderr).toContain(message)
  })
})
