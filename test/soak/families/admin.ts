/** Tenants and keys, the console's session, models, backups, deletions, and what tells of the server itself. */
import { randomTransformer } from "../../../src/embed/testing/transformer.ts";
import { SMALL_SHAPE, transformerFolder } from "../../../src/embed/testing/model-folders.ts";
import type { Asker } from "../asker.ts";
import {
  addText,
  type Episode,
  type Identified,
  newStore,
  newWord,
  paragraph,
  searchFor,
  sendFile,
} from "../episode.ts";
import type { House } from "../house.ts";
import { Interrupted, must, same } from "../wrong.ts";

const tenants: Episode = {
  family: "tenants and keys",
  async run({ ask, random }) {
    const tenant = await ask.json<Identified>("POST", "/v1/admin/tenants", { name: `${ask.name}-tenant` });
    const made = await ask.json<Identified & { key: string }>("POST", "/v1/admin/keys", {
      name: "writer",
      role: "write",
      tenant_id: tenant.id,
    });
    const other = ask.as(made.key);
    const word = newWord(random);
    const store = await newStore(other);
    const file = await addText(other, store, "own.txt", paragraph(word, random));
    same("its own", (await searchFor(other, store, { query: word, search_mode: "keyword" }))[0]?.file_id, file);
    await ask.refused([404], "GET", `/v1/files/${file}`);
    await ask.refused([404], "POST", `/v1/vector_stores/${store}/search`, { query: word });
    same("who", (await other.json<{ tenant: Identified }>("GET", "/v1/me")).tenant.id, tenant.id);
    await ask.json("POST", `/v1/admin/tenants/${tenant.id}`, { status: "suspended" });
    // It may read and delete only.
    await other.refused([402, 403], "POST", "/v1/vector_stores", { name: `${ask.name}-more` });
    await other.json("GET", "/v1/files");
    await ask.json("POST", `/v1/admin/tenants/${tenant.id}`, { status: "active" });
    await newStore(other);
    await ask.json("POST", `/v1/admin/keys/${made.id}`, { name: "renamed" });
    same("renamed", (await ask.json<{ name: string }>("GET", `/v1/admin/keys/${made.id}`)).name, "renamed");
    const keys = await ask.json<{ data: Identified[] }>("GET", `/v1/admin/keys?tenant_id=${tenant.id}`);
    same(
      "its keys",
      keys.data.map(({ id }) => id),
      [made.id],
    );
    same("itself", (await ask.json<Identified>("GET", `/v1/admin/tenants/${tenant.id}`)).id, tenant.id);
    await ask.json("GET", "/v1/admin/tenants?limit=20");
    await ask.json("DELETE", `/v1/admin/keys/${made.id}`);
    await other.refused([401], "GET", "/v1/files");
    await ask.json("DELETE", `/v1/admin/tenants/${tenant.id}`);
    await ask.refused([404], "GET", `/v1/admin/tenants/${tenant.id}`);
  },
};

const consoles: Episode = {
  family: "console",
  async run({ ask, house }) {
    await house.untilOpen();
    const { mark } = house;
    // The key, the link and the session are of this life of the server, and the link is one for a quarter of an hour.
    const ofThisLife = <T>(step: Promise<T>): Promise<T> =>
      step.catch((error: unknown) => {
        throw house.disturbedSince(mark) ? new Interrupted("what is of one life of the server") : error;
      });
    const link = await ofThisLife(ask.as(house.verbsKey).json<{ code: string }>("POST", "/v1/console/links"));
    const { key } = await ofThisLife(ask.json<{ key: string }>("POST", "/v1/console/session", { code: link.code }));
    await ofThisLife(ask.as(key).json("GET", "/v1/me"));
    await ask.refused([401], "POST", "/v1/console/session", { code: link.code });
    const page = await ask.text("GET", "/console/");
    must("the console's page", page.includes("<html"));
    await ask.text("GET", "/v1/licences");
  },
};

const service: Episode = {
  family: "service",
  async run({ ask }) {
    for (const path of ["/healthz", "/readyz", "/metrics"]) await ask.text("GET", path);
    const status = await ask.json<{ object: string }>("GET", "/v1/admin/status");
    same("status", status.object, "server.status");
    await ask.json("POST", "/v1/admin/reload");
  },
};

const deletions: Episode = {
  family: "deletions",
  async run({ ask, random }) {
    const file = await sendFile(ask, "secret.txt", paragraph(newWord(random), random));
    await ask.json("DELETE", `/v1/files/${file}`);
    interface Deletion extends Identified {
      subject: Identified;
      completed_at: number | null;
    }
    const done = await ask.until("the deletion is complete", async () => {
      const { data } = await ask.json<{ data: Deletion[] }>("GET", "/v1/admin/deletions?limit=100");
      const mine = data.find(({ subject }) => subject.id === file);
      return mine?.completed_at == null ? undefined : mine;
    });
    await ask.json("GET", `/v1/admin/deletions/${done.id}`);
    const { remaining } = await ask.json<{ remaining: Record<string, number> | null }>(
      "POST",
      `/v1/admin/deletions/${done.id}/verify`,
    );
    const left = Object.entries(remaining ?? {}).filter(([, count]) => count > 0);
    same("nothing is left", left, []);
  },
};

const FOLDER = transformerFolder(randomTransformer(SMALL_SHAPE));

/** The server takes one folder at a time. */
let isAdding = false;

const models: Episode = {
  family: "models",
  async run({ ask }) {
    if (isAdding) return;
    isAdding = true;
    try {
      await addModel(ask);
    } finally {
      isAdding = false;
    }
  },
};

async function addModel(ask: Asker): Promise<void> {
  const id = `${ask.name}-model`;
  const form = new FormData();
  form.set("id", id);
  for (const [path, content] of Object.entries(FOLDER)) form.append("files", new Blob([content as string]), path);
  await ask.json("POST", "/v1/admin/models", form);
  const { data } = await ask.json<{ data: { embedding: number[] }[] }>("POST", "/v1/embeddings", {
    model: id,
    input: "a word",
  });
  same("its vectors", data[0]?.embedding.length, SMALL_SHAPE.hidden);
  await ask.json("POST", "/v1/admin/models/rescan");
  const listed = await ask.json<{ data: Identified[] }>("GET", "/v1/admin/models");
  must(
    "listed",
    listed.data.some((one) => one.id === id),
  );
  await using remote = otherServer();
  const body = {
    id: `${id}-remote`,
    dialect: "openai-compatible",
    address: remote.address,
    model: "house",
    dry_run: true,
  };
  const tried = await ask.json<{ dimensions: number }>("POST", "/v1/admin/models/remote", body);
  same("the other server's vectors", tried.dimensions, 8);
  await ask.json("DELETE", `/v1/models/${id}`);
  await ask.refused([404, 503], "POST", "/v1/embeddings", { model: id, input: "a word" });
}

/** A server of embeddings as others are. */
function otherServer() {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { input } = (await request.json()) as { input: string | string[] };
      const data = [input].flat().map((text, index) => {
        const random = Array.from({ length: 8 }, (_, i) => Math.sin(Bun.hash.crc32(`${text}${i}`)));
        return { object: "embedding", index, embedding: random };
      });
      return Response.json({ object: "list", model: "house", data, usage: { prompt_tokens: 3, total_tokens: 3 } });
    },
  });
  return { address: `http://127.0.0.1:${server.port}/v1`, [Symbol.asyncDispose]: () => server.stop(true) };
}

/** And one backup at a time. */
let isBackingUp = false;

const backups: Episode = {
  family: "backup",
  async run({ ask, house }) {
    if (isBackingUp) return;
    isBackingUp = true;
    try {
      await takeBackup(ask, house);
    } finally {
      isBackingUp = false;
    }
  },
};

async function takeBackup(ask: Asker, house: House): Promise<void> {
  const { mark } = house;
  const bytes = await ask.guarded("a backup", mark, async () => {
    const response = await ask.raw("GET", "/v1/admin/backup");
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    let length = 0;
    for await (const piece of response.body ?? []) length += piece.length;
    return length;
  });
  must("a backup has the database", bytes > 100_000, bytes);
}

export const ADMIN_FAMILIES: readonly Episode[] = [tenants, consoles, service, deletions, models, backups];
