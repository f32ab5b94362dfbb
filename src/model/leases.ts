// What of a host a run can have to itself. Runs that need different things of a host may work side by side.

/**
 * `release`: what is in service, its configuration and the machine's settings. `backup`: the store of backups. `logs`: the
 * service's log files. Whoever needs several takes them in this order.
 */
export const leaseNames = ['release', 'backup', 'logs'] as const
export type LeaseName = (typeof leaseNames)[number]

/** What is taken where nothing else is said. */
export const usualLeases: readonly LeaseName[] = ['release']

/** The names in the order in which they are taken, each once. */
export const inLeaseOrder = (names: readonly LeaseName[]): readonly LeaseName[] =>
  leaseNames.filter((name) => names.includes(name))

/**
 * Whether a run that needs these, and was cut off, is in nobody's way: it changes nothing of what is in service, so whoever
 * comes next need not wait until somebody goes on with it.
 */
export const passOn = (names: readonly LeaseName[]): boolean => names.length > 0 && !names.includes('release')
