/** `lectern sync`: a store is kept in step with a folder, once or from now on. */
import { statSync } from "node:fs";
import { parseArguments } from "./arguments.ts";
import { RequestFailed } from "./client.ts";
import type { Client } from "./client.ts";
import { realPlace } from "./collect.ts";
import { connect, connectIfThere, connectToRunning } from "./connect.ts";
import { folderNews } from "./folder-news.ts";
import { collectAndTell } from "./ingest.ts";
import { EXIT } from "./ingest-report.ts";
import { Ingest } from "./ingest-run.ts";
import { SyncLoop } from "./sync-loop.ts";
import { readSyncOptions, SYNC_FLAGS } from "./sync-options.ts";
import type { SyncOptions } from "./sync-options.ts";
import { SyncReport } from "./sync-report.ts";
import { VerbFailed } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

/** Exit status 1 if a file failed; with `--watch` 0 once it watched. 130 if it was interrupted before. */
export async function sync(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, SYNC_FLAGS);
  const options = readSyncOptions(args, terminal);
  const folder = realPlace(options.paths[0] ?? "");
  if (!statSync(folder).isDirectory())
    throw new VerbFailed(`${options.paths[0]} is no folder; lectern ingest takes files.`);
  if (options.dryRun) {
    const work = { options, collected: collectAndTell(options, terminal), input: null, terminal };
    await using connection = await connectIfThere(args, terminal, { mayCreate: false });
    return await new Ingest(work).rehearse(connection?.client ?? null);
  }
  await using connection = await connect(args, terminal, { mayCreate: true });
  const { client } = connection;
  if (!options.watch) {
    const work = { options, collected: collectAndTell(options, terminal), input: null, terminal };
    return (await new Ingest(work).run(client)).status;
  }
  return await watch({ folder, client, options, terminal, again: () => connectToRunning(args, terminal) });
}

interface Watched {
  folder: string;
  client: Client;
  options: SyncOptions;
  terminal: Terminal;
  /** Another connection to the server; null while there is none. */
  again: () => Promise<Client | null>;
}

/** How often others' changes of the store are looked for. */
const REFRESH_MS = 600_000;
const OFFLINE_MS = { first: 1000, last: 15_000 };

async function watch({ folder, client, options, terminal, again }: Watched): Promise<number> {
  const { signal } = terminal;
  const nowMs = () => performance.now();
  // Before the first pass: what happens during it is not lost.
  using news = folderNews(folder, { avoid: options.avoid, signal, nowMs });
  const collected = collectAndTell(options, terminal);
  const pass = await new Ingest({ options, collected, input: null, terminal }).run(client);
  if (signal.aborted) return EXIT.interrupted;

  const { storeId, known, outcomes } = pass;
  const report = new SyncReport(terminal, options);
  const loop = new SyncLoop({ options, client, storeId, known, report, signal, nowMs });
  loop.handle(outcomes);
  loop.onDone = news.wake;
  report.watching(storeId, news.problem);
  let shownProblem = news.problem;
  let isThere = true;
  let refreshedMs = nowMs();
  for (let isFirst = true; await news.next(isFirst); isFirst = false) {
    if (loop.failure !== null) await backOnline(loop, { again, report, signal });
    if (signal.aborted) break;
    if (nowMs() - refreshedMs > REFRESH_MS) {
      await loop.refresh();
      refreshedMs = nowMs();
    }
    const startedMs = nowMs();
    const round = await loop.round();
    if (round.isThere !== isThere)
      report.say(round.isThere ? `${folder} is there again.` : `${folder} is not there; nothing is taken out.`);
    isThere = round.isThere;
    news.looked({ ms: nowMs() - startedMs, againMs: loop.failure === null ? round.againMs : 0 });
    if (news.problem !== shownProblem && news.problem !== null) report.watching(storeId, news.problem);
    shownProblem = news.problem;
  }
  await loop.finish();
  report.close(storeId);
  return EXIT.done;
}

/** Until the server answers again, with pauses that grow. Throws where it does not take the key that was given. */
async function backOnline(
  loop: SyncLoop,
  { again, report, signal }: { again: () => Promise<Client | null>; report: SyncReport; signal: AbortSignal },
): Promise<void> {
  report.say(`${loop.failure?.message ?? ""} It is tried again.`);
  for (let pauseMs = OFFLINE_MS.first; !signal.aborted; pauseMs = Math.min(OFFLINE_MS.last, pauseMs * 2)) {
    try {
      const client = await again();
      if (client !== null) {
        await loop.reconnect(client);
        return report.say("The server answers again.");
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RequestFailed) || error.status === 401 || error.status === 403) throw error;
    }
    await interruptible(pauseMs, signal);
  }
}

function interruptible(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
