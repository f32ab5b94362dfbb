// The table of commands: names and how to load each. Nothing else is loaded before a command is chosen.
import type { Command } from './command.ts'

type Load = () => Promise<Command>

export const commands: Readonly<Record<string, Load>> = {
  build: async () => (await import('./build.ts')).build,
  deploy: async () => (await import('./deploy.ts')).deploy,
  rollback: async () => (await import('./rollback.ts')).rollback,
  status: async () => (await import('./status.ts')).status,
  health: async () => (await import('./status.ts')).health,
  'config validate': async () => (await import('./config-validate.ts')).configValidate,
  'service start': async () => (await import('./service.ts')).serviceStart,
  'service stop': async () => (await import('./service.ts')).serviceStop,
  'runs list': async () => (await import('./runs.ts')).runsList,
  'runs show': async () => (await import('./runs.ts')).runsShow,
  'runs follow': async () => (await import('./runs.ts')).runsFollow,
  'runs resume': async () => (await import('./runs.ts')).runsResume,
  'runs undo': async () => (await import('./runs.ts')).runsUndo,
  'lock status': async () => (await import('./lock.ts')).lockStatus,
  'lock release': async () => (await import('./lock.ts')).lockRelease,
  gc: async () => (await import('./gc.ts')).gc,
  'lab up': async () => (await import('./lab.ts')).labUp,
  'lab down': async () => (await import('./lab.ts')).labDown,
  'lab list': async () => (await import('./lab.ts')).labList,
  'lab exec': async () => (await import('./lab.ts')).labExec,
  'host start': async () => (await import('./host.ts')).hostStart,
  'host undo': async () => (await import('./host.ts')).hostUndo,
  'host stop': async () => (await import('./host.ts')).hostStop,
  'host lease': async () => (await import('./host.ts')).hostLease,
  'host run': async () => (await import('./host.ts')).hostRun,
  'host service': async () => (await import('./host.ts')).hostService,
  'host supervise': async () => (await import('./host.ts')).hostSupervise,
  'host get': async () => (await import('./host.ts')).hostGet,
}
