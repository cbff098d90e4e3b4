/**
 * What the executable contains of others, with version, licence and hash: for the bill of materials and the folder of
 * licences in a release. Packages are those that were bundled and those that NOTICE names; each must be in the lock file.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

export interface Package {
  name: string;
  version: string;
  /** An SPDX expression. */
  licence: string;
  /** SHA-512 of the registry's archive, in hex. */
  sha512: string;
  /** Its licence texts, one after another. */
  licenceText: string;
}

/** Named in NOTICE, and no package of the lock file: the runtime, and a table that was made from another's. */
const NOT_LOCKED = new Set(["bun", "dingbat-to-unicode"]);

/** Packages that carry no licence text of their own: the file of ours that has it. */
const OUR_TEXTS: Readonly<Record<string, string>> = {
  "onnxruntime-node": "onnxruntime.txt",
  "onnxruntime-common": "onnxruntime.txt",
};

const PackageJson = Type.Object({
  name: Type.String(),
  version: Type.String(),
  license: Type.Optional(Type.String({ minLength: 1 })),
  /** How packages of old said it. */
  licenses: Type.Optional(Type.Array(Type.Object({ type: Type.String() }))),
});

/**
 * @param inputs files that were bundled, as the bundler names them, from the working directory
 * @throws where a package is not in the lock file, or names no licence
 */
export function packagesIn(root: string, inputs: readonly string[]): Package[] {
  const notice = readFileSync(join(root, "NOTICE"), "utf8");
  const named = [...notice.matchAll(/^ {2}(\S+)/gm)].map(([, name = ""]) => join("node_modules", name));
  const bundled = inputs.flatMap((path) => {
    const directory = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
    return directory === undefined ? [] : [relative(root, directory)];
  });
  const locked = lockedHashes(readFileSync(join(root, "bun.lock"), "utf8"));
  const packages = [...new Set([...named, ...bundled])]
    .filter((directory) => !NOT_LOCKED.has(directory.slice("node_modules/".length)))
    .map((directory) => readPackage(root, directory, locked));
  // One version may lie in several places.
  const once = new Map(packages.map((one) => [`${one.name}@${one.version}`, one]));
  return [...once].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function readPackage(root: string, directory: string, locked: ReadonlyMap<string, string>): Package {
  const { name, version, license, licenses } = Value.Parse(
    PackageJson,
    JSON.parse(readFileSync(join(root, directory, "package.json"), "utf8")),
  );
  const integrity = locked.get(`${name}@${version}`);
  if (integrity === undefined) throw new Error(`${name}@${version} is not in bun.lock`);
  const licence = license ?? licenses?.map(({ type }) => type).join(" OR ");
  if (!licence) throw new Error(`${name} names no licence`);
  const sha512 = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  return { name, version, licence, sha512, licenceText: licenceText(root, directory, { name, licence }) };
}

/** `name@version` to its hash. The file is JSON with trailing commas. */
function lockedHashes(lock: string): Map<string, string> {
  const entries = lock.matchAll(/^ {4}"[^"]+": \["([^"]+)",.* "(sha512-[^"]+)"\],?$/gm);
  return new Map([...entries].map(([, id = "", integrity = ""]) => [id, integrity]));
}

function licenceText(root: string, directory: string, { name, licence }: { name: string; licence: string }): string {
  const files = readdirSync(join(root, directory), { recursive: true, encoding: "utf8" }).filter(
    (file) => /(^|\/)(licen[cs]e|copying|notice)[^/]*$/i.test(file) && !/(^|\/)node_modules\/|\.[cm]?[jt]s$/.test(file),
  );
  const texts = files.toSorted().map((file) => readFileSync(join(root, directory, file), "utf8").trim());
  const ours = OUR_TEXTS[name];
  if (ours !== undefined) texts.push(ourText(root, ours));
  // A package without any says in one word what it is under; the word's text is the same for all.
  if (texts.length === 0) texts.push(`${name} says that it is under: ${licence}. See NOTICE for its copyright.`);
  return `${texts.join("\n\n")}\n`;
}

export function ourText(root: string, file: string): string {
  const path = join(root, "src/build/licences", file);
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  return readFileSync(path, "utf8").trim();
}
