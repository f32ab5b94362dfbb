// Carries out the commands of network_server for whoever operates it, and says what came of them.
import { dirname, join, resolve } from 'node:path'
import { dataSchema } from '../../model/data-schema.ts'
import { NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { hostPaths } from '../../model/paths.ts'
import { formatBytes, formatDuration } from '../../model/units.ts'
import { textUpTo } from '../../system/bounded.ts'
import { checkpointOrder } from '../checkpoints/order.ts'
import { takenCheckpoint } from '../../model/checkpoint.ts'
import { checkpointFolder, controlFolder, databaseName } from '../standing/places.ts'
import { askService } from '../control/client.ts'
import type { ControlRequest, ControlResult } from '../control/protocol.ts'
import { primaryAddress } from '../standing/role.ts'
import { openAndBecomeOwner, requireDataFolder } from './owner.ts'
import { parseOperation, type Operation } from './words.ts'

/** What came of a command: for scripts, and for people. */
interface Result {
  readonly data: Readonly<Record<string, unknown>>
  readonly text: string
}

/** What the service answered. */
interface Ask extends Result {
  readonly data: ControlResult
}

// What only looks into memory.
const quickAnswerMs = 10_000
// The service itself gives up a checkpoint after checkpoint.timeout; a day is longer than any.
const checkpointAnswerMs = 86_400_000

/**
 * Carries out the command and prints what came of it.
 * @returns the exit code
 * @throws NetopsError where it failed and nobody asked for JSON
 */
export async function operate(argv: readonly string[], print: (text: string) => void): Promise<number> {
  const operation = parseOperation(argv)
  try {
    const { data, text } = await carryOut(operation)
    print(operation.json || operation.kind === 'take' ? JSON.stringify(data) : text)
    return 0
  } catch (error) {
    if (!(error instanceof NetopsError) || !(operation.json || operation.kind === 'take')) throw error
    const { code, message, hint } = error
    print(JSON.stringify({ error: { code, message, ...(hint === undefined ? {} : { hint }) } }))
    return error.exit
  }
}

async function carryOut(operation: Operation): Promise<Result> {
  const root = resolve(operation.root)
  switch (operation.kind) {
    case 'ask':
      return ask(root, operation.request)
    case 'role':
      return roleOf(await ask(root, { command: 'status' }))
    case 'restore':
      return restoreFrom(root, operation)
    case 'take': {
      const { takeCheckpointBehind } = await import('../checkpoints/take.ts')
      const order = checkpointOrder.parse(parseJson(await textUpTo(process.stdin, 65_536, 'the order')))
      return { data: await takeCheckpointBehind(order), text: '' }
    }
  }
}

/** Of all that the service says of itself. */
function roleOf({ data: { role = null, primary = null } }: Ask): Result {
  const data = { role, primary }
  return { data, text: linesOf(data) }
}

async function ask(root: string, request: ControlRequest): Promise<Ask> {
  if (request.command === 'role' && request.role === 'standby' && request.primary !== undefined) {
    const checked = primaryAddress.safeParse(request.primary)
    if (!checked.success) {
      const message = `--primary: ${checked.error.issues[0]?.message ?? 'expected an address'}`
      throw new NetopsError('usage', { message })
    }
  }
  const timeoutMs = request.command === 'checkpoint' ? checkpointAnswerMs : quickAnswerMs
  const data = await askService(request, { folder: controlFolder(root), timeoutMs })
  return { data, text: textOf(request, data) }
}

function textOf({ command }: ControlRequest, data: ControlResult): string {
  if (command === 'checkpoint') {
    const { path, bytes, sha256, ms } = takenCheckpoint.parse(data)
    return `${path} (${formatBytes(bytes)}, ${formatDuration(ms)})\nsha256 ${sha256}`
  }
  return linesOf(data)
}

const linesOf = (data: ControlResult): string =>
  Object.entries(data)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('\n')

async function restoreFrom(root: string, { which, dryRun }: Extract<Operation, { kind: 'restore' }>): Promise<Result> {
  const { dataDir } = hostPaths(root)
  const { openSource } = await import('../checkpoints/source.ts')
  const { restore } = await import('../checkpoints/restore.ts')
  await requireDataFolder(root, dataDir)
  const checkpoints = checkpointFolder(root)
  const folder = which === 'latest' ? checkpoints : dirname(resolve(which))
  const source = await openAndBecomeOwner(dataDir, folder, () => openSource(which, checkpoints))
  try {
    const schemas = dataSchema.reads
    const done = await restore({ source, dataDir, database: databaseName, schemas, dryRun })
    const size = formatBytes(done.bytes)
    const kept = done.kept === undefined ? '' : `\nwhat was there before is kept as ${done.kept}`
    const text = dryRun
      ? `${done.from} can be restored (${size}, data schema ${done.schema})\n\nDry run: nothing was changed.`
      : `restored ${done.from} (${size}, data schema ${done.schema}) to ${join(dataDir, databaseName)}${kept}`
    return { data: { ...done, dryRun }, text }
  } finally {
    await source.handle.close()
  }
}
