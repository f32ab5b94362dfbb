// How far an archive is, told now and then.

/** How far the work is. */
export type ArchiveProgress =
  | { readonly phase: 'looking'; readonly entries: number }
  | {
      readonly phase: 'writing' | 'reading'
      /** Bytes of the tar: of those that are to be, `of` is an estimate while it is being made. */
      readonly bytes: number
      readonly of: number
      /** Bytes a second, since it began. */
      readonly rate: number
    }

export type OnProgress = (progress: ArchiveProgress) => void

const everyMs = 200

export class ProgressMeter {
  readonly #tell: OnProgress | undefined
  readonly #phase: 'writing' | 'reading'
  #told = 0
  #bytes = 0
  #begun = performance.now()
  /** Undefined as long as it is not known how much there will be. */
  #of: number | undefined

  constructor(tell: OnProgress | undefined, phase: 'writing' | 'reading' = 'writing') {
    this.#tell = tell
    this.#phase = phase
  }

  seen(entries: number): void {
    if (this.#isDue()) this.#tell?.({ phase: 'looking', entries })
  }

  /** It is known how much there will be, whether or not some of it has been done already. */
  begin(of: number): void {
    this.#told = 0
    this.#of = of
    this.bytes(this.#bytes)
  }

  bytes(bytes: number): void {
    if (this.#bytes === 0) this.#begun = performance.now()
    this.#bytes = bytes
    if (this.#of === undefined) return
    const isEnd = bytes >= this.#of
    if (!this.#isDue() && !isEnd) return
    const seconds = (performance.now() - this.#begun) / 1000
    const rate = seconds > 0 ? bytes / seconds : 0
    this.#tell?.({ phase: this.#phase, bytes, of: Math.max(bytes, this.#of), rate })
  }

  #isDue(): boolean {
    const now = performance.now()
    if (this.#told !== 0 && now - this.#told < everyMs) return false
    this.#told = now
    return true
  }
}
