// Type-aware lint, and the rule of the rooms: imports point down only (docs/architecture.md).
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

// Each room with the rooms it may import from, besides itself.
const drivers = ['drivers/hosts', 'drivers/services']
const below = ['config', 'system', 'model']
const rooms: Record<string, readonly string[]> = {
  model: [],
  system: ['model'],
  config: ['system', 'model'],
  server: below,
  engine: below,
  'drivers/hosts': below,
  'drivers/services': below,
  build: ['system', 'model'],
  lab: ['system', 'model'],
  procedures: ['engine', ...below],
  cli: ['procedures', 'engine', 'build', 'lab', ...drivers, ...below],
}

// The libraries that exactly one place may import.
const owners: Record<string, readonly string[]> = {
  execa: ['src/system/exec.ts'],
  ssh2: ['src/drivers/hosts/ssh.ts', 'src/drivers/hosts/ssh-*.ts'],
  commander: ['src/cli/**'],
  ora: ['src/cli/**'],
  chalk: ['src/cli/**'],
  fastify: ['src/server/**'],
  pino: ['src/server/**'],
  'prom-client': ['src/server/**'],
  'js-yaml': ['src/config/**'],
  esbuild: ['src/build/**'],
}

const forbiddenRooms = (room: string) =>
  Object.keys(rooms)
    .filter((other) => other !== room && !rooms[room]?.includes(other))
    .map((other) => ({
      regex: `^\\.\\.?/(?:.*/)?${other}/`,
      message: `${room}/ may not import from ${other}/: imports point down only.`,
    }))

const forbiddenLibraries = (file: string) =>
  Object.entries(owners)
    .filter(([, places]) => !places.some((place) => file === place || place === `${file}/**`))
    .map(([name, places]) => ({ regex: `^${name}(?:/|$)`, message: `only ${places.join(', ')} imports ${name}.` }))

// A driver's interface (port.ts, contract types) is what procedures see; the drivers themselves are wired by cli/context.ts.
const portImports = { regex: '/drivers/[a-z]+/(?!port\\.ts$)', message: 'procedures and the engine know ports, not drivers.' }

export default defineConfig(
  { ignores: ['node_modules', 'build', 'coverage'] },
  {
    files: ['src/**/*.ts', 'scripts/**/*.ts', 'test/**/*.ts', '*.config.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
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
  ...Object.keys(rooms).map((room) => ({
    files: [`src/${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...forbiddenRooms(room),
            ...forbiddenLibraries(`src/${room}`),
            ...(room === 'procedures' || room === 'engine' ? [portImports] : []),
          ],
        },
      ],
    },
  })),
  {
    files: ['src/system/exec.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: forbiddenRooms('system') }] },
  },
  {
    files: ['src/drivers/hosts/ssh.ts', 'src/drivers/hosts/ssh-*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: forbiddenRooms('drivers/hosts') }] },
  },
  { files: ['*.config.ts'], rules: { 'no-restricted-exports': 'off' } },
)
