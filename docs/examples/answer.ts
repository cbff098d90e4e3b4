/**
 * Answers a question from the passages of a vector store with any server of chat completions, and cites them.
 *
 *   CHAT_URL=http://127.0.0.1:11434/v1 CHAT_MODEL=llama3.2 bun docs/examples/answer.ts handbook "how are refunds paid"
 */
import OpenAI from "openai";

const [name = "handbook", question = "how long does a refund take"] = process.argv.slice(2);
const baseURL = `${process.env["LECTERN_URL"] ?? "http://127.0.0.1:8080"}/v1`;
const lectern = new OpenAI({ baseURL, apiKey: process.env["LECTERN_API_KEY"] });
const chat = new OpenAI({ baseURL: process.env["CHAT_URL"], apiKey: process.env["CHAT_API_KEY"] ?? "none" });

const { data: stores } = await lectern.vectorStores.list({ limit: 100 });
const store = stores.find((one) => one.name === name);
if (store === undefined) throw new Error(`no vector store is called ${name}`);

const { data: hits } = await lectern.vectorStores.search(store.id, { query: question, max_num_results: 5 });
const passages = hits.map((hit, i) => `[${i + 1}] ${hit.filename}: ${hit.content[0]?.text}`).join("\n\n");
const answer = await chat.chat.completions.create({
  model: process.env["CHAT_MODEL"] ?? "your-model",
  messages: [
    { role: "user", content: `Answer from these passages and cite them by number.\n\n${passages}\n\n${question}` },
  ],
});
console.log(answer.choices[0]?.message.content);
hits.forEach((hit, i) => console.log(`[${i + 1}] ${hit.filename}`));
