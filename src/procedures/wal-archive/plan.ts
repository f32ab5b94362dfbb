// Decides how the log of a host's database comes to be archived, or how that ends. Pure.
import { dirname } from 'node:path'
import type { Effect } from '../../model/effects.ts'
import { puttingBack } from '../../model/effects.ts'
import type { Json } from '../../model/json.ts'
import { below, hostPaths, walUnitName } from '../../model/paths.ts'
import { sequence, type Group, type Step } from '../../model/plan.ts'
import { unitCommand } from '../../model/unit-command.ts'
import type { ArchiveRecord } from '../../postgres/archive-record.ts'
import { receiveCommand } from '../../postgres/receiver.ts'
import { render } from '../../system/template.ts'
import { wantedSettings, type ServerStanding, type WalArchiveFacts } from './facts.ts'
import type { WalArchiveRequest } from './request.ts'
import { alterSystem, awaitLog, changeSlot, receiverOf, writePassfile } from './works.ts'

// The receiver connects at once, and the server shows it in the same second; a server that is busy has time.
const logWithinMs = 30_000

interface StepParts {
  readonly act: readonly Effect[]
  readonly undo?: readonly Effect[]
  readonly unchanged?: boolean
  readonly commits?: true
}

type MakeStep = (id: string, title: string, parts: StepParts) => Step

const stepsFor =
  (host: string): MakeStep =>
  (id, title, { act, undo = [], unchanged = false, commits }) => ({
    kind: 'step',
    ...{ id, host, title },
    act: unchanged ? [] : [...act],
    undo: unchanged ? [] : [...undo],
    ...(unchanged ? { unchanged: true } : {}),
    ...(commits === undefined ? {} : { commits }),
  })

const work = (name: string, input: Json): Effect => ({ kind: 'work', work: name, input })
const service = (
  action: 'start' | 'stop' | 'restart' | 'enable' | 'disable' | 'reload-units' | 'forget-failures',
): Effect => ({
  kind: 'service',
  unit: walUnitName,
  action,
})

/**
 * The steps that are left to do.
 * @param template the text of templates/network_wal_archive.service
 */
export function planWalArchive(request: WalArchiveRequest, facts: WalArchiveFacts, template: string): Group {
  const { server } = facts
  if (server === undefined) return takeDown(request, facts)
  return setUp(request, facts, { server, template })
}

interface SetUp {
  readonly server: ServerStanding
  readonly template: string
}

function setUp(request: WalArchiveRequest, facts: WalArchiveFacts, { server, template }: SetUp): Group {
  const { root, mode, slot, synchronous, host } = request
  const paths = hostPaths(root)
  const to = below(root, request.to)
  const { login, bin, segmentBytes, systemId } = server
  const record: ArchiveRecord = {
    ...{ schema: 'netops/wal-archive/v1', mode, folder: `${to}/wal`, slot, synchronous },
    ...{ login, bin, segmentBytes, systemId },
  }
  const step = stepsFor(host)
  const isSame = JSON.stringify(facts.record) === JSON.stringify(record)
  const { passwordFile } = request
  return sequence(`Archive the log of the database on ${host}`, [
    step('folder', `Make ${record.folder}`, {
      unchanged: facts.folders.wal,
      act: [
        ...(facts.folders.to
          ? []
          : [{ kind: 'directory', path: to, mode: mode === 'stream' ? '0700' : '0711' } as const]),
        {
          kind: 'directory',
          path: record.folder,
          mode: '0700',
          ...(mode === 'stream' ? {} : { owner: request.account }),
        },
      ],
      undo: [
        { kind: 'remove-empty', path: record.folder },
        ...(facts.folders.to ? [] : [{ kind: 'remove-empty', path: to } as const]),
      ],
    }),
    step('password', "Keep the password for PostgreSQL's own programs", {
      unchanged: facts.passfile === 'same',
      act: [work(writePassfile.name, { root, record, ...(passwordFile === undefined ? {} : { passwordFile }) })],
      // Another one did not fit any more: the configuration says otherwise.
      undo: facts.passfile === 'none' ? [{ kind: 'remove', path: paths.walPassfile }] : [],
    }),
    step('record', 'Write down how it is archived', {
      unchanged: isSame,
      act: [{ kind: 'write', path: paths.walArchive, mode: '0600', content: `${JSON.stringify(record)}\n` }],
      undo: putBack(paths.walArchive, facts.record === undefined ? undefined : `${JSON.stringify(facts.record)}\n`),
    }),
    ...(mode === 'stream'
      ? receiving(request, facts, { record, server, template, step, isSame })
      : commanding(request, { record, server, step, facts })),
  ])
}

const putBack = (path: string, text: string | undefined, mode = '0600'): Effect[] =>
  text === undefined ? [{ kind: 'remove', path }] : puttingBack([{ kind: 'write', path, mode, content: text }])

interface Parts {
  readonly record: ArchiveRecord
  readonly server: ServerStanding
  readonly step: MakeStep
}

function receiving(
  { root }: WalArchiveRequest,
  facts: WalArchiveFacts,
  { record, server, template, step, isSame }: Parts & { readonly template: string; readonly isSame: boolean },
): readonly Step[] {
  const { walUnit } = hostPaths(root)
  const command = unitCommand(receiveCommand(receiverOf(root, record)))
  const unit = render(template, { command, folder: record.folder })
  const unitSame = facts.unit === unit
  const runs = facts.service === 'running' || facts.service === 'starting'
  const isRunning = unitSame && isSame && runs && facts.passfile === 'same'
  return [
    step('slot', `Make the replication slot ${record.slot}, for which the server keeps what was not received`, {
      unchanged: server.hasSlot,
      act: [work(changeSlot.name, { root, action: 'create', record })],
      undo: [work(changeSlot.name, { root, action: 'drop', record })],
    }),
    step('unit', 'Write the unit that receives the log', {
      unchanged: unitSame,
      act: [
        ...(facts.folders.units ? [] : [{ kind: 'directory', path: dirname(walUnit), mode: '0755' } as const]),
        { kind: 'write', path: walUnit, mode: '0644', content: unit },
        service('reload-units'),
      ],
      undo: [...putBack(walUnit, facts.unit, '0644'), service('reload-units')],
    }),
    step('start', 'Start it', {
      unchanged: isRunning,
      act: [service('enable'), service('forget-failures'), service(runs ? 'restart' : 'start')],
      undo: runs ? [service('restart')] : [service('stop'), ...(facts.unit === undefined ? [service('disable')] : [])],
    }),
    step('receiving', 'The log comes', {
      unchanged: isRunning && server.isReceiving,
      act: [work(awaitLog.name, { root, record, withinMs: logWithinMs, logs: facts.logs })],
    }),
  ]
}

function commanding(
  request: WalArchiveRequest,
  { record, server, step, facts }: Parts & { readonly facts: WalArchiveFacts },
): readonly Step[] {
  const { root } = request
  const wanted = wantedSettings(request)
  const { settings = {}, archives } = server
  const isSet =
    server.settings === undefined || Object.entries(wanted).every(([name, value]) => settings[name]?.value === value)
  const before = Object.fromEntries(
    Object.keys(wanted).map((name) => [name, settings[name]?.isOurs === true ? settings[name].value : null]),
  )
  const title = 'Have the server copy each segment itself'
  return [
    step('settings', archives ? title : `${title}; that takes effect when it is restarted`, {
      unchanged: isSet,
      act: [work(alterSystem.name, { root, record, settings: { ...wanted } })],
      undo: [work(alterSystem.name, { root, record, settings: before })],
    }),
    step('receiving', archives ? 'The log comes' : 'The log comes, once the server was restarted', {
      unchanged: !archives || server.settings === undefined,
      act: [work(awaitLog.name, { root, record, withinMs: logWithinMs, logs: facts.logs })],
    }),
  ]
}

function takeDown({ root, host }: WalArchiveRequest, facts: WalArchiveFacts): Group {
  const { walUnit, walPassfile, walArchive } = hostPaths(root)
  const { record } = facts
  const step = stepsFor(host)
  const steps: readonly (Step | undefined)[] = [
    facts.unit === undefined
      ? undefined
      : step('stop', 'Stop what receives the log', {
          act: [service('stop'), service('disable')],
          undo: [service('enable'), service('start')],
        }),
    record?.mode !== 'stream'
      ? undefined
      : step('slot', `Remove the replication slot ${record.slot}: the server keeps nothing for it any more`, {
          act: [work(changeSlot.name, { root, action: 'drop', record })],
          commits: true,
        }),
    record?.mode !== 'archive_command'
      ? undefined
      : step('settings', 'Have the server copy its segments no more', {
          act: [work(alterSystem.name, { root, record, settings: { archive_command: null, archive_timeout: null } })],
          commits: true,
        }),
    facts.unit === undefined
      ? undefined
      : step('unit', 'Remove the unit', { act: [{ kind: 'remove', path: walUnit }, service('reload-units')] }),
    step('record', `Remove what netops knows of it; the log in ${record?.folder ?? 'its folder'} stays`, {
      act: [
        { kind: 'remove', path: walArchive },
        { kind: 'remove', path: walPassfile },
      ],
    }),
  ]
  return sequence(
    `Archive the log of the database on ${host} no more`,
    steps.filter((one) => one !== undefined),
  )
}
