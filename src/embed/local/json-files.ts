/** JSON files of a model folder, with every problem noted instead of thrown. */
import type { ModelFiles } from "./model-files.ts";
import { messageOf } from "../../errors.ts";

export type JsonObject = Record<string, unknown>;

export class JsonFiles {
  readonly problems: string[] = [];
  /** Names of the files that were read. */
  readonly read: string[] = [];
  readonly #files: ModelFiles;

  constructor(files: ModelFiles) {
    this.#files = files;
  }

  has(name: string): boolean {
    return this.#files.names.includes(name);
  }

  /** The object in a file that must be there; null with a problem noted otherwise, and `way`, the way out of it. */
  async required(name: string, way?: string): Promise<JsonObject | null> {
    if (!this.has(name)) this.problems.push(`${name} is missing${way === undefined ? "" : `: ${way}`}`);
    return await this.optional(name);
  }

  /** The object in a file that may be there; null where it is not. */
  async optional(name: string): Promise<JsonObject | null> {
    const value = await this.#parse(name);
    if (value === undefined) return null;
    const object = objectOf(value);
    if (object === null) this.problems.push(`${name} does not hold a JSON object`);
    return object;
  }

  async optionalArray(name: string): Promise<unknown[] | null> {
    const value = await this.#parse(name);
    if (value === undefined) return null;
    if (Array.isArray(value)) return value;
    this.problems.push(`${name} does not hold a JSON array`);
    return null;
  }

  async #parse(name: string): Promise<unknown> {
    if (!this.has(name)) return undefined;
    this.read.push(name);
    try {
      return JSON.parse(new TextDecoder().decode(await this.#files.bytes(name)));
    } catch (error) {
      const reason = messageOf(error);
      this.problems.push(`${name} cannot be read as JSON: ${reason}`);
      return undefined;
    }
  }
}

export function objectOf(value: unknown): JsonObject | null {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? (value as JsonObject) : null;
}

export function stringOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** What a model's config.json says that it is. */
export function architecturesOf(config: JsonObject): string[] {
  const list = config["architectures"];
  return Array.isArray(list) ? list.filter((name): name is string => typeof name === "string") : [];
}
