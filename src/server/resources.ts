// What is served at all, and with which methods: for those who ask with another one (RFC 9110, 15.5.6).

const resources: readonly (readonly [path: RegExp, methods: string])[] = [
  [/^\/health(?:\/(?:live|ready))?$/, 'GET, HEAD'],
  [/^\/openapi\.json$/, 'GET, HEAD'],
  [/^\/v1\/records\/[^/]+$/, 'GET, HEAD'],
  [/^\/v1\/records\/[^/]+\/[^/]+$/, 'GET, HEAD, PUT, DELETE'],
]

/** The methods of what is served at a path, as the header Allow names them; undefined where nothing is. */
export const methodsAt = (path: string): string | undefined => resources.find(([pattern]) => pattern.test(path))?.[1]
