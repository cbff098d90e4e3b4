/** One native file inside the compiled binary. */
export interface EmbeddedNative {
  readonly name: string;
  /** Where the binary keeps it: readable by Bun only, which is why it must be unpacked before it can be loaded. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * The native files that the compiled binary carries. Empty in a source checkout, where they are loaded from where they
 * were installed or built; src/build/compile.ts puts the real list here when it makes the binary.
 */
export const embeddedNatives: readonly EmbeddedNative[] = [];
