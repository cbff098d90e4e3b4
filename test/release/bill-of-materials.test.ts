/** The bill of materials holds to CycloneDX's own schema, and says what is in the executable. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { nativeFiles } from "../../src/build/embed-plugin.ts";
import { TARGETS } from "../../src/build/targets.ts";
import { ROOT } from "../helpers/server.ts";
import { isBuilt, releaseFile } from "./places.ts";

const SCHEMAS = join(ROOT, "node_modules/@cyclonedx/cyclonedx-library/res/schema");

interface Bill {
  serialNumber: string;
  metadata: { component: { name: string; hashes: { content: string }[] } };
  components: {
    type: string;
    name: string;
    group?: string;
    version: string;
    purl?: string;
    licenses?: unknown[];
    hashes?: { alg: string; content: string }[];
    components?: { name: string; hashes: { content: string }[] }[];
  }[];
}

function validator() {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  // Two formats of later drafts, which the schema names and nothing here uses but for addresses.
  ajv.addFormat("iri-reference", (text: string) => !/\s/.test(text));
  ajv.addFormat("idn-email", (text: string) => text.includes("@"));
  const read = (name: string) => JSON.parse(readFileSync(join(SCHEMAS, name), "utf8")) as object;
  // Each is referred to by the name of its file.
  for (const name of ["spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json"])
    ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}`);
  return ajv.compile(read("bom-1.6.SNAPSHOT.schema.json"));
}

for (const target of TARGETS.filter(isBuilt)) {
  const bill = JSON.parse(readFileSync(releaseFile(`${target.name}.cdx.json`), "utf8")) as Bill;
  const full = ({ group, name }: { group?: string; name: string }) => (group === undefined ? name : `${group}/${name}`);

  test(`${target.name}: it is valid, and the schema would say if it were not`, () => {
    const isValid = validator();
    expect([isValid(bill), isValid.errors]).toEqual([true, null]);
    expect(isValid({ ...bill, serialNumber: "1" })).toBe(false);
    expect(isValid({ ...bill, components: [{ ...bill.components[0], type: "thing" }] })).toBe(false);
  });

  test(`${target.name}: every library is there with licence, hash and address`, () => {
    const libraries = bill.components.filter(({ purl }) => purl?.startsWith("pkg:npm/"));
    for (const one of libraries)
      expect(one).toMatchObject({
        version: expect.stringMatching(/^\d/),
        licenses: [expect.anything()],
        hashes: [{ alg: "SHA-512", content: expect.stringMatching(/^[0-9a-f]{128}$/) }],
      });
    const named = [...readFileSync(join(ROOT, "NOTICE"), "utf8").matchAll(/^ {2}(\S+)/gm)].map(([, name = ""]) => name);
    const there = new Set(libraries.map(full));
    expect(named.filter((name) => !there.has(name)).toSorted()).toEqual(["bun", "dingbat-to-unicode"]);
    expect(libraries.find((one) => full(one) === target.runtime.name)).toMatchObject({ type: "platform" });
  });

  test(`${target.name}: native parts and weights are there with the hashes of their bytes`, () => {
    const natives = bill.components.filter(({ type, purl }) => type === "library" && purl === undefined);
    const inside = nativeFiles(ROOT, target.arch).map((path) => basename(path));
    expect(inside).toContain("libonnxruntime.so.1");
    expect(natives.map(({ name }) => name).toSorted()).toEqual(inside.toSorted());
    const library = join(ROOT, "node_modules/onnxruntime-node/bin/napi-v6/linux", target.arch, "libonnxruntime.so.1");
    expect(natives.find(({ name }) => name === "libonnxruntime.so.1")?.hashes).toEqual([
      { alg: "SHA-256", content: new Bun.CryptoHasher("sha256").update(readFileSync(library)).digest("hex") },
    ]);
    const models = bill.components.filter(({ type }) => type === "machine-learning-model");
    expect(models.map(({ name }) => name).toSorted()).toEqual(["lectern-embed", "lectern-embed-en"]);
    for (const { components = [] } of models) expect(components.map(({ name }) => name)).toContain("tokenizer.json");
  });
}
