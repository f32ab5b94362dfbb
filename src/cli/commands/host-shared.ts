// What the commands share that netops calls on a host.
import { isSea } from 'node:sea'
import * as z from 'zod'
import type { CommandResult } from '../command.ts'

export const rootFlag = { flags: '--root <dir>', description: 'the root folder', default: '/' }
export const rootSchema = z.object({ root: z.string() })
export const quiet: CommandResult = { outcome: 'done', data: {}, text: '' }

/** Hidden from help: netops calls them itself. */
export const onHost = { hidden: true, examples: [], options: [rootFlag] } as const

/** The command that runs this very netops. */
export const selfCommand = (): string[] => (isSea() ? [process.execPath] : [process.execPath, process.argv[1] ?? ''])
