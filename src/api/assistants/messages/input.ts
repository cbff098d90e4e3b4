/** From messages as clients send them to messages as they are kept. */
import type { KeptAttachment, KeptMessagePart } from "../../../storage/thread-items.ts";
import { checkLength } from "../body.ts";
import { MAX_CHARACTERS } from "../tools-schema.ts";
import { checkPairs } from "../../attaching/input.ts";
import type { CreateMessageBody, GivenContentPart } from "./schema.ts";

export interface GivenMessage {
  role: "user" | "assistant";
  content: KeptMessagePart[];
  attachments: KeptAttachment[];
  metadata: Record<string, string>;
  /** Files that are to be searched, with their place in the request. */
  files: { fileId: string; param: string }[];
}

/** `at` is the path of the message in the body, "" for the body itself. */
export function givenMessage(body: CreateMessageBody, at = ""): GivenMessage {
  const path = (member: string) => (at === "" ? member : `${at}.${member}`);
  const { content, metadata } = body;
  const attachments = body.attachments ?? [];
  if (metadata) checkPairs(metadata, path("metadata"));
  return {
    role: body.role,
    content:
      typeof content === "string"
        ? [textPart(content, path("content"))]
        : content.map((part, i) => keptPart(part, path(`content[${i}]`))),
    attachments: attachments.map(({ file_id, tools }) => ({ file_id, tools: tools ?? [] })),
    metadata: metadata ?? {},
    files: attachments.flatMap(({ file_id: fileId, tools }, i) =>
      tools?.some(({ type }) => type === "file_search") === true
        ? [{ fileId, param: path(`attachments[${i}].file_id`) }]
        : [],
    ),
  };
}

function keptPart(part: GivenContentPart, at: string): KeptMessagePart {
  switch (part.type) {
    case "text":
      return textPart(part.text, `${at}.text`);
    case "image_url":
      return { type: part.type, image_url: { url: part.image_url.url, detail: part.image_url.detail ?? "auto" } };
    case "image_file":
      return {
        type: part.type,
        image_file: { file_id: part.image_file.file_id, detail: part.image_file.detail ?? "auto" },
      };
  }
}

function textPart(text: string, param: string): KeptMessagePart {
  checkLength(text, MAX_CHARACTERS, param);
  return { type: "text", text, marks: [] };
}
