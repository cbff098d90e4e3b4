/** A library as an engine: in a process of its own, which takes the times itself (host.ts). */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../helpers/wait.ts";
import { type Drive, type Engine, type Running, writeData } from "./engine.ts";
import type { Command } from "./host.ts";
import { fromNpm, type Packages } from "./install.ts";
import { freePort, spawn } from "./processes.ts";
import { ask } from "./served.ts";

const LANCE = "0.39.0";
/** Versions compared with, too large to be installed with the project. */
export const PACKAGES: Packages = {
  usearch: "2.25.3",
  "@lancedb/lancedb": LANCE,
  [`@lancedb/lancedb-${process.platform}-${process.arch}${process.platform === "linux" ? "-gnu" : ""}`]: LANCE,
  "apache-arrow": "18.1.0",
  "sqlite-vec": "0.1.9",
  [`sqlite-vec-${process.platform}-${process.arch}`]: "0.1.9",
};

const READY_MS = 60_000;

interface About {
  name: string;
  library: string;
  package: string;
  filters: boolean;
  concurrent: boolean;
}

export const lancedb = hosted({
  name: "LanceDB",
  library: "lancedb",
  package: "@lancedb/lancedb",
  filters: true,
  concurrent: true,
});
export const usearch = hosted({
  name: "usearch",
  library: "usearch",
  package: "usearch",
  filters: false,
  concurrent: false,
});
export const sqliteVec = hosted({
  name: "sqlite-vec",
  library: "sqlite-vec",
  package: "sqlite-vec",
  filters: true,
  concurrent: false,
});

function hosted(about: About): Engine {
  let modules = "";
  return {
    name: about.name,
    how: "in process",
    filters: about.filters,
    concurrent: about.concurrent,
    async install() {
      modules = join(await fromNpm("npm", PACKAGES), "node_modules");
      return PACKAGES[about.package] ?? "";
    },
    async start({ dir, cores }) {
      mkdirSync(join(dir, "data"), { recursive: true });
      const port = await freePort();
      const host = join(import.meta.dir, "host.ts");
      const child = spawn([process.execPath, host, about.library, modules, dir, String(port)], { cores, cwd: dir });
      const url = `http://127.0.0.1:${port}`;
      const tell = async <T>(verb: string, command: Command) => await ask<T>(`${url}/${verb}`, command);
      const running: Running = {
        pid: child.pid,
        async ready() {
          const isReady = () =>
            fetch(`${url}/ready`).then(
              (response) => response.ok || undefined,
              () => undefined,
            );
          await waitFor(
            "the library is loaded",
            async () => {
              if (child.isOver()) throw new Error(`it ended: ${child.log().slice(-2000)}`);
              return await isReady();
            },
            READY_MS,
          );
        },
        async load(name, data) {
          await writeData(dir, name, data);
          return await tell<string>("load", { name });
        },
        find: async (name, query, share) => await tell<number[]>("find", { name, query: [...query], share }),
        drive: async (name, queries, load) =>
          await tell<Drive>("drive", { name, queries: queries.map((query) => [...query]), load }),
        settled: () => Promise.resolve(),
        stop: () => child.stop(),
        kill: () => child.kill(),
        async [Symbol.asyncDispose]() {
          if (!child.isOver()) await child.kill();
        },
      };
      return running;
    },
  };
}
