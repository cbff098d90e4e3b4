import type { SeededRandom } from "../helpers/random.ts";
import type { Asker } from "./asker.ts";
import type { House } from "./house.ts";
import type { Library } from "./library.ts";
import { Wrong } from "./wrong.ts";

/** What an episode is given. */
export interface Place {
  ask: Asker;
  house: House;
  library: Library;
  random: SeededRandom;
}

/**
 * Some minutes of one client at most: it makes what it needs, uses it, checks every answer against what it knows, and takes
 * it away. What it makes has the asker's name at its beginning, so that what is left after an interruption can be found.
 */
export interface Episode {
  family: string;
  run(place: Place): Promise<void>;
}

/** A word that stands nowhere else. */
export function newWord(random: SeededRandom): string {
  const letters = Array.from({ length: 8 }, () => "bcdfghklmnprstvz"[random.below(16)]).join("");
  return `q${letters}${(words++).toString(36)}x`;
}
let words = 0;

const SUBJECTS = ["harbour", "orchard", "violin", "glacier", "kettle", "lantern", "market", "bridge"];

/** A paragraph of about 60 words in which the word stands once. */
export function paragraph(word: string, random: SeededRandom): string {
  const subject = () => random.pick(SUBJECTS);
  const filler = Array.from(
    { length: 5 },
    () => `The ${subject()} near the ${subject()} was closed in ${1000 + random.below(900)} for repairs.`,
  ).join(" ");
  return `The word ${word} is explained here and nowhere else. ${filler}`;
}

export const textForm = (name: string, content: string | Uint8Array | Blob, purpose = "assistants"): FormData => {
  const form = new FormData();
  form.set("purpose", purpose);
  form.set("file", content instanceof Blob ? content : new Blob([content as string | Uint8Array<ArrayBuffer>]), name);
  return form;
};

export interface Identified {
  id: string;
}

/** A file that was sent; its id. */
export async function sendFile(ask: Asker, name: string, content: string | Uint8Array): Promise<string> {
  return (await ask.json<Identified>("POST", "/v1/files", textForm(`${ask.name}-${name}`, content))).id;
}

export async function newStore(ask: Asker, more: object = {}): Promise<string> {
  return (await ask.json<Identified>("POST", "/v1/vector_stores", { name: `${ask.name}-store`, ...more })).id;
}

interface StoreFile {
  status: string;
  last_error: { code: string; message: string } | null;
}

/** Until the file of the store is read; one that failed while the disk was full is read again. */
export async function indexed(ask: Asker, store: string, file: string): Promise<void> {
  const path = `/v1/vector_stores/${store}/files/${file}`;
  for (let tries = 0; ; tries++) {
    const done = await ask.until(`${file} in ${store} is read`, async () => {
      const now = await ask.json<StoreFile>("GET", path);
      return now.status === "in_progress" ? undefined : now;
    });
    if (done.status === "completed") return;
    if (!ask.house.wasFullLately || tries === 3) throw new Wrong(`${file} in ${store}: ${JSON.stringify(done)}`);
    await ask.json("POST", `${path}/retry`);
  }
}

/** A text in a store, indexed; the file's id. */
export async function addText(
  ask: Asker,
  store: string,
  name: string,
  text: string,
  more: object = {},
): Promise<string> {
  const file = await sendFile(ask, name, text);
  await ask.json("POST", `/v1/vector_stores/${store}/files`, { file_id: file, ...more });
  await indexed(ask, store, file);
  return file;
}

export interface Hit {
  file_id: string;
  filename: string;
  score: number;
  attributes: Record<string, unknown> | null;
  content: { text: string }[];
}

export async function searchFor(ask: Asker, store: string, body: object): Promise<Hit[]> {
  return (await ask.json<{ data: Hit[] }>("POST", `/v1/vector_stores/${store}/search`, body)).data;
}

export const textOfHit = (hit: Hit | undefined): string => (hit?.content ?? []).map(({ text }) => text).join("\n");
