/** The bill of materials of a release, in CycloneDX 1.6: what is in the executable, with versions, licences and hashes. */
import { sha256 } from "./archive.ts";
import type { Package } from "./contents.ts";
import { RUNTIME_VERSION } from "./targets.ts";
import type { Target } from "./targets.ts";

export interface Materials {
  version: string;
  target: Target;
  /** Unix seconds of the commit. */
  epoch: number;
  executable: Uint8Array;
  packages: readonly Package[];
  /** Compiled code beside JavaScript. `of`: the package that it comes from, null for this project. */
  natives: readonly (NamedFile & { of: string | null })[];
  /** Each bundled model with its files. */
  models: readonly { name: string; files: readonly NamedFile[] }[];
  tables: readonly NamedFile[];
}

export interface NamedFile {
  name: string;
  content: Uint8Array;
}

interface Component {
  type: string;
  "bom-ref": string;
  group?: string;
  name: string;
  version: string;
  licenses?: ({ license: { id: string } } | { expression: string })[];
  hashes?: { alg: "SHA-256" | "SHA-512"; content: string }[];
  purl?: string;
  description?: string;
  components?: Component[];
}

export function billOfMaterials(materials: Materials): string {
  const { version, target, epoch, executable } = materials;
  const root: Component = {
    type: "application",
    "bom-ref": `lectern@${version}`,
    name: "lectern",
    version,
    licenses: licences("Apache-2.0"),
    hashes: [{ alg: "SHA-256", content: sha256(executable) }],
    purl: `pkg:generic/lectern@${version}?arch=${target.platform}&os=linux`,
  };
  const components = [
    runtime(target),
    ...materials.packages.map(library),
    ...materials.natives.map((file) => native(file, materials)),
    ...materials.models.map(({ name, files }) => model(name, files, version)),
    ...materials.tables.map((file) => table(file, version)),
  ];
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    // Made from what it lists: the same contents have the same number.
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify([root, components]))}`,
    version: 1,
    metadata: { timestamp: new Date(epoch * 1000).toISOString(), component: root },
    components,
    dependencies: [
      { ref: root["bom-ref"], dependsOn: components.map((component) => component["bom-ref"]) },
      ...components.map((component) => ({ ref: component["bom-ref"] })),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function runtime({ runtime: { name, integrity } }: Target): Component {
  return {
    ...named(name, RUNTIME_VERSION),
    type: "platform",
    licenses: licences("MIT AND LGPL-2.1-only"),
    hashes: [{ alg: "SHA-512", content: hexOf(integrity) }],
    description: "the Bun runtime; what it links itself is listed in licences/bun.txt of the archive",
  };
}

function library({ name, version, licence, sha512 }: Package): Component {
  return {
    ...named(name, version),
    type: "library",
    licenses: licences(licence),
    hashes: [{ alg: "SHA-512", content: sha512 }],
  };
}

function native({ name, content, of }: NamedFile & { of: string | null }, { packages, version }: Materials): Component {
  const own = { version, licence: "Apache-2.0" };
  const source = of === null ? own : packages.find((one) => one.name === of);
  if (source === undefined) throw new Error(`${name} comes from ${of}, which is not among the packages`);
  return {
    type: "library",
    "bom-ref": `native/${name}`,
    name,
    version: source.version,
    licenses: licences(source.licence),
    hashes: [{ alg: "SHA-256", content: sha256(content) }],
    description: `native code of ${of ?? "Lectern"}, unpacked into the data directory at the start`,
  };
}

function model(name: string, files: readonly NamedFile[], version: string): Component {
  return {
    type: "machine-learning-model",
    "bom-ref": `model/${name}`,
    name,
    version,
    licenses: licences("Apache-2.0"),
    description: `bundled model; models/${name}/README.md names what it was trained on`,
    components: files.map((file) => ({ ...table(file, version), "bom-ref": `model/${name}/${file.name}` })),
  };
}

function table({ name, content }: NamedFile, version: string): Component {
  return {
    type: "data",
    "bom-ref": `data/${name}`,
    name,
    version,
    hashes: [{ alg: "SHA-256", content: sha256(content) }],
  };
}

/** The fields that say which package of the registry it is. */
function named(full: string, version: string): Pick<Component, "bom-ref" | "group" | "name" | "version" | "purl"> {
  const [, group, name = full] = /^(@[^/]+)\/(.+)$/.exec(full) ?? [];
  const purl = `pkg:npm/${group === undefined ? "" : `${encodeURIComponent(group)}/`}${name}@${version}`;
  return { "bom-ref": purl, ...(group !== undefined && { group }), name, version, purl };
}

function licences(expression: string): NonNullable<Component["licenses"]> {
  return [/\s/.test(expression) ? { expression } : { license: { id: expression } }];
}

const hexOf = (integrity: string) => Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");

/** A UUID of version 8, whose bits are the maker's own: here of a hash. */
function uuidOf(text: string): string {
  const hex = sha256(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
