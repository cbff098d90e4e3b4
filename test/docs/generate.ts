/** `make docs`: writes the generated parts of the documents. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { json } from "../helpers/api.ts";
import { ROOT, startServer } from "../helpers/server.ts";
import type { ApiDocument } from "./generated.ts";
import { unpadded, withGenerated } from "./generated.ts";
import { pages, readPage } from "./pages.ts";

await using server = await startServer();
const api = await json<ApiDocument>(server, "GET", "/docs/json");
for (const page of pages()) {
  const text = readPage(page);
  const wanted = await withGenerated(text, api);
  if (unpadded(wanted) === unpadded(text)) continue;
  writeFileSync(join(ROOT, page), wanted);
  console.log(`wrote ${page}`);
}
