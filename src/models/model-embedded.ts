/**
 * The files of the bundled model inside the compiled binary: name -> path that Bun.file() reads. Empty in a source
 * checkout; src/build/compile.ts puts the real list here when it makes the binary.
 */
export const embeddedModel: Readonly<Record<string, string>> = {};
