// Type-aware lint, and the rule of the rooms: imports point down only (docs/architecture.md).
import { dirname, matchesGlob, relative, resolve } from 'node:path'
import type { Rule } from 'eslint'
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

// Each room with the rooms it may import from, besides itself.
const below = ['config', 'system', 'model']
const drivers = ['drivers/effects', 'drivers/hosts', 'drivers/services', 'drivers/storage']
const underRuns = ['procedures', 'engine', 'backups', 'postgres', 'archive', ...drivers, ...below]
const underCli = ['fleet', 'runs', 'build', 'lab', ...underRuns]
const rooms: Readonly<Record<string, readonly string[]>> = {
  model: [],
  system: ['model'],
  config: ['system', 'model'],
  server: below,
  engine: below,
  archive: ['system', 'model'],
  postgres: ['archive', ...below],
  backups: ['archive', 'system', 'model'],
  'drivers/effects': below,
  'drivers/hosts': below,
  'drivers/services': below,
  'drivers/storage': below,
  build: ['system', 'model'],
  lab: ['system', 'model'],
  procedures: ['engine', 'backups', 'postgres', 'archive', ...below],
  runs: underRuns,
  fleet: ['runs', ...underRuns],
  // What a command is (command.ts) and what it may be given: known to all of the rooms of cli.
  'cli/base': underCli,
  'cli/terminal': ['cli/base', ...underCli],
  'cli/present': ['cli/base', 'cli/terminal', ...underCli],
  'cli/commands': ['cli/base', 'cli/terminal', 'cli/present', ...underCli],
  // Finds the command and runs it: it alone knows the list of them.
  cli: ['cli/base', 'cli/terminal', 'cli/present', 'cli/commands', ...underCli],
}

// These know the drivers' interfaces (drivers/*/port.ts), never a driver: runs/ and fleet/ wire those.
const portUsers = ['engine', 'backups', 'procedures', ...drivers]

// In src/cli itself: what commands are made of.
const cliBase = ['command', 'options', 'painted', 'rollout', 'screen', 'timing', 'tuning'].map(
  (name) => `src/cli/${name}.ts`,
)

// The libraries that only certain places in src/ and scripts/ may import.
const owners: Readonly<Record<string, readonly string[]>> = {
  execa: ['src/system/exec.ts'],
  'node:child_process': ['src/system/exec.ts', 'scripts/bench/**'],
  ssh2: ['src/drivers/hosts/ssh.ts', 'src/drivers/hosts/ssh-*.ts', 'scripts/bench/programs/*.ts'],
  commander: ['src/cli/**'],
  ora: ['src/cli/**'],
  chalk: ['src/cli/**'],
  fastify: ['src/server/**', 'scripts/bench/programs/*.ts'],
  jose: ['src/server/**'],
  pg: ['src/server/store/postgres/connection.ts'],
  'prom-client': ['src/server/**'],
  '@aws-sdk': ['src/drivers/storage/s3-*.ts'],
  'age-encryption': ['src/archive/encryption/**'],
  'js-yaml': ['src/config/**'],
  esbuild: ['src/build/**'],
  postject: ['src/build/**'],
}
// Tests may drive a library that they test against, or a process in a way that no user does.
const ownedInTests = ['execa']

/** `src/drivers/hosts/ssh.ts` is in the room `drivers/hosts`, `src/cli/present/table.ts` in `cli/present`; other places are in none. */
const roomOf = (file: string): string | undefined =>
  cliBase.includes(file) ? 'cli/base' : /^src\/((?:drivers|cli)\/[^/]+(?=\/)|[^/]+)\//.exec(file)?.[1]

/** Why a file (relative to this folder) may not import a specifier; undefined where it may. */
function whyForbidden(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) {
    const library = Object.keys(owners).find((name) => specifier === name || specifier.startsWith(`${name}/`))
    if (library === undefined || (file.startsWith('test/') && !ownedInTests.includes(library))) return undefined
    const places = owners[library] ?? []
    const allowed = places.some((place) => matchesGlob(file, place))
    return allowed ? undefined : `only ${places.join(', ')} imports ${library}.`
  }
  const room = roomOf(file)
  if (room === undefined) return undefined
  const target = relative(import.meta.dirname, resolve(import.meta.dirname, dirname(file), specifier))
  const other = roomOf(target)
  if (other === undefined) return `${room}/ may not import ${target}: it is in no room.`
  if (other === room || rooms[room]?.includes(other)) return undefined
  if (portUsers.includes(room) && matchesGlob(target, 'src/drivers/*/port.ts')) return undefined
  return `${room}/ may not import from ${other}/: imports point down only.`
}

const importRule: Rule.RuleModule = {
  meta: { type: 'problem', schema: [] },
  create(context) {
    const file = relative(import.meta.dirname, context.filename)
    const check = (source: { type: string; value?: unknown } & Rule.Node): void => {
      if (source.type !== 'Literal' || typeof source.value !== 'string') return
      const message = whyForbidden(file, source.value)
      if (message !== undefined) context.report({ node: source, message })
    }
    return {
      'ImportDeclaration > Literal.source': check,
      'ExportNamedDeclaration > Literal.source': check,
      'ExportAllDeclaration > Literal.source': check,
      'ImportExpression > Literal.source': check,
      'TSImportType Literal': check,
    }
  },
}

export default defineConfig(
  { ignores: ['node_modules', 'build', 'coverage'] },
  {
    files: ['src/**/*.ts', 'scripts/**/*.ts', 'test/**/*.ts', '*.config.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { netops: { rules: { imports: importRule } } },
    rules: {
      'netops/imports': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      'max-params': 'off',
      '@typescript-eslint/max-params': ['error', { max: 4 }],
    },
  },
  {
    // A command returns or throws; only where each program starts does it end the process.
    files: ['src/**/*.ts'],
    ignores: ['src/cli/run-cli.ts', 'src/server/main.ts'],
    rules: { 'no-restricted-properties': ['error', { object: 'process', property: 'exit' }] },
  },
  { files: ['*.config.ts'], rules: { 'no-restricted-exports': 'off' } },
)
