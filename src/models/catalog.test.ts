import { describe, expect, test } from "bun:test";
import type { Catalog } from "./catalog.ts";
import { KNOWN_MODELS } from "../embed/known-models.ts";
import { listNames, resolveModelName } from "./catalog.ts";

const catalog: Catalog = {
  models: ["lectern-embed-en", "team/minilm"],
  defaultModel: "lectern-embed-en",
  aliases: new Map([
    ["fast", "team/minilm"],
    ["faster", "fast"],
    ["text-embedding-3-large", "team/minilm"],
    ["lost", "nowhere"],
    ["round", "and-round"],
    ["and-round", "round"],
    ["hosted", "voyage-3-lite"],
  ]),
  defaultAliases: true,
};
const strict: Catalog = { ...catalog, defaultAliases: false };

describe("a name stands for", () => {
  const cases: [name: string | null | undefined, catalog: Catalog, model: string, alias: boolean][] = [
    [undefined, catalog, "lectern-embed-en", false],
    [null, catalog, "lectern-embed-en", false],
    ["", catalog, "lectern-embed-en", false],
    ["lectern-embed-en", catalog, "lectern-embed-en", false],
    ["team/minilm", strict, "team/minilm", false],
    ["fast", catalog, "team/minilm", true],
    ["faster", strict, "team/minilm", true],
    ["text-embedding-3-small", catalog, "lectern-embed-en", true],
    ["text-embedding-3-large", catalog, "team/minilm", true],
    ["hosted", catalog, "lectern-embed-en", true],
    ["mistral-embed", { ...strict, models: [...strict.models, "mistral-embed"] }, "mistral-embed", false],
  ];
  for (const [name, of, model, alias] of cases) {
    test(`${name} -> ${model}`, () => expect(resolveModelName(name, of)).toEqual({ ok: true, model, alias }));
  }
});

test("every well-known name runs on the default model, and says what to set where that is switched off", () => {
  for (const { name } of KNOWN_MODELS) {
    expect(resolveModelName(name, { ...catalog, aliases: new Map() }).ok).toBe(true);
    const refused = resolveModelName(name, { ...strict, aliases: new Map() });
    expect(refused).toMatchObject({ ok: false, reason: "unavailable" });
    expect(refused.ok ? "" : refused.message).toMatch(/set LECTERN_[A-Z]+_API_KEY/);
  }
});

test("an unknown name, an alias to nowhere and a circle of aliases list what there is", () => {
  for (const name of ["gpt-4", "lost", "round"]) {
    const result = resolveModelName(name, strict);
    expect(result).toMatchObject({ ok: false, reason: "unknown" });
    expect(result.ok ? "" : result.message).toContain(
      "'lectern-embed-en', 'team/minilm', 'fast', 'faster', 'text-embedding-3-large'",
    );
    expect(result.ok ? "" : result.message).toContain(`'${name}'`);
  }
});

test("the list holds each name that resolves once, and no other", () => {
  for (const of of [catalog, strict]) {
    const names = listNames(of);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(resolveModelName(name, of).ok).toBe(true);
  }
  expect(listNames(strict)).toEqual(["lectern-embed-en", "team/minilm", "fast", "faster", "text-embedding-3-large"]);
  expect(listNames(catalog)).toContain("text-embedding-ada-002");
});
