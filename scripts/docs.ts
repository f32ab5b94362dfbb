// `npm run docs`: writes what is made from the schemas: docs/configuration.md and the published JSON Schemas.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { jsonSchemaText } from '../src/config/json-schema.ts'
import { defaultOf, describeSchema, innermost } from '../src/config/schema-words.ts'
import { serverKeys, type ServerKey } from '../src/config/server-keys.ts'
import { inventorySchema } from '../src/model/inventory.ts'
import { aboutOf } from '../src/model/schema-notes.ts'
import { serverConfigSchema, serverSections } from '../src/model/server-config.ts'

const top = join(import.meta.dirname, '..')

/** A value as it stands in a file, within a table. */
const code = (value: unknown): string => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
/** Text within a table. */
const cell = (text: string): string => text.replaceAll('|', '\\|')

const defaultText = ({ default: given, otherwise }: ServerKey): string =>
  given !== undefined ? code(given) : otherwise !== undefined ? cell(otherwise) : '-'

const aboutText = (key: ServerKey): string =>
  [
    key.about,
    ...(key.secret === true ? ['Secret: never shown.'] : []),
    ...(key.pending === undefined ? [] : [`*Not in effect yet: ${key.pending}.*`]),
  ].join(' ')

function serverTable(section: string): string {
  const rows = serverKeys()
    .filter((key) => key.section === section)
    .map((key) =>
      [
        `\`${key.name}\``,
        cell(describeSchema(key.schema)),
        defaultText(key),
        key.variables.map((name) => `\`${name}\``).join(' '),
        cell(aboutText(key)),
      ].join(' | '),
    )
  const about = aboutOf(serverSections[section as keyof typeof serverSections])
  const head = ['Key', 'Takes', 'Default', 'Variable', 'What it is for'].join(' | ')
  return `### ${section}\n\n${about}\n\n| ${head} |\n| --- | --- | --- | --- | --- |\n${rows.map((row) => `| ${row} |`).join('\n')}\n`
}

/** All keys below a schema: those of mappings by name, of records by `<name>`, of lists by `[]`. */
function keysBelow(schema: unknown, path: string): readonly (readonly [path: string, schema: z.ZodType])[] {
  const inner = innermost(schema)
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`)
  if (inner instanceof z.ZodObject) {
    // The server's own keys have their place above.
    if (Object.keys(inner.shape).join() === Object.keys(serverSections).join()) return []
    return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([name, child]) => [
      [at(name), child] as const,
      ...keysBelow(child, at(name)),
    ])
  }
  if (inner instanceof z.ZodRecord) return keysBelow(inner.valueType, at('<name>'))
  if (inner instanceof z.ZodArray) return keysBelow(inner.element, `${path}[]`)
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => keysBelow(option, path))
  return []
}

function fleetTable(): string {
  const rows = keysBelow(inventorySchema, '')
    .filter(([path]) => path !== '$schema')
    .map(([path, schema]) => {
      const given = defaultOf(schema)
      return `| \`${path}\` | ${cell(describeSchema(schema))} | ${given === undefined ? '-' : code(given)} | ${cell(aboutOf(schema))} |`
    })
  return ['| Key | Takes | Default | What it is for |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** The text of docs/configuration.md. */
export async function configurationDoc(): Promise<string> {
  const template = await readFile(join(top, 'scripts', 'configuration.md'), 'utf8')
  const parts: Readonly<Record<string, string>> = {
    server: Object.keys(serverSections).map(serverTable).join('\n').trimEnd(),
    fleet: fleetTable(),
    about: aboutOf(serverConfigSchema.in),
  }
  return template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name] ?? '')
}

/** What is made, by path. */
export const madeFiles = async (): Promise<Readonly<Record<string, string>>> => ({
  'docs/configuration.md': await configurationDoc(),
  'schemas/config.schema.json': jsonSchemaText('server'),
  'schemas/netops.schema.json': jsonSchemaText('fleet'),
})

if (import.meta.main) {
  for (const [path, text] of Object.entries(await madeFiles())) {
    await writeFile(join(top, path), text)
    console.log(path)
  }
}
