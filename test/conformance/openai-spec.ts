/** OpenAI's published specification as a yardstick: which operation an address is, and whether a body fits its schema. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { ROOT } from "../helpers/server.ts";

const METHODS = ["get", "post", "put", "patch", "delete"];
const FAMILIES = /^\/(embeddings|files|models|uploads|vector_stores)(\/|$)/;

export interface SpecOperation {
  id: string;
  method: string;
  /** As in the specification, without `/v1`. */
  path: string;
}

export interface Spec {
  file: string;
  /** Those of the families that are served here, in the order of the document. */
  operations: readonly SpecOperation[];
  /** The operation that a request belongs to. `path` is without `/v1` and without a query. */
  find(method: string, path: string): SpecOperation | null;
  /** What does not fit in the body of a 200 answer; null where all does, or where no JSON is promised. */
  answerProblem(operation: SpecOperation, body: unknown): string | null;
  errorProblem(body: unknown): string | null;
}

interface Document {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>>;
}

/** The file that SPEC names, else the families that are served here, cut from OpenAI's own. */
export function findSpec(): string {
  const named = process.env["SPEC"];
  return named === undefined ? join(ROOT, "test/fixtures/openai/openai-subset.openapi.json") : resolve(named);
}

/** `families`: whose operations are looked at. */
export function readSpec(file: string, families = FAMILIES): Spec {
  const text = readFileSync(file, "utf8");
  const document = withoutNullable(/\.ya?ml$/.test(file) ? Bun.YAML.parse(text) : JSON.parse(text)) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    families.test(path)
      ? METHODS.flatMap((method) => {
          const found = item[method];
          return found === undefined ? [] : [{ id: found.operationId, method: method.toUpperCase(), path }];
        })
      : [],
  );
  // Quiet about formats of OpenAI's own, such as `unixtime`.
  const ajv = new Ajv2020({ strict: false, allErrors: true, logger: false });
  addFormats(ajv);
  ajv.addSchema(document, "spec");
  const compiled = new Map<string, ValidateFunction>();
  const problem = (ref: string, body: unknown): string | null => {
    let validate = compiled.get(ref);
    if (validate === undefined) {
      validate = ajv.compile({ $ref: `spec#${ref}` });
      compiled.set(ref, validate);
    }
    return validate(body) === true ? null : ajv.errorsText(validate.errors);
  };
  return {
    file,
    operations,
    find(method, path) {
      const fitting = operations.filter((one) => one.method === method && pattern(one.path).test(path));
      // `/a/{x}` and `/a/fixed` may both fit; the one with fewer parameters is meant.
      return fitting.toSorted((a, b) => a.path.split("{").length - b.path.split("{").length)[0] ?? null;
    },
    answerProblem({ path, method }, body) {
      const at = `/paths/${escape(path)}/${method.toLowerCase()}/responses/200/content/application~1json/schema`;
      return problem(at, body);
    },
    errorProblem: (body) => problem("/components/schemas/ErrorResponse", body),
  };
}

/** `nullable` means nothing in OpenAPI 3.1, and the validator refuses it where there is no type beside it. */
function withoutNullable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNullable);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key, inner]) => key !== "nullable" || typeof inner !== "boolean");
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNullable(inner)]));
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{[^}]+\}/g, "[^/]+")}$`);
}

/** A JSON pointer's step inside a URI fragment. */
function escape(step: string): string {
  return encodeURIComponent(step.replaceAll("~", "~0").replaceAll("/", "~1"));
}
