// The lint rule that keeps the rooms apart, tried with the project's own configuration on files that need not exist.
import { ESLint } from 'eslint'
import tseslint from 'typescript-eslint'
import { expect, test } from 'vitest'

// Only the type-aware rules are off: they would want the files to exist.
const eslint = new ESLint({
  cwd: new URL('../../..', import.meta.url).pathname,
  overrideConfig: [{ files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked }],
})

const complaints = async (file: string, code: string): Promise<string[]> => {
  const [result] = await eslint.lintText(code, { filePath: file })
  return (result?.messages ?? [])
    .filter(
      ({ ruleId, fatal }) => ruleId === 'netops/imports' || ruleId === 'no-restricted-properties' || fatal === true,
    )
    .map(({ message }) => message)
}

const upwards = 'imports point down only'

test.each([
  ['src/engine/x.ts', "import { deploy } from '../procedures/deploy.ts'\ndeploy()", upwards],
  ['src/engine/x.ts', "import type { Deploy } from '../procedures/deploy.ts'\nexport type X = Deploy", upwards],
  ['src/engine/x.ts', "export { deploy } from '../procedures/deploy.ts'", upwards],
  ['src/engine/x.ts', "export * from '../procedures/deploy.ts'", upwards],
  ['src/engine/x.ts', "export const x = () => import('../procedures/deploy.ts')", upwards],
  ['src/engine/x.ts', "export type X = import('../procedures/deploy.ts').Deploy", upwards],
  ['src/engine/deeper/x.ts', "import '../../cli/main.ts'", upwards],
  ['src/procedures/x.ts', "import '../drivers/hosts/ssh.ts'", upwards],
  ['src/procedures/x.ts', "import '../server/main.ts'", upwards],
  ['src/procedures/gc/x.ts', "import '../../drivers/services/systemd.ts'", upwards],
  ['src/procedures/gc/x.ts', "import '../../runs/host-run.ts'", upwards],
  ['src/engine/x.ts', "import '../runs/effects.ts'", upwards],
  ['src/runs/x.ts', "import '../fleet/pool.ts'", upwards],
  ['src/runs/x.ts', "import type { CommandContext } from '../cli/command.ts'\nexport type X = CommandContext", upwards],
  ['src/fleet/x.ts', "import '../cli/present/table.ts'", upwards],
  ['src/fleet/x.ts', "import '../cli/command.ts'", upwards],
  ['src/cli/present/x.ts', "import '../commands/exec.ts'", upwards],
  ['src/cli/present/progress/x.ts', "import '../../commands/exec.ts'", upwards],
  ['src/cli/present/x.ts', "import '../command-list.ts'", upwards],
  ['src/cli/present/x.ts', "import '../perform.ts'", upwards],
  ['src/cli/terminal/x.ts', "import '../present/table.ts'", upwards],
  ['src/cli/terminal/x.ts', "import '../commands/exec.ts'", upwards],
  ['src/cli/commands/x.ts', "import '../run-cli.ts'", upwards],
  ['src/cli/commands/x.ts', "import '../command-list.ts'", upwards],
  ['src/cli/options.ts', "import './present/table.ts'", upwards],
  ['src/drivers/effects/x.ts', "import '../hosts/ssh.ts'", upwards],
  ['src/drivers/services/x.ts', "import '../hosts/ssh.ts'", upwards],
  ['src/server/x.ts', "import '../engine/run.ts'", upwards],
  ['src/build/x.ts', "import '../config/yaml.ts'", upwards],
  ['src/model/x.ts', "import '../system/files.ts'", upwards],
  ['src/system/x.ts', "import '../../scripts/check.ts'", 'it is in no room'],
  ['src/system/files.ts', "import { execa } from 'execa'\nexeca('true')", 'only src/system/exec.ts imports execa'],
  ['src/cli/x.ts', "export const x = () => import('execa')", 'only src/system/exec.ts imports execa'],
  ['scripts/x.ts', "import 'execa'", 'only src/system/exec.ts imports execa'],
  ['test/unit/x.test.ts', "import 'execa'", 'only src/system/exec.ts imports execa'],
  ['src/lab/x.ts', "import 'node:child_process'", 'imports node:child_process'],
  ['src/drivers/hosts/local.ts', "import 'ssh2'", 'imports ssh2'],
  ['src/procedures/x.ts', "import 'commander'", 'imports commander'],
  ['src/engine/x.ts', 'process.exit(1)', "'process.exit' is restricted"],
])('in %s it reports %s', async (file, code, reason) => {
  expect(await complaints(file, code)).toEqual([expect.stringContaining(reason)])
})

test.each([
  ['src/system/exec.ts', "import { execa } from 'execa'\nexport { execa }"],
  ['src/drivers/hosts/ssh-known-hosts.ts', "import 'ssh2'"],
  ['src/procedures/x.ts', "import type { HostPort } from '../drivers/hosts/port.ts'\nexport type X = HostPort"],
  ['src/engine/x.ts', "import '../drivers/services/port.ts'\nimport '../system/files.ts'\nimport './run.ts'"],
  ['src/cli/x.ts', "import '../procedures/deploy.ts'\nimport '../drivers/hosts/ssh.ts'"],
  ['src/cli/x.ts', "import './commands/exec.ts'\nimport './present/table.ts'\nimport './terminal/confirm.ts'"],
  ['src/cli/commands/x.ts', "import '../command.ts'\nimport '../options.ts'\nimport '../present/table.ts'"],
  ['src/cli/commands/x.ts', "import '../terminal/confirm.ts'\nimport './runs-place.ts'\nimport '../../lab/lab.ts'"],
  ['src/cli/present/x.ts', "import '../command.ts'\nimport '../terminal/confirm.ts'\nimport '../../fleet/pool.ts'"],
  ['src/fleet/x.ts', "import '../runs/effects.ts'\nimport '../drivers/hosts/ssh.ts'\nimport '../config/yaml.ts'"],
  ['src/runs/x.ts', "import '../procedures/list.ts'\nimport '../drivers/effects/port.ts'"],
  ['src/procedures/gc/x.ts', "import '../../engine/run.ts'\nimport '../procedure.ts'\nimport '../deploy/facts.ts'"],
  ['src/engine/x.ts', "import '../drivers/effects/port.ts'"],
  ['src/model/x.ts', "import './config/server.ts'"],
  ['src/cli/run-cli.ts', 'process.exit(1)'],
  ['test/unit/x.test.ts', "import 'ssh2'\nimport '../../src/engine/run.ts'"],
])('in %s it lets pass %s', async (file, code) => {
  expect(await complaints(file, code)).toEqual([])
})
