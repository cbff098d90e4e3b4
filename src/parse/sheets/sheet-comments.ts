import type { DocumentBuilder } from "../builder.ts";
import { oneLine } from "../builder.ts";
import { readXml } from "../xml.ts";
import { StringItem, unescaped } from "./ooxml-strings.ts";

/** Names of those who comment in threads, by their id. */
export function personNames(bytes: Uint8Array | null): Map<string, string> {
  const names = new Map<string, string>();
  if (bytes === null) return names;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "person") names.set(attributes["id"] ?? "", attributes["displayName"] ?? "");
    },
  });
  return names;
}

/** Comments and their replies in threads, in their order. */
export function writeThreads(bytes: Uint8Array, names: ReadonlyMap<string, string>, out: DocumentBuilder): void {
  let author = "";
  let text = "";
  let inText = 0;
  readXml(bytes, {
    open(name, attributes) {
      if (name === "threadedComment") author = names.get(attributes["personId"] ?? "") ?? "";
      else if (name === "text" && inText++ === 0) text = "";
    },
    text(part) {
      if (inText > 0) text += part;
    },
    close(name) {
      if (name === "text") inText--;
      else if (name === "threadedComment") {
        writeComment(author, unescaped(text), out);
        text = "";
      }
    },
  });
}

export function writeComment(author: string, text: string, out: DocumentBuilder): void {
  const line = oneLine(text);
  if (line !== "") out.line(`[Comment${author === "" ? "" : ` by ${author}`}: ${line}]`);
}

/**
 * Notes of cells. Those that stand in for a thread, for programs that know none, are told by their author's name; they
 * are left out where the thread itself is read.
 */
export function writeNotes(bytes: Uint8Array, hasThreads: boolean, out: DocumentBuilder): void {
  const item = new StringItem();
  const authors: string[] = [];
  let author = "";
  let inAuthor = false;
  readXml(bytes, {
    open(name, attributes) {
      item.open(name, attributes);
      if (name === "author") {
        authors.push("");
        inAuthor = true;
      } else if (name === "comment") author = authors[Number(attributes["authorId"])] ?? "";
    },
    text(text) {
      if (inAuthor) authors[authors.length - 1] += text;
      item.text(text);
    },
    close(name) {
      item.close(name);
      if (name === "author") inAuthor = false;
      if (name !== "comment") return;
      const text = item.take();
      if (!author.startsWith("tc=")) writeComment("", text, out);
      else if (!hasThreads) for (const said of threadTexts(text)) writeComment("", said, out);
    },
  });
}

/** What was said in a thread, out of the note that stands in for it: behind lines such as "Comment:" and "Reply:". */
export function threadTexts(note: string): string[] {
  const [, ...said] = note.split(/^[^\S\n]*\p{L}[^\n:：]{0,40}[:：][^\S\n]*$/mu);
  return said.map((text) => text.trim()).filter((text) => text !== "");
}
