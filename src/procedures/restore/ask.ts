// Has the netops that lies on a host look at a backup there. An archive is looked at where it lies, and by plain commands
// nobody can: so this is a command of netops.
import * as z from 'zod'
import type { HostReader } from '../../drivers/hosts/port.ts'
import { errorCodes, NetopsError } from '../../model/errors.ts'
import { parseJson } from '../../model/json.ts'
import { hostLook, type HostLook } from './request.ts'
import type { Asked } from './look.ts'

// Lists of a hundred paths each, and what was left out of the archive.
const mostOfAnswer = 64 * 2 ** 20

const refusal = z.object({
  error: z.object({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }),
})

const lookCommand = (netops: string, asked: Asked): readonly string[] => [
  ...[netops, 'host', 'restore-look', asked.which],
  ...wordsOf(asked),
]

/** The command that unpacks it into a folder and does nothing else. */
export const unpackCommand = (netops: string, asked: Asked, to: string): readonly string[] => [
  ...[netops, 'host', 'restore-unpack', asked.which],
  ...wordsOf(asked),
  ...['--to', to],
]

const wordsOf = ({ root, from, only }: Asked): readonly string[] => [
  ...['--json', '--root', root],
  ...(from === undefined ? [] : ['--from', from]),
  ...only.flatMap((one) => ['--only', one]),
]

/** @throws NetopsError what the host's netops says; `failed` where there is none */
export async function askForLook(reader: HostReader, netops: string, asked: Asked): Promise<HostLook> {
  const said = await reader.query(lookCommand(netops, asked), { most: mostOfAnswer })
  return answerOf(netops, said, z.object({ restore: hostLook })).restore
}

interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * What a command of the host's netops printed with `--json`.
 * @throws NetopsError what it says; `failed` where there is no netops
 */
export function answerOf<T>(netops: string, { code, stdout, stderr }: Said, schema: z.ZodType<T>): T {
  // A login banner may stand before the document.
  const document = parseJson(stdout.trim().split('\n').at(-1) ?? '')
  const found = schema.safeParse(document)
  if (code === 0 && found.success) return found.data
  const refused = refusal.safeParse(document)
  if (refused.success) throw new NetopsError(refused.data.error.code, refused.data.error)
  // env(1): 127 where there is no such program.
  if (code === 127 || /no such file|ENOENT/i.test(stderr)) {
    throw new NetopsError('failed', {
      message: `there is no ${netops} on the host, which would look at its archives`,
      hint: 'bring netops there and run it on the host itself: netops restore --root / --from FOLDER; or deploy first: netops deploy',
    })
  }
  const reason = stderr.trim().split('\n')[0] ?? ''
  throw new NetopsError('failed', {
    message: `the host's netops did not look at its archives: ${reason === '' ? `exit code ${code}` : reason}`,
    hint: 'is it older than this one? netops gc tells which builds lie there',
  })
}
