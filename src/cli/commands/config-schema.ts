// `netops config schema`: the JSON Schema of the configuration files, for editors and other tools.
import { defineCommand } from '../command.ts'

export const configSchema = defineCommand({
  name: 'config schema',
  summary: 'Print the JSON Schema (2020-12) of config.yaml or netops.yml, for editors and other tools',
  args: '[server|fleet]',
  examples: [
    'netops config schema > config.schema.json  # then, in config.yaml: # yaml-language-server: $schema=config.schema.json',
    'netops config schema fleet > netops.schema.json',
  ],
  options: [],
  async run({ args: [given = 'server'] }) {
    const { jsonSchemaOf, jsonSchemaText, schemaNames } = await import('../../config/json-schema.ts')
    const { NetopsError } = await import('../../model/errors.ts')
    const name = schemaNames.find((known) => known === given)
    if (name === undefined) {
      throw new NetopsError('usage', {
        message: `there is no schema ${given}`,
        hint: `one of ${schemaNames.join(', ')}`,
      })
    }
    return { outcome: 'done', data: { name, jsonSchema: jsonSchemaOf(name) }, text: jsonSchemaText(name).trimEnd() }
  },
})
