// What keys of a configuration say of each other: beside its schema, so that each such rule is told with its place too.

/** Keys and list indexes from the document's top to a value. */
export type Path = readonly (string | number)[]

/** One thing that does not fit. */
export interface Broken {
  /** The key to change. */
  readonly path: Path
  /** Begins with `expected`, or with `missing;` where a key is to be added. */
  readonly message: string
}

/** A rule between keys. */
export interface Rule<Config> {
  /** All keys that it looks at, `section.key`; where one of them is wrong by itself, the rule is left alone. */
  readonly about: readonly string[]
  /** What breaks it; empty where it holds. */
  readonly broken: (config: Config) => readonly Broken[]
}
