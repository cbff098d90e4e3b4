import { LECTERN, plainEnv, ROOT, TEST_KEY } from "../../helpers/server.ts";
import { waitFor } from "../../helpers/wait.ts";
import { httpAnswer, requestBytes } from "../connection.ts";
import { attributesAt, conditionOf, type Data, decimals, type Engine, K, type Share, vectorOf } from "./engine.ts";
import { freePort, spawn } from "./processes.ts";
import { ask, positionsBetween, type Protocol, Served } from "./served.ts";

const LINES_A_PIECE = 250;
/** Written some seconds after the last change, of stores that are large enough to have one. */
const IMAGE_MS = 20_000;
const IMAGE_WRITTEN = 'lectern_index_images_total{outcome="written"}';
const KEY = { authorization: `Bearer ${TEST_KEY}` };

/** Lectern as it is started by default, except that the model of questions is the table of words: no question is put. */
export const lectern: Engine = {
  name: "Lectern",
  how: "http",
  filters: true,
  concurrent: true,
  async install() {
    const out = await Bun.$`${LECTERN} version`.cwd(ROOT).env(plainEnv()).quiet().text();
    // `lectern VERSION (COMMIT, …)`
    return /^lectern (\S+) \((\w+)/.exec(out)?.slice(1).join(" ") ?? out.trim();
  },
  async start({ dir, cores }) {
    const port = await freePort();
    const threads = cores !== null && (await hasThreads()) ? ["--search-threads", String(cores.length)] : [];
    const child = spawn([...LECTERN, "serve", "--port", String(port), "--data", `${dir}/data`, ...threads], {
      cores,
      cwd: dir,
      env: plainEnv({ LECTERN_API_KEY: TEST_KEY }),
    });
    return new Served(child, protocol(`http://127.0.0.1:${port}`));
  },
};

/** Whether this build has a setting for the threads that search. */
async function hasThreads(): Promise<boolean> {
  const help = await Bun.$`${LECTERN} help serve`.cwd(ROOT).env(plainEnv()).quiet().nothrow().text();
  return help.includes("--search-threads");
}

interface Found {
  data: { attributes: { n: number } }[];
}

function protocol(url: string): Protocol {
  const stores = `${url}/v1/vector_stores`;
  return {
    url,
    framing: httpAnswer,
    greetings: () => [],
    request: (store, query, share) =>
      requestBytes("POST", `${stores}/${store}/search`, TEST_KEY, {
        query: "x",
        search_mode: "vector",
        query_vector: decimals(query),
        max_num_results: K,
        ...filterOf(share),
      }),
    positions: (body) =>
      (JSON.parse(new TextDecoder().decode(body)) as Found).data.map(({ attributes }) => attributes.n),
    ready: async () => (await fetch(`${url}/readyz`)).ok,
    async load(name, data) {
      const { id } = await ask<{ id: string }>(stores, { name }, KEY);
      const headers = { ...KEY, "content-type": "application/x-ndjson" };
      const response = await fetch(`${stores}/${id}/embeddings/batch`, {
        method: "POST",
        body: linesOf(data),
        headers,
      });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return id;
    },
    async settled() {
      const until = performance.now() + IMAGE_MS;
      await waitFor(
        "the index is written",
        async () => {
          const metrics = await (await fetch(`${url}/metrics`, { headers: KEY })).text();
          const isWritten = metrics.split("\n").some((line) => line.startsWith(IMAGE_WRITTEN) && !line.endsWith(" 0"));
          return isWritten || performance.now() > until || undefined;
        },
        Infinity,
      );
    },
  };
}

function filterOf(share: Share): Record<string, unknown> {
  const condition = conditionOf(share);
  return condition === null ? {} : { filters: { type: "eq", ...condition } };
}

function linesOf(data: Data): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const positions = positionsBetween(at, Math.min(data.count, at + LINES_A_PIECE));
      at += positions.length;
      if (positions.length === 0) return controller.close();
      const lines = positions.map((n) => {
        const one = {
          content: data.texts[n],
          embedding: decimals(vectorOf(data, n)),
          attributes: { n, ...attributesAt(n) },
        };
        return `${JSON.stringify(one)}\n`;
      });
      controller.enqueue(Buffer.from(lines.join("")));
    },
  });
}
