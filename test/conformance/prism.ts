/** Prism as a proxy that holds every request and answer against an OpenAPI document. */
import { join } from "node:path";
import { ROOT, plainEnv } from "../helpers/server.ts";

export interface Prism extends AsyncDisposable {
  url: string;
  /** Lines of its log that speak of a violation. */
  violations(): string[];
}

const CLI = join(ROOT, "node_modules/@stoplight/prism-cli/dist/index.js");
const READY = /Prism is listening on (http:\/\/\S+)/;

/** `upstream` with `/v1`: the document's paths have none. Anything that does not fit is answered with an error. */
export async function startPrism(document: string, upstream: string): Promise<Prism> {
  const child = Bun.spawn({
    cmd: [process.execPath, CLI, "proxy", "--errors", "--port", "0", document, upstream],
    cwd: ROOT,
    env: plainEnv({ NO_COLOR: "1", SCARF_ANALYTICS: "false" }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let log = "";
  const ready = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const piece of stream) {
      log += Bun.stripANSI(decoder.decode(piece, { stream: true }));
      const url = READY.exec(log)?.[1];
      if (url !== undefined) ready.resolve(url);
    }
  };
  const ended = Promise.all([read(child.stdout), read(child.stderr), child.exited]);
  void ended.then(() => ready.reject(new Error(`the proxy did not start:\n${log}`)));
  return {
    url: await ready.promise,
    violations: () => log.split("\n").filter((line) => /violation|terminated with error|✖/i.test(line)),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
