import type { KeptItem } from "../../storage/response-items.ts";

/** Ids of the files and pictures that a message has. */
export function filesIn(item: KeptItem): string[] {
  if (item.type !== "message" || item.role === "assistant") return [];
  return item.content.flatMap((part) =>
    part.type !== "input_text" && part.file_id !== undefined ? [part.file_id] : [],
  );
}

/** All texts in an item, whatever it is. */
export function textsIn(item: object): string[] {
  return Object.values(item).flatMap((value: unknown) => {
    if (typeof value === "string") return [value];
    if (!Array.isArray(value)) return [];
    return value.flatMap((part: unknown) => (typeof part === "object" && part !== null ? textsIn(part) : []));
  });
}
