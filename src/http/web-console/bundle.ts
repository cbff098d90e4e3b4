import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

/** The console's own source. */
const CONSOLE_SOURCE = resolve(import.meta.dir, "../../console");

export interface BundledFile {
  /** As the page asks for it; with a hash in it, the page itself aside. */
  name: string;
  bytes: Uint8Array;
}

/**
 * The page, its script and its style, made small, from the source beside this checkout. Used by the build, and by a server
 * that runs from source; a binary has the result inside.
 */
export async function bundleConsole(source = CONSOLE_SOURCE): Promise<BundledFile[]> {
  const result = await Bun.build({
    entrypoints: [join(source, "index.html")],
    target: "browser",
    minify: true,
    // What is imported when it is needed is a file of its own.
    splitting: true,
    // Relative: the page works below any path of a proxy.
    publicPath: "./",
    env: "disable",
    define: { "process.env.NODE_ENV": '"production"' },
    throw: true,
  });
  return await Promise.all(
    result.outputs.map(async (output) => ({
      name: output.path.replace(/^\.\//, ""),
      bytes: new Uint8Array(await output.arrayBuffer()),
    })),
  );
}

/** Changes whenever a file of the source does. */
export function sourceMark(source = CONSOLE_SOURCE): string {
  const names = readdirSync(source, { recursive: true }).map(String).sort();
  return names.map((name) => `${name} ${statSync(join(source, name)).mtimeMs}`).join("\n");
}
