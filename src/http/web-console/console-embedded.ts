/**
 * The web console's files inside the compiled binary: name -> path that Bun.file() reads. Empty in a source checkout;
 * src/build/compile.ts puts the real list here when it makes the binary.
 */
export const embeddedConsole: Readonly<Record<string, string>> = {};
