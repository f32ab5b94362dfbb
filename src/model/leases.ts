// What a host can be taken for. Runs that share a name exclude each other; a dead backup does not block a rollback.

/** In the order in which they are taken. */
export const leaseNames = ['release', 'backup', 'logs'] as const
export type LeaseName = (typeof leaseNames)[number]
