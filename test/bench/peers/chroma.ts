import { existsSync } from "node:fs";
import { httpAnswer, requestBytes } from "../connection.ts";
import { attributesAt, conditionOf, decimals, type Engine, K, vectorOf } from "./engine.ts";
import { fromPyPI } from "./install.ts";
import { freePort, spawn } from "./processes.ts";
import { ask, inBatches, positionsBetween, type Protocol, Served } from "./served.ts";

const VERSION = "1.5.9";
let program = "";

/** Chroma's own server. The vectors are of unit length, so that its default distance (l2) orders them as cosine does. */
export const chroma: Engine = {
  name: "Chroma",
  how: "http",
  filters: true,
  concurrent: true,
  async install() {
    program = `${await fromPyPI("chroma", { chromadb: VERSION })}/bin/chroma`;
    if (!existsSync(program)) throw new Error("its package has no program");
    return VERSION;
  },
  async start({ dir, cores }) {
    const port = await freePort();
    const child = spawn([program, "run", "--path", `${dir}/data`, "--host", "127.0.0.1", "--port", String(port)], {
      cores,
      cwd: dir,
      env: { ANONYMIZED_TELEMETRY: "False" },
    });
    return new Served(child, protocol(`http://127.0.0.1:${port}`));
  },
};

function protocol(url: string): Protocol {
  const collections = `${url}/api/v2/tenants/default_tenant/databases/default_database/collections`;
  return {
    url,
    framing: httpAnswer,
    greetings: () => [],
    request(id, query, share) {
      const condition = conditionOf(share);
      const where = condition === null ? {} : { where: { [condition.key]: condition.value } };
      return requestBytes("POST", `${collections}/${id}/query`, null, {
        query_embeddings: [decimals(query)],
        n_results: K,
        ...where,
      });
    },
    positions: (body) => (JSON.parse(new TextDecoder().decode(body)) as { ids: string[][] }).ids[0]?.map(Number) ?? [],
    ready: async () => (await fetch(`${url}/api/v2/heartbeat`)).ok,
    async load(name, data) {
      const { id } = await ask<{ id: string }>(collections, { name });
      await inBatches(data.count, async (from, to) => {
        const at = positionsBetween(from, to);
        await ask(`${collections}/${id}/add`, {
          ids: at.map(String),
          embeddings: at.map((n) => decimals(vectorOf(data, n))),
          documents: at.map((n) => data.texts[n]),
          metadatas: at.map(attributesAt),
        });
      });
      return id;
    },
  };
}
