/** Other programs: the Model Context Protocol by its official client, Dify, Open WebUI and LibreChat. */
import { createHmac } from "node:crypto";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { TEST_KEY } from "../../helpers/server.ts";
import type { Asker } from "../asker.ts";
import { addText, type Episode, newStore, newWord } from "../episode.ts";
import { type House, LIBRECHAT_SECRET } from "../house.ts";
import { must, same } from "../wrong.ts";

const mcp: Episode = {
  family: "MCP",
  async run({ ask, random }) {
    const word = newWord(random);
    const store = await newStore(ask);
    const file = await addText(ask, store, "soup.md", `# Soup\n\nThe soup of ${word} takes an hour.`);
    for (const path of ["/mcp", `/mcp/${store}`])
      await ask.by(`the client at ${path}`, async () => {
        const url = new URL(ask.house.server.url + path);
        const client = new Client({ name: "soak", version: "1" }, { versionNegotiation: { mode: "auto" } });
        const requestInit = { headers: { authorization: `Bearer ${TEST_KEY}` } };
        await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
        try {
          const { tools } = await client.listTools();
          must(
            "tools",
            tools.some(({ name }) => name === "search"),
          );
          const found = await client.callTool({ name: "search", arguments: { query: `soup of ${word}` } });
          if (path !== "/mcp") must("it finds the soup", JSON.stringify(found).includes("soup.md"), found);
        } finally {
          await client.close();
        }
      });
    // The protocol's own requests are counted by hand: its client has its own connections.
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    const headers = { accept: "application/json, text/event-stream", "content-type": "application/json" };
    for (const path of ["/mcp", `/mcp/${store}`])
      must("tools are listed", (await ask.text("POST", path, JSON.stringify(list), { headers })).includes("search"));
    await ask.json("DELETE", `/v1/vector_stores/${store}`);
    await ask.json("DELETE", `/v1/files/${file}`);
  },
};

const dify: Episode = {
  family: "Dify",
  async run({ ask, random }) {
    const word = newWord(random);
    const store = await newStore(ask);
    const file = await addText(ask, store, "a.md", `A refund of ${word} takes ten days.`, {
      attributes: { kind: "support" },
    });
    const condition = {
      logical_operator: "and",
      conditions: [{ name: "kind", comparison_operator: "is", value: "support" }],
    };
    const { records } = await ask.json<{ records: { content: string }[] }>("POST", "/dify/retrieval", {
      knowledge_id: store,
      query: `refund of ${word}`,
      retrieval_setting: { top_k: 3, score_threshold: 0 },
      metadata_condition: condition,
    });
    must("it finds the passage", records[0]?.content.includes(word) === true, records);
    await ask.json("DELETE", `/v1/vector_stores/${store}`);
    await ask.json("DELETE", `/v1/files/${file}`);
  },
};

const openWebui: Episode = {
  family: "Open WebUI",
  async run({ ask, random }) {
    const word = newWord(random);
    const headers = { "content-type": "text/plain", "x-filename": `${ask.name}.txt`, "x-openwebui-user-id": "1" };
    const pages = await ask.json<{ page_content: string }[]>("PUT", "/openwebui/process", `A text of ${word}.`, {
      headers,
    });
    same(
      "the document's text",
      pages.map(({ page_content }) => page_content),
      [`A text of ${word}.`],
    );
  },
};

/** More than the clock is moved while an episode goes on: 5 minutes, as LibreChat has it, are over then. */
const DAY_S = 86_400;

/** As `jwt.sign({ id }, JWT_SECRET, { expiresIn: "1d", algorithm: "HS256" })`, by the server's clock. */
function signed(user: string, house: House): string {
  const iat = house.nowSeconds;
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { id: user, iat, exp: iat + DAY_S },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return [...parts, createHmac("sha256", LIBRECHAT_SECRET).update(parts.join(".")).digest("base64url")].join(".");
}

const libreChat: Episode = {
  family: "LibreChat",
  async run({ ask, random, house }) {
    const word = newWord(random);
    const id = `${ask.name}-doc`;
    // Signed anew for each request: the clock may have moved.
    const send = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const user: Asker = ask.as(signed(ask.name, house));
      return await user.json<T>(method, `/librechat${path}`, body);
    };
    const form = () => {
      const fields = new FormData();
      fields.append("file_id", id);
      fields.append("file", new Blob([`A refund of ${word} takes ten days.`]), "refund.md");
      return fields;
    };
    await send("GET", "/health");
    same("read", (await send<{ text: string }>("POST", "/text", form())).text, `A refund of ${word} takes ten days.`);
    const { status } = await send<{ status: boolean }>("POST", "/embed", form());
    if (!status && house.wasFullLately) return;
    same("embedded", status, true);
    type Found = [{ page_content: string }, number][];
    const [found] = await send<Found>("POST", "/query", { file_id: id, query: `refund of ${word}`, k: 3 });
    must("found", found?.[0].page_content.includes(word) === true, found);
    const both = await send<Found>("POST", "/query_multiple", { file_ids: [id], query: "refund", k: 3 });
    same("found among several", both.length, 1);
    same("its ids", await send<string[]>("GET", "/ids"), [id]);
    const [document] = await send<{ page_content: string }[]>("GET", `/documents?ids=${id}`);
    must("its text", document?.page_content.includes(word) === true);
    must("as one string", (await send<string>("GET", `/documents/${id}/context`)).includes(word));
    await send("DELETE", "/documents", [id]);
    same("none left", await send<string[]>("GET", "/ids"), []);
  },
};

export const PROGRAM_FAMILIES: readonly Episode[] = [mcp, dify, openWebui, libreChat];
