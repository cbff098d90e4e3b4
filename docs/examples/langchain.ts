/** Which text answers a question, by LangChain's embeddings of an OpenAI-compatible server. */
import { OpenAIEmbeddings } from "@langchain/openai";

const embeddings = new OpenAIEmbeddings({
  model: "lectern-embed-en",
  apiKey: process.env["LECTERN_API_KEY"] ?? "",
  configuration: { baseURL: `${process.env["LECTERN_URL"] ?? "http://127.0.0.1:8080"}/v1` },
});

const texts = ["Tides follow the moon.", "Bread needs flour, water, salt and time.", "Ropes are made of hemp."];
const vectors = await embeddings.embedDocuments(texts);
const query = await embeddings.embedQuery("which grain is bread baked from");
const scores = vectors.map((vector) => vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0));
const best = scores.indexOf(Math.max(...scores));
console.log(scores[best]?.toFixed(3), texts[best]);
