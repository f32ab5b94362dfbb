// What templates/network_service.service lets the service see and write, whatever the permissions of files say.

const hidden: Readonly<Record<string, readonly string[]>> = {
  ProtectHome: ['/home', '/root', '/run/user'],
  PrivateTmp: ['/tmp', '/var/tmp'],
}

const lies = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)

/** Why the service does not see what the unit hides, if so. */
export function hiddenByUnit(path: string): string | undefined {
  const found = Object.entries(hidden)
    .flatMap(([setting, folders]) => folders.map((folder) => ({ setting, folder })))
    .find(({ folder }) => lies(path, folder))
  return found && `the service does not see ${path}: its unit hides ${found.folder} (${found.setting})`
}

/**
 * Why the service cannot write what the unit makes read-only, if so.
 * @param writable the folders that the unit leaves writable
 */
export function readOnlyByUnit(path: string, writable: readonly string[]): string | undefined {
  // systemd.exec(5), ProtectSystem=strict: everything but /dev, /proc and /sys.
  const open = [...writable, '/dev', '/proc', '/sys']
  if (open.some((folder) => lies(path, folder))) return undefined
  return `the service cannot write ${path}: its unit allows that only below ${writable.join(' and ')} (ProtectSystem)`
}
