/**
 * Entry of the executable. The only file that reads the arguments and the environment, listens to signals and sets the
 * exit status; everything else is told.
 */
import { exitStatusOf } from "./cli/terminal.ts";
import type { Terminal } from "./cli/terminal.ts";
import { messageOf } from "./errors.ts";
import { relayWorker } from "./platform/worker-relay.ts";
import { WORKER_ENTRIES, WORKER_VERB, type WorkerEntry } from "./worker-urls.ts";

// Documents, keys' hashes and copies of both are nobody else's to read.
process.umask(0o077);

if (process.argv[2] === WORKER_VERB && process.send !== undefined) {
  relayWorker(WORKER_ENTRIES[process.argv[3] as WorkerEntry], (status) => process.exit(status));
  // Its server ends it.
  await new Promise(() => undefined);
}

const stop = new AbortController();
const hurry = new AbortController();

// The first signal asks everything to finish: SIGTERM with the time that others need to take notice, SIGINT (Ctrl-C) or
// another SIGTERM without. A second signal that is SIGINT ends the process there and then.
process.on("SIGTERM", () => {
  if (stop.signal.aborted) hurry.abort();
  stop.abort();
});
process.on("SIGINT", () => {
  if (stop.signal.aborted) process.exit(130);
  hurry.abort();
  stop.abort();
});
// The reader of a pipe went away (`lectern search … | head`). A server lives on, a verb has nobody to talk to.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" && process.argv[2] === "serve") return;
    process.exit(error.code === "EPIPE" ? 0 : 1);
  });
}

const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  outIsTerminal: process.stdout.isTTY === true,
  errIsTerminal: process.stderr.isTTY === true,
  columns: process.stdout.columns ?? process.stderr.columns ?? 80,
  color: process.stdout.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
  env: process.env,
  signal: stop.signal,
  hurry: hurry.signal,
  input: () => process.stdin,
  onReload: (reload) => void process.on("SIGHUP", reload),
  onFailure: (report) => void process.on("uncaughtException", report).on("unhandledRejection", report),
};

if (process.stdin.isTTY && process.stderr.isTTY) {
  terminal.ask = async (question) => {
    const { createInterface } = await import("node:readline/promises");
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question, { signal: stop.signal });
    } catch (error) {
      if (stop.signal.aborted) return "";
      throw error;
    } finally {
      lines.close();
    }
  };
}

try {
  const { runVerb } = await import("./cli/verbs.ts");
  process.exitCode = await runVerb(process.argv.slice(2), terminal);
} catch (error) {
  const status = exitStatusOf(error);
  terminal.err(`lectern: ${status === null ? Bun.inspect(error) : messageOf(error)}\n`);
  process.exitCode = status ?? 1;
}
// What was written to a slow pipe is still on its way; ending now would cut it off.
await Promise.all([process.stdout, process.stderr].map(flushed));
process.exit();

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.end(() => resolve()));
}
