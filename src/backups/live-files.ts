// What the service itself writes in the folder of its data while it runs: no backup holds it, and no restore touches it.

/** The folder of the service's data, and SQLite's file in it; a test holds them against the server's own names. */
export const dataFolder = 'var/lib/network_system'
export const databaseName = 'state.db'

/** Patterns for a walk below a root folder. */
export const liveFiles: readonly string[] = [
  ...['', '-wal', '-shm', '-journal', '.before-*'].map((ending) => `${dataFolder}/${databaseName}${ending}`),
  ...['in-use.lock*', 'restore-unfinished.json', '.restoring-*', '.verifying-*', 'control'].map(
    (name) => `${dataFolder}/${name}`,
  ),
  ...['.lock*', '.taking-*'].map((name) => `${dataFolder}/checkpoints/${name}`),
]
