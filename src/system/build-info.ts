// What this program is: fixed when an executable is built, read from the checkout otherwise.
declare const __NETOPS_NAME__: string | undefined
declare const __NETOPS_VERSION__: string | undefined
declare const __NETOPS_COMMIT__: string | undefined

export interface BuildInfo {
  readonly name: string
  readonly version: string
  readonly commit: string
}

const built = typeof __NETOPS_VERSION__ === 'string'

/** Name, version and commit of the running program; a checkout says `0.0.0-checkout`, for it is no release. */
export const buildInfo: BuildInfo = {
  name: typeof __NETOPS_NAME__ === 'string' ? __NETOPS_NAME__ : 'netops',
  version: built ? __NETOPS_VERSION__ : '0.0.0-checkout',
  commit: typeof __NETOPS_COMMIT__ === 'string' ? __NETOPS_COMMIT__ : 'unknown',
}
