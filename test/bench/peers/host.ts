/**
 * The process in which a library is measured: `bun host.ts NAME MODULES DATA PORT`. It is told over HTTP what to do, and
 * takes the times itself, so that a call in the process is what is measured.
 */
import { type Drive, type Load, readData, type Share } from "./engine.ts";
import { LIBRARIES } from "./libraries.ts";

export interface Command {
  name: string;
  query?: number[];
  queries?: number[][];
  share?: Share;
  load?: Load;
}

const [name = "", modules = "", dir = "", port = "0"] = process.argv.slice(2);
const open = LIBRARIES[name];
if (open === undefined) throw new Error(`no library is called ${name}`);
const library = await open(modules, dir);
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  idleTimeout: 0,
  routes: {
    "/ready": new Response("ready"),
    "/load": { POST: async (request) => Response.json(await load((await request.json()) as Command)) },
    "/find": { POST: async (request) => Response.json(await find((await request.json()) as Command)) },
    "/drive": { POST: async (request) => Response.json(await drive((await request.json()) as Command)) },
  },
  error: (error) => new Response(error.stack ?? error.message, { status: 500 }),
});

async function load(command: Command): Promise<string> {
  await library.load(command.name, await readData(dir, command.name));
  return command.name;
}

async function find({ name, query = [], share = "all" }: Command): Promise<number[]> {
  return await library.find(name, Float32Array.from(query), share);
}

async function drive({ name, queries = [], load }: Command): Promise<Drive> {
  const { share, clients, seconds } = load ?? { share: "all", clients: 1, seconds: 1 };
  const asked = queries.map((query) => Float32Array.from(query));
  const times: number[] = [];
  const started = performance.now();
  const lane = async (first: number) => {
    let i = first;
    do {
      const sent = performance.now();
      const found = library.find(name, asked[i % asked.length]!, share);
      // What is synchronous is not charged for a turn of the event loop.
      if (found instanceof Promise) await found;
      times.push(performance.now() - sent);
      i += clients;
    } while (performance.now() - started < seconds * 1000);
  };
  await Promise.all(Array.from({ length: clients }, (_, i) => lane(i)));
  return { times, perSecond: times.length / ((performance.now() - started) / 1000) };
}
