// postject ships no types; this is the one function of its API that the build calls.
declare module 'postject' {
  export interface InjectOptions {
    readonly machoSegmentName?: string
    readonly overwrite?: boolean
    readonly sentinelFuse?: string
  }
  /** Adds a resource to an ELF, Mach-O or PE file, in place. */
  export function inject(file: string, resourceName: string, data: Buffer, options?: InjectOptions): Promise<void>
}
