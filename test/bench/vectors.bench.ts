import { json, newStore } from "../helpers/api.ts";
import { cpuMs, mebibytes, memoryOf } from "../helpers/process-memory.ts";
import { seededRandom } from "../helpers/random.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { type Bench, median, round } from "./bench.ts";

const DIMENSIONS = 256;
const BATCH = 1000;
const ROUNDS = 3;
const WORDS = "river harbour island bridge market castle garden window winter summer letter engine".split(" ");

interface Form {
  lines: boolean;
  metadata: boolean;
}

const FORMS: readonly Form[] = [
  { lines: true, metadata: false },
  { lines: true, metadata: true },
  { lines: false, metadata: false },
  { lines: false, metadata: true },
];

export const vectors: Bench = {
  about:
    "ready-made vectors of 256 values, sent to searchable, with metadata of their own each and without; one a line in one " +
    "body, and a thousand a request, two requests at once. All in turns, so that their ratio is of one run",
  minutes: 6,
  async run({ scale, report }) {
    const count = scale === "small" ? 2000 : 20_000;
    const bodies = new Map(FORMS.map((form) => [form, bodiesOf(form, count)]));
    await using server = await startServer();
    const rates = new Map(FORMS.map((form) => [form, { perSecond: [] as number[], cpuMs: [] as number[] }]));
    for (let turn = 0; turn < ROUNDS; turn++) {
      for (const [form, sent] of bodies) {
        const store = await newStore(server);
        const [since, cpu] = [performance.now(), cpuMs(server.pid)];
        await (form.lines ? sendLines : sendBatches)(server, store, sent);
        rates.get(form)?.perSecond.push(count / ((performance.now() - since) / 1000));
        rates.get(form)?.cpuMs.push((cpuMs(server.pid) - cpu) / count);
        await expectFound(server, store, form, count);
      }
    }
    for (const [form, { perSecond, cpuMs: cpu }] of rates) {
      const plain = rates.get(FORMS.find(({ lines, metadata }) => lines === form.lines && !metadata) ?? form);
      report({
        trial: `${form.lines ? "one a line" : "a thousand a request"}, ${form.metadata ? "metadata of its own each" : "no metadata"}`,
        vectors: count,
        vectors_per_s: round(median(perSecond)),
        cpu_ms_a_vector: round(median(cpu)),
        cpu_of_plain: round(median(cpu) / median(plain?.cpuMs ?? cpu)),
        peak_mib: mebibytes(memoryOf(server.pid).peakBytes),
      });
    }
  },
};

/** Bodies as they are sent: made before, so that making them is not measured. */
function bodiesOf({ lines, metadata }: Form, count: number): string[] {
  const random = seededRandom(7);
  const one = (n: number) => ({
    content: `${Array.from({ length: 12 }, () => random.pick(WORDS)).join(" ")} ${n}`,
    embedding: Array.from(random.vector(DIMENSIONS), (value) => Math.round(value * 1e6) / 1e6),
    ...(metadata ? { metadata: { number: n, tenth: n % 10, title: `Title of ${n}` } } : {}),
  });
  return Array.from({ length: Math.ceil(count / BATCH) }, (_, batch) => {
    const embeddings = Array.from({ length: BATCH }, (_, i) => one(batch * BATCH + i));
    return lines ? embeddings.map((line) => `${JSON.stringify(line)}\n`).join("") : JSON.stringify({ embeddings });
  });
}

async function sendLines(server: TestServer, store: string, bodies: readonly string[]): Promise<void> {
  let next = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = bodies[next++];
      if (piece === undefined) controller.close();
      else controller.enqueue(Buffer.from(piece));
    },
  });
  const headers = { "content-type": "application/x-ndjson" };
  await sent(server, store, { body, headers });
}

async function sendBatches(server: TestServer, store: string, bodies: readonly string[]): Promise<void> {
  const left = bodies.values();
  const lane = async () => {
    for (const body of left) await sent(server, store, { body, headers: { "content-type": "application/json" } });
  };
  await Promise.all([lane(), lane()]);
}

async function sent(server: TestServer, store: string, init: RequestInit): Promise<void> {
  const response = await server.fetch(`/v1/vector_stores/${store}/embeddings/batch`, { method: "POST", ...init });
  if (response.status !== 200) throw new Error(await response.text());
  await response.arrayBuffer();
}

async function expectFound(server: TestServer, store: string, { metadata }: Form, count: number): Promise<void> {
  const filters = metadata ? { filters: { type: "gte", key: "number", value: count - 5 } } : {};
  const body = { query: String(count - 1), max_num_results: 10, ...filters };
  const { data } = await json<{ data: unknown[] }>(server, "POST", `/v1/vector_stores/${store}/search`, body);
  if (data.length < (metadata ? 5 : 1)) throw new Error(`only ${data.length} were found`);
}
