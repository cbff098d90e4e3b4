/** Every text has a direction: those too of which the bundled table of English words knows nothing. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addText, json, newStore, search } from "../helpers/api.ts";
import { startServer, type TestServer } from "../helpers/server.ts";

let server: TestServer;
let storeId: string;

const FILES: Record<string, string> = {
  "chinese.txt": "退货需三十天内处理，请留好收据。",
  "japanese.txt": "払い戻しは三十日以内に行われます。領収書を保管してください。",
  "hebrew.txt": "ההחזר יטופל בתוך שלושים יום. נא לשמור את הקבלה ואת האריזה המקורית.",
  "thai.txt": "การคืนเงินจะดำเนินการภายในสามสิบวัน โปรดเก็บใบเสร็จของคุณไว้",
  "hindi.txt": "वापसी तीस दिनों के भीतर की जाएगी। कृपया अपनी रसीद संभाल कर रखें।",
  "emoji.txt": "🎉🎊🥳 🎂🎈",
  "marks.txt": "... --- !!! ???",
};

beforeAll(async () => {
  server = await startServer();
  storeId = await newStore(server);
  for (const [name, text] of Object.entries(FILES)) await addText(server, storeId, name, text);
  for (let i = 0; i < 20; i++)
    await addText(server, storeId, `note-${i}.txt`, `Note ${i}: the harbour is closed when the wind is strong.`);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function embed(input: string | string[], more: object = {}): Promise<number[][]> {
  const body = { model: "lectern-embed-en", input, ...more };
  const answer = await json<{ data: { embedding: number[] }[] }>(server, "POST", "/v1/embeddings", body);
  return answer.data.map((one) => one.embedding);
}

const cosine = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

describe("/v1/embeddings", () => {
  const texts = [
    ...Object.values(FILES),
    "你好",
    "שלום",
    "ก",
    "🎉",
    "。",
    "—",
    "   ",
    "\n",
    "\ud83d",
    "\u200b",
    "zzqxv",
    "x",
  ];

  test.each([{}, { dimensions: 64 }, { dimensions: 1 }, { input_type: "query" }])("length 1, with %j", async (more) => {
    const vectors = await embed(texts, more);
    expect(texts.filter((_, i) => Math.abs(Math.hypot(...(vectors[i] ?? [])) - 1) > 1e-5)).toEqual([]);
  });

  test("length 1 and zeros behind it where a hosted name asks for more", async () => {
    const [vector] = await embed("你好", { model: "text-embedding-3-small", dimensions: 1536 });
    expect(vector).toHaveLength(1536);
    expect(Math.hypot(...(vector ?? []))).toBeCloseTo(1, 5);
  });

  test("equal texts have one direction, whatever comes with them; others share nothing", async () => {
    const [one, , same] = await embed(["退货需三十天内处理", "a harbour", "退货需三十天内处理"]);
    const [alone, other, near] = await embed(["退货需三十天内处理", "שלום עולם", "退货需十天内处理"]);
    expect(same).toEqual(one as number[]);
    expect(alone).toEqual(one as number[]);
    expect(cosine(one ?? [], near ?? [])).toBeGreaterThan(0.5);
    expect(Math.abs(cosine(one ?? [], other ?? []))).toBeLessThan(0.3);
  });
});

describe("search by vectors alone", () => {
  test.each([
    ["三十天内处理", "chinese.txt"],
    ["領収書を保管", "japanese.txt"],
    ["שלושים יום", "hebrew.txt"],
    ["ใบเสร็จของคุณ", "thai.txt"],
    ["अपनी रसीद", "hindi.txt"],
    ["🥳 🎂", "emoji.txt"],
    ["???", "marks.txt"],
  ])("%s finds the file that has these characters", async (query, filename) => {
    const [hit] = await search(server, storeId, { query, search_mode: "vector" });
    expect(hit?.filename).toBe(filename);
    expect(hit?.score).toBeGreaterThan(0.2);
  });
});

test("a text that nothing has anything to do with scores low in the usual search", async () => {
  for (const query of ["Zzyzxov", "KX-9999-Z", "환불", "ñandú", "🚲", "Ωμέγα"]) {
    const [hit] = await search(server, storeId, { query });
    expect([query, (hit?.score ?? 0) < 0.1]).toEqual([query, true]);
  }
});
