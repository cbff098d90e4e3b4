/**
 * What stays for as long as the soak runs: some stores whose every file, attribute and passage is known beside the server.
 * A request whose answer did not come leaves two possibilities; what was acknowledged leaves one.
 */
import type { SeededRandom } from "../helpers/random.ts";
import { makePdf } from "../fixtures/parse/make-pdf.ts";
import type { Asker } from "./asker.ts";
import { type Identified, indexed, newWord, paragraph, searchFor, textForm, textOfHit } from "./episode.ts";
import { must, same, Wrong } from "./wrong.ts";

/** Files of a store, about. */
const FULL = 40;
const SHELVES = 4;
const GONE_KEPT = 60;
const STRATEGY = { type: "static", static: { max_chunk_size_tokens: 120, chunk_overlap_tokens: 0 } };
const FORMATS = ["txt", "md", "html", "pdf"] as const;

type State = "uploading" | "uploaded" | "attaching" | "attached" | "changing" | "deleting";

interface KeptFile {
  name: string;
  id: string;
  sha256: string;
  bytes: Uint8Array;
  /** One of each passage. */
  words: string[];
  topic: number;
  /** While it is being changed. */
  nextTopic: number;
  state: State;
}

interface Shelf {
  name: string;
  id: string;
  files: Map<string, KeptFile>;
  /** Words of files that were deleted. */
  gone: string[];
  isBusy: boolean;
}

const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

export class Library {
  readonly shelves: Shelf[] = [];
  /** Looked at so far. */
  checks = 0;
  #serial = 0;

  async open(ask: Asker): Promise<void> {
    for (let i = 0; i < SHELVES; i++) {
      const name = `library-${i}`;
      const { id } = await ask.json<Identified>("POST", "/v1/vector_stores", { name, chunking_strategy: STRATEGY });
      this.shelves.push({ name, id, files: new Map(), gone: [], isBusy: false });
    }
  }

  /** As many files as the stores hold after some hours, as far as it comes in `ms`; nobody else is there. */
  async fill(ask: Asker, random: SeededRandom, ms: number): Promise<void> {
    const untilMs = performance.now() + ms;
    for (const shelf of this.shelves) {
      await this.#recover(ask, shelf);
      while (shelf.files.size < FULL && performance.now() < untilMs) await this.#add(ask, shelf, random);
    }
  }

  get size(): number {
    return this.shelves.reduce((sum, shelf) => sum + shelf.files.size, 0);
  }

  get ids(): Set<string> {
    return new Set(this.shelves.flatMap((shelf) => [...shelf.files.values()].map(({ id }) => id)));
  }

  /** One change and one look at a store that nobody else is at. */
  async visit(ask: Asker, random: SeededRandom): Promise<void> {
    const free = this.shelves.filter(({ isBusy }) => !isBusy);
    if (free.length === 0) return;
    const shelf = random.pick(free);
    await this.#alone(shelf, async () => {
      await this.#recover(ask, shelf);
      const chance = random();
      const some = [...shelf.files.values()];
      if (some.length < 3 || (chance < 0.5 && some.length < FULL)) await this.#add(ask, shelf, random);
      else if (chance < 0.65) await this.#change(ask, shelf, random.pick(some), random);
      else await this.#remove(ask, shelf, random.pick(some));
      const left = [...shelf.files.values()];
      if (left.length > 0) await this.#checkFile(ask, shelf, random.pick(left));
      await this.#checkShelf(ask, shelf, random);
    });
  }

  /** Everything, word by word; nobody else is there. */
  async checkAll(ask: Asker, random: SeededRandom): Promise<void> {
    for (const shelf of this.shelves) {
      await this.#recover(ask, shelf);
      for (const file of shelf.files.values()) await this.#checkFile(ask, shelf, file);
      await this.#checkShelf(ask, shelf, random);
    }
  }

  async #alone(shelf: Shelf, act: () => Promise<void>): Promise<void> {
    shelf.isBusy = true;
    try {
      await act();
    } finally {
      shelf.isBusy = false;
    }
  }

  async #add(ask: Asker, shelf: Shelf, random: SeededRandom): Promise<void> {
    const words = Array.from({ length: 1 + random.below(5) }, () => newWord(random));
    const name = `library-${this.#serial++}.${random.pick(FORMATS)}`;
    const bytes = bytesOf(name, words, random);
    const topic = random.below(3);
    const file: KeptFile = {
      name,
      id: "",
      sha256: sha256(bytes),
      bytes,
      words,
      topic,
      nextTopic: topic,
      state: "uploading",
    };
    shelf.files.set(name, file);
    file.id = (await ask.json<Identified>("POST", "/v1/files", textForm(name, bytes))).id;
    file.state = "uploaded";
    await this.#attach(ask, shelf, file);
  }

  async #attach(ask: Asker, shelf: Shelf, file: KeptFile): Promise<void> {
    file.state = "attaching";
    const body = { file_id: file.id, attributes: { topic: file.topic, name: file.name }, chunking_strategy: STRATEGY };
    await ask.json("POST", `/v1/vector_stores/${shelf.id}/files`, body);
    file.state = "attached";
    await indexed(ask, shelf.id, file.id);
  }

  async #change(ask: Asker, shelf: Shelf, file: KeptFile, random: SeededRandom): Promise<void> {
    file.nextTopic = random.below(3);
    file.state = "changing";
    const attributes = { topic: file.nextTopic, name: file.name };
    await ask.json("POST", `/v1/vector_stores/${shelf.id}/files/${file.id}`, { attributes });
    file.topic = file.nextTopic;
    file.state = "attached";
  }

  async #remove(ask: Asker, shelf: Shelf, file: KeptFile): Promise<void> {
    file.state = "deleting";
    await ask.json("DELETE", `/v1/files/${file.id}`);
    this.#forget(shelf, file);
  }

  #forget(shelf: Shelf, file: KeptFile): void {
    shelf.files.delete(file.name);
    shelf.gone = [...shelf.gone, ...file.words].slice(-GONE_KEPT);
  }

  /** What was under way when an answer did not come is looked at, and brought to its end. */
  async #recover(ask: Asker, shelf: Shelf): Promise<void> {
    for (const file of [...shelf.files.values()]) {
      const path = `/v1/vector_stores/${shelf.id}/files/${file.id}`;
      switch (file.state) {
        case "uploading":
          for await (const { id, filename } of await ask.by("list files", (client) =>
            client.files.list({ limit: 1000 }),
          ))
            if (filename === file.name) await ask.json("DELETE", `/v1/files/${id}`);
          shelf.files.delete(file.name);
          break;
        case "uploaded":
          await this.#attach(ask, shelf, file);
          break;
        case "attaching":
          if ((await this.#statusOf(ask, path)) === 404) await this.#attach(ask, shelf, file);
          else file.state = "attached";
          break;
        case "changing": {
          const { attributes } = await ask.json<{ attributes: { topic: number } }>("GET", path);
          must("attributes are old or new", [file.topic, file.nextTopic].includes(attributes.topic), [
            file.name,
            attributes,
          ]);
          file.topic = attributes.topic;
          file.state = "attached";
          break;
        }
        case "deleting":
          if ((await this.#statusOf(ask, `/v1/files/${file.id}`)) === 404) this.#forget(shelf, file);
          else await this.#remove(ask, shelf, file);
          break;
        case "attached":
          break;
      }
      if (file.state === "attached") await indexed(ask, shelf.id, file.id);
    }
  }

  async #statusOf(ask: Asker, path: string): Promise<number> {
    const { mark } = ask.house;
    return await ask.guarded(path, mark, async () => {
      const response = await ask.raw("GET", path);
      await response.text();
      if (response.status !== 200 && response.status !== 404) throw new Error(`${path}: ${response.status}`);
      return response.status;
    });
  }

  async #checkFile(ask: Asker, shelf: Shelf, file: KeptFile): Promise<void> {
    const { mark } = ask.house;
    const bytes = await ask.guarded(`content of ${file.name}`, mark, async () => {
      const response = await ask.raw("GET", `/v1/files/${file.id}/content`);
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      return new Uint8Array(await response.arrayBuffer());
    });
    same(`bytes of ${file.name}`, sha256(bytes), file.sha256);
    const path = `/v1/vector_stores/${shelf.id}/files/${file.id}`;
    const { attributes, status } = await ask.json<{ attributes: object; status: string }>("GET", path);
    same(`${file.name} in its store`, [status, attributes], ["completed", { topic: file.topic, name: file.name }]);
    const { data } = await ask.json<{ data: { text: string }[] }>("GET", `${path}/content`);
    const text = data.map((part) => part.text).join("\n");
    for (const word of file.words) {
      must(`the text of ${file.name} has ${word}`, text.includes(word));
      const hits = await searchFor(ask, shelf.id, { query: word, search_mode: "keyword", max_num_results: 5 });
      const holding = hits.filter((hit) => textOfHit(hit).includes(word));
      same(`who has ${word}`, [hits[0]?.file_id, holding.map((hit) => hit.file_id)], [file.id, [file.id]]);
      this.checks++;
    }
  }

  async #checkShelf(ask: Asker, shelf: Shelf, random: SeededRandom): Promise<void> {
    const path = `/v1/vector_stores/${shelf.id}`;
    const known = [...shelf.files.values()];
    const listed: string[] = [];
    const page = await ask.by("files of a store", (client) => client.vectorStores.files.list(shelf.id, { limit: 100 }));
    for (const { id } of page.data) listed.push(id);
    same(`files of ${shelf.name}`, listed.toSorted(), known.map(({ id }) => id).toSorted());
    const { file_counts } = await ask.json<{ file_counts: { completed: number; total: number } }>("GET", path);
    same(`counts of ${shelf.name}`, [file_counts.completed, file_counts.total], [known.length, known.length]);
    const topic = random.below(3);
    const wanted = known.filter((file) => file.topic === topic);
    const filters = { type: "eq", key: "topic", value: topic };
    const mode = random.pick(["hybrid", "vector", "keyword"]);
    const hits = await searchFor(ask, shelf.id, {
      query: "the harbour",
      filters,
      search_mode: mode,
      max_num_results: 50,
    });
    const among = new Set(wanted.map(({ id }) => id));
    for (const hit of hits) must(`a ${mode} hit of topic ${topic} is one of them`, among.has(hit.file_id), hit);
    same(
      "scores fall",
      hits.map(({ score }) => score),
      hits.map(({ score }) => score).toSorted((a, b) => b - a),
    );
    if (mode === "vector") must("the filter lost something", hits.length > 0 || wanted.length === 0);
    const query = `filters=${encodeURIComponent(JSON.stringify(filters))}&limit=100`;
    const chunks = await ask.json<{ data: { file_id: string; text: string }[]; has_more: boolean }>(
      "GET",
      `${path}/chunks?${query}`,
    );
    for (const { file_id } of chunks.data) must("a chunk of another topic", among.has(file_id), file_id);
    if (!chunks.has_more) {
      const all = chunks.data.map(({ text }) => text).join("\n");
      for (const word of wanted.flatMap(({ words }) => words))
        if (all.split(word).length !== 2)
          throw new Wrong(`${word} stands ${all.split(word).length - 1} times in ${shelf.name}`);
    }
    for (const word of shelf.gone.slice(-3)) {
      const found = await searchFor(ask, shelf.id, { query: word, max_num_results: 50 });
      must(`the deleted ${word} is not found`, !found.some((hit) => textOfHit(hit).includes(word)));
    }
    this.checks += 4;
  }
}

function bytesOf(name: string, words: readonly string[], random: SeededRandom): Uint8Array {
  const paragraphs = words.map((word) => paragraph(word, random));
  if (name.endsWith("pdf"))
    return makePdf(
      paragraphs.map((text) => ({
        items: text.split(". ").map((line, i) => ({ text: `${line}.`, x: 72, y: 700 - 20 * i })),
      })),
    );
  const text = name.endsWith("html")
    ? `<html><body>${paragraphs.map((one) => `<p>${one}</p>`).join("\n")}</body></html>`
    : paragraphs.join("\n\n");
  return new TextEncoder().encode(text);
}
