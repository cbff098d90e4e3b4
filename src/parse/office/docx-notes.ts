import { DocumentBuilder } from "../builder.ts";
import { attribute, readXml } from "../xml.ts";
import type { WordContext } from "./docx-writer.ts";
import { WordWriter } from "./docx-writer.ts";

/** Notes and comments by id: " by NAME: text" or ": text". */
export function notesOf(
  bytes: Uint8Array | null,
  element: "footnote" | "endnote" | "comment",
  context: WordContext,
): Map<string, string> {
  const notes = new Map<string, string>();
  if (bytes === null) return notes;
  let id = "";
  let author = "";
  let out = new DocumentBuilder(MAX_NOTE);
  let writer: WordWriter | null = null;
  readXml(bytes, {
    open(name, attributes) {
      if (name !== element) return writer?.open(name, attributes);
      id = attribute(attributes, "id") ?? "";
      author = element === "comment" ? (attribute(attributes, "author") ?? "") : "";
      out = new DocumentBuilder(MAX_NOTE);
      writer = new WordWriter(out, context);
    },
    text: (text) => writer?.text(text),
    close(name) {
      if (name !== element) return writer?.close(name);
      writer = null;
      const text = out.build("docx").text.replace(/\n{2,}/g, "\n");
      if (text !== "") notes.set(id, `${author === "" ? "" : ` by ${author}`}: ${text}`);
    },
  });
  return notes;
}

/** UTF-16 units; the document's own bound counts what is shown of them. */
const MAX_NOTE = 16 * 1024 * 1024;
