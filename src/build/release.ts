/**
 * `make release`: for each kind of machine an archive with the executable and what belongs to it, a bill of materials,
 * and the sums of all. The same commit gives the same bytes, wherever the checkout lies.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { VERBS } from "../cli/verbs.ts";
import { completion } from "../cli/completion.ts";
import { NO_TERMINAL, type Terminal } from "../cli/terminal.ts";
import { bundledDirectories, modelFileNames } from "../models/bundled-model.ts";
import { version } from "../platform/build-info.ts";
import { vectorsFileName } from "../platform/native.ts";
import { buildAddon, compilerOf } from "./addon.ts";
import { filesBelow, gzip, packTar, sha256, withFolders } from "./archive.ts";
import type { Packed } from "./archive.ts";
import { billOfMaterials } from "./bill-of-materials.ts";
import type { NamedFile } from "./bill-of-materials.ts";
import { compile, LECTERN } from "./compile.ts";
import { ourText, packagesIn } from "./contents.ts";
import type { Package } from "./contents.ts";
import { nativeFiles } from "./embed-plugin.ts";
import { manPage } from "./man-page.ts";
import { getRuntime } from "./runtime.ts";
import { TARGETS, targetOf } from "./targets.ts";
import type { Target } from "./targets.ts";

const ROOT = resolve(import.meta.dir, "../..");

/** Texts in src/build/licences that every archive has, beside those of the packages. */
const MORE_LICENCES = ["bun.txt", "dingbat-to-unicode.txt", "LGPL-2.1.txt", "onnxruntime-third-party.txt"];
/** Tables made from others' data or by this project, with no package of their own. */
const TABLES = ["models/lexicon/english.json"];

/** Makes one target's archive and bill of materials in `directory`. Gives the paths. */
export async function makeRelease(target: Target, directory: string): Promise<string[]> {
  const epoch = await commitTime();
  const parts = join(ROOT, "dist/parts");
  const work = join(parts, target.name);
  mkdirSync(directory, { recursive: true });
  const runtime = await getRuntime(target, parts);
  // The machine's own are there already: `make addon`.
  if (target.arch !== process.arch) await buildAddon(target.arch, join(ROOT, "dist/native"));
  const outfile = join(work, "lectern");
  const inputs = await compile({ ...LECTERN, outfile, target: { arch: target.arch, runtime } });
  const executable = readFileSync(outfile);
  const packages = packagesIn(ROOT, inputs);
  const name = `lectern-${version}-${target.name}`;
  const entries = withFolders([...(await archiveFiles({ name, executable, packages, epoch }))]);
  const materials = {
    version,
    target,
    epoch,
    executable,
    packages,
    natives: nativeFiles(ROOT, target.arch).map(nativeOf),
    models: bundledModels(),
    tables: TABLES.map((path) => ({ name: path, content: readFileSync(join(ROOT, path)) })),
  };
  const archive = join(directory, `${name}.tar.gz`);
  const bill = join(directory, `${name}.cdx.json`);
  writeFileSync(archive, gzip(packTar(entries, epoch)));
  writeFileSync(bill, billOfMaterials(materials));
  return [archive, bill];
}

interface Contents {
  name: string;
  executable: Uint8Array;
  packages: readonly Package[];
  epoch: number;
}

async function archiveFiles({ name, executable, packages, epoch }: Contents): Promise<Packed[]> {
  const plain = ["LICENSE", "NOTICE", "README.md"];
  const files: Packed[] = [
    { name: "lectern", content: executable, mode: 0o755 },
    ...plain.map((file) => ({ name: file, content: readFileSync(join(ROOT, file)) })),
    ...filesBelow(join(ROOT, "docs"), "docs"),
    { name: "completions/lectern.bash", content: await completionFor("bash") },
    { name: "completions/_lectern", content: await completionFor("zsh") },
    { name: "completions/lectern.fish", content: await completionFor("fish") },
    { name: "man/man1/lectern.1", content: await manPage(epoch) },
    ...packages.map((one) => ({
      name: `licences/${one.name.replace("/", "__")}-${one.version}.txt`,
      content: one.licenceText,
    })),
    ...MORE_LICENCES.map((file) => ({ name: `licences/${file}`, content: `${ourText(ROOT, file)}\n` })),
  ];
  return files.map((file) => ({ ...file, name: `${name}/${file.name}` }));
}

export async function completionFor(shell: string): Promise<string> {
  let text = "";
  const terminal: Terminal = { ...NO_TERMINAL, out: (piece) => void (text += piece) };
  await completion([shell], terminal, VERBS);
  return text;
}

/** What is compiled here is this project's unless it is a package's source; the rest comes with a package. */
function nativeOf(path: string): NamedFile & { of: string | null } {
  const name = basename(path);
  const isHnsw = TARGETS.some(({ arch }) => vectorsFileName(arch) === name);
  return { name, content: readFileSync(path), of: isHnsw ? "hnswlib-node" : "onnxruntime-node" };
}

function bundledModels(): { name: string; files: NamedFile[] }[] {
  return bundledDirectories(ROOT).map(({ name, directory }) => ({
    name,
    files: modelFileNames(directory).map((file) => ({ name: file, content: readFileSync(join(directory, file)) })),
  }));
}

/** Unix seconds: SOURCE_DATE_EPOCH, or when the commit was made. */
export async function commitTime(): Promise<number> {
  const given = process.env["SOURCE_DATE_EPOCH"];
  const text = given ?? (await Bun.$`git log -1 --format=%ct`.cwd(ROOT).quiet().nothrow().text()).trim();
  if (!/^\d+$/.test(text)) throw new Error("not a git checkout: set SOURCE_DATE_EPOCH to the time of the release");
  return Number(text);
}

/** One line for each file of a release, as `sha256sum -c` reads it. */
export function writeSums(directory: string): void {
  const names = readdirSync(directory).filter((name) => name.startsWith("lectern-"));
  const lines = names.toSorted().map((name) => `${sha256(readFileSync(join(directory, name)))}  ${name}\n`);
  writeFileSync(join(directory, "SHA256SUMS"), lines.join(""));
}

/** The compiler that the target's addon wants and this machine lacks; null where it is there. */
export function missingCompiler(target: Target): string | null {
  const compiler = compilerOf(target.arch);
  return Bun.which(compiler) !== null ? null : compiler;
}

if (import.meta.main) {
  const directory = join(ROOT, "dist/release");
  const named = process.argv.slice(2);
  rmSync(directory, { recursive: true, force: true });
  for (const target of named.length > 0 ? named.map(targetOf) : TARGETS) {
    const missing = missingCompiler(target);
    if (missing !== null) {
      console.log(`skipped ${target.name}: ${missing} is not installed`);
      continue;
    }
    for (const path of await makeRelease(target, directory))
      console.log(`dist/release/${basename(path)}  ${(Bun.file(path).size / 1e6).toFixed(1)} MB`);
  }
  writeSums(directory);
}
