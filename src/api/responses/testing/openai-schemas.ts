/** OpenAI's own schemas, by which answers and events are judged in tests. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv";
import addFormats from "ajv-formats";

const FILE = join(import.meta.dir, "../../../../test/fixtures/openai/openai-subset-2.openapi.json");

let ajv: Ajv2020 | undefined;
const compiled = new Map<string, ValidateFunction>();

/** What does not fit the schema of this name; null where all does. */
export function problemWith(schema: string, value: unknown): string | null {
  if (ajv === undefined) {
    ajv = new Ajv2020({ strict: false, logger: false });
    addFormats(ajv);
    ajv.addSchema(JSON.parse(readFileSync(FILE, "utf8")) as object, "spec");
  }
  let validate = compiled.get(schema);
  if (validate === undefined)
    compiled.set(schema, (validate = ajv.compile({ $ref: `spec#/components/schemas/${schema}` })));
  return validate(value) === true ? null : ajv.errorsText(validate.errors);
}

/** The schema that an event's type has. */
export function eventSchema(type: string): string {
  if (type === "error") return "ResponseErrorEvent";
  const words = type.replace(/^response\./, "").split(/[._]/);
  const name = words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join("");
  return `Response${name.replace(/^OutputText(Delta|Done)$/, "Text$1")}Event`;
}
