// How much room a file system must have left, for the service and for whoever deploys it.

/**
 * Room for SQLite's log of changes (up to about 4 MB), the service's log until somebody reacts, and an incoming release's
 * configuration: with less the service says that it is not healthy, and no release is brought.
 */
export const leastFreeDisk = 64 * 2 ** 20
