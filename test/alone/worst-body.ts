/**
 * The worst bodies that an operation takes, made from its schema: every bound at its maximum, within what the body may
 * be at most. One is of long texts, one of as many values as there may be, and each union has a turn of every branch.
 */
import type { JsonLimit } from "../../src/http/body-limit.ts";
import type { Schema } from "../../src/http/json-schema.ts";

export interface WorstBody {
  name: string;
  text: string;
  /** The same with other values, for whoever asks twice: nothing of it is remembered. */
  again: string;
}

/** What is left for a value: bytes of JSON, texts and containers, values. */
interface Room {
  bytes: number;
  nodes: number;
  items: number;
}

interface Manner {
  /** Long texts rather than many values. */
  isLong: boolean;
  branch: number;
  given: Accepted;
}

/** Of compound filters; they have no schema. */
const FILTER_DEPTH = 15;

/** What the schema cannot know: members by name with a value that is accepted, undefined for those to leave out. */
export type Accepted = Readonly<Record<string, unknown>>;

export function worstBodies(schema: Schema, limit: JsonLimit, accepted: Accepted): WorstBody[] {
  const inManner = (given: Accepted, branches: number) =>
    [true, false].flatMap((isLong) => Array.from({ length: branches }, (_, branch) => ({ isLong, branch, given })));
  const most = mostBranches(schema);
  const manners = [...inManner({}, most), ...inManner(accepted, Math.min(2, most))];
  const room = () => ({ bytes: limit.bytes * 0.95, nodes: limit.nodes * 0.9, items: limit.items * 0.9 });
  const bySchema = manners.map((manner) => ({
    name: `${manner.isLong ? "long texts" : "many values"}, branch ${manner.branch}${manner.given === accepted ? ", accepted" : ""}`,
    text: JSON.stringify(worst(schema, room(), manner)),
  }));
  const all = [...bySchema, ...filters(schema, limit)];
  return [
    ...new Map(all.map((one) => [one.text.slice(0, 300) + one.text.length, { again: one.text, ...one }])).values(),
  ];
}

/** Of unions of anything but words. */
function mostBranches(schema: Schema): number {
  const own = (schema.anyOf ?? []).filter((branch) => !("const" in branch) && branch.type !== "null").length;
  const parts = [schema.items, ...(schema.anyOf ?? []), ...Object.values(schema.properties ?? {})];
  return Math.max(1, own, ...parts.map((part) => (part === undefined ? 1 : mostBranches(part))));
}

function worst(schema: Schema, room: Room, manner: Manner): unknown {
  if ("const" in schema) return schema.const;
  if (schema.anyOf !== undefined) {
    const kinds = schema.anyOf.filter((branch) => branch.type !== "null");
    return worst(kinds[Math.min(manner.branch, kinds.length - 1)] ?? {}, room, manner);
  }
  switch (schema.type) {
    case "string":
      return text(schema, room, manner);
    case "integer":
    case "number":
      return schema.maximum ?? Math.max(schema.minimum ?? 0, schema.type === "integer" ? 7 : 0.5);
    case "boolean":
      return true;
    case "array":
      return list(schema, room, manner);
    case "object":
      return object(schema, room, manner);
    default:
      return text({ maxLength: 512 }, room, manner);
  }
}

function text({ maxLength = 0, minLength = 0 }: Schema, { bytes }: Room, { isLong }: Manner): string {
  const length = isLong ? Math.max(minLength, Math.min(maxLength, Math.floor(bytes) - 8)) : Math.max(minLength, 1);
  return "word ".repeat(Math.ceil(length / 5)).slice(0, length);
}

function list(schema: Schema, room: Room, manner: Manner): unknown[] {
  const { items = {}, maxItems = 0 } = schema;
  const made: unknown[] = [];
  let left = room;
  // The first tells what one of them takes; a copy of it is as good as another.
  const share = { bytes: room.bytes / 2, nodes: room.nodes / 2, items: room.items / 2 };
  const one = worst(items, share, manner);
  const size = sizeOf(one);
  while (made.length < maxItems && left.bytes > size.bytes && left.nodes > size.nodes && left.items > size.items) {
    made.push(one);
    left = { bytes: left.bytes - size.bytes, nodes: left.nodes - size.nodes, items: left.items - size.items };
  }
  return made;
}

function object(schema: Schema, room: Room, manner: Manner): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  const members = Object.entries(schema.properties ?? {});
  const pattern = Object.values(schema.patternProperties ?? {})[0];
  const free = pattern === undefined ? 0 : Math.min(schema.maxProperties ?? 0, 1000);
  for (let i = 0; i < free; i++) members.push([`member${i}`, pattern ?? {}]);
  let left = room;
  // The largest get what the small ones leave.
  const wanted = members.filter(([name]) => !(Object.hasOwn(manner.given, name) && manner.given[name] === undefined));
  const ordered = wanted.toSorted(([, a], [, b]) => weight(a) - weight(b));
  for (const [i, [name, member]] of ordered.entries()) {
    const parts = ordered.length - i;
    const share = { bytes: left.bytes / parts, nodes: left.nodes / parts, items: left.items / parts };
    if (share.bytes < 16 || share.nodes < 4 || share.items < 2) break;
    made[name] = Object.hasOwn(manner.given, name) ? manner.given[name] : worst(member, share, manner);
    const size = sizeOf(made[name]);
    const bytes = size.bytes + name.length + 4;
    left = { bytes: left.bytes - bytes, nodes: left.nodes - size.nodes - 1, items: left.items - size.items - 1 };
  }
  return made;
}

function weight({ type, anyOf, maxItems = 1, maxLength = 1 }: Schema): number {
  if (anyOf !== undefined) return Math.max(...anyOf.map(weight));
  if (type === "array") return 1e9 + maxItems;
  return type === "object" ? 1e6 : maxLength;
}

const sizes = new WeakMap<object, Room>();

function sizeOf(value: unknown): Room {
  if (typeof value === "string") return { bytes: value.length + 3, nodes: 1, items: 1 };
  if (typeof value !== "object" || value === null) return { bytes: String(value).length + 1, nodes: 0, items: 1 };
  const known = sizes.get(value);
  if (known !== undefined) return known;
  const size = { bytes: 3, nodes: 1, items: 1 };
  for (const [name, inner] of Object.entries(value)) {
    const part = sizeOf(inner);
    size.bytes += part.bytes;
    size.nodes += part.nodes;
    size.items += part.items;
    if (Array.isArray(value)) continue;
    size.bytes += name.length + 3;
    size.nodes += 1;
  }
  sizes.set(value, size);
  return size;
}

/** Filters as deep, as wide, and with as long lists as there can be. */
function filters(schema: Schema, limit: JsonLimit): WorstBody[] {
  if (schema.properties?.["filters"] === undefined) return [];
  const again = filtersFrom(1_000_000, limit);
  return filtersFrom(0, limit).map((one, i) => ({ ...one, again: again[i]?.text ?? one.text }));
}

/** With numbers from `start` on. */
function filtersFrom(start: number, limit: JsonLimit): { name: string; text: string }[] {
  const leaf = { type: "ne", key: "number", value: start };
  const nested = (depth: number): object =>
    depth === 0 ? leaf : { type: depth % 2 ? "and" : "or", filters: [nested(depth - 1), nested(depth - 1)] };
  const wide = Math.floor(Math.min(limit.bytes / 50, limit.nodes / 8));
  const values = Math.floor(Math.min(limit.bytes / 10, limit.nodes)) - 100;
  const made: [string, object][] = [
    ["filters nested to the bound", nested(Math.min(FILTER_DEPTH, Math.floor(Math.log2(wide))))],
    [
      "filters side by side",
      { type: "or", filters: Array.from({ length: wide }, (_, i) => ({ ...leaf, value: start + i })) },
    ],
    [
      "ranges side by side",
      { type: "and", filters: Array.from({ length: wide }, (_, i) => ({ ...leaf, type: "gte", value: -start - i })) },
    ],
    [
      "256 comparisons",
      { type: "or", filters: Array.from({ length: 250 }, (_, i) => ({ ...leaf, value: start + i })) },
    ],
    [
      "a long list",
      { type: "in", key: "number", value: Array.from({ length: Math.min(99_999, values) }, (_, i) => start + i) },
    ],
    [
      "a long list of texts",
      { type: "nin", key: "word", value: Array.from({ length: Math.min(99_999, values) }, (_, i) => `w${start + i}`) },
    ],
    ["empty objects", { type: "or", filters: Array.from({ length: wide * 5 }, () => ({})) }],
    ["one long text", { type: "eq", key: "word", value: `${start}${"x".repeat(limit.bytes * 0.9)}` }],
  ];
  return made.map(([name, filter]) => ({ name, text: JSON.stringify({ query: "word", filters: filter }) }));
}

/** What is none of the operation's, as much of it as fits: it is parsed before that is known. */
export function floods({ bytes }: JsonLimit): WorstBody[] {
  const fill = (name: string, start: string, unit: string, end: string) => {
    const count = Math.floor((bytes - start.length - end.length) / unit.length);
    const text = start + unit.repeat(count) + end;
    return { name, text, again: text };
  };
  return [
    fill("empty objects", '{"x":[', "{},", "{}]}"),
    fill("numbers", '{"x":[', "1,", "1]}"),
    fill("short texts", '{"x":[', '"",', '""]}'),
    fill("members of one name", "{", '"a":1,', '"a":1}'),
    fill("brackets", "", "[", ""),
    fill("one long text", '{"x":"', "a", '"}'),
    fill("escapes", '{"x":"', "\\u0041", '"}'),
    fill("halves of characters", '{"x":["', '\\ud800","', '"]}'),
    fill("blanks", "{", " ", "}"),
    fill("digits", '{"x":', "1", "}"),
  ];
}
