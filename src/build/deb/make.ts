/**
 * Makes dist/lectern_<version>_<architecture>.deb from the built executable. Run by `make deb`:
 *
 *   bun src/build/deb/make.ts [EXECUTABLE [ARCHITECTURE]]
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { version } from "../../platform/build-info.ts";
import { gzip, type Packed, packTar, withFolders } from "../archive.ts";
import { manPage } from "../man-page.ts";
import { commitTime, completionFor } from "../release.ts";
import { TARGETS } from "../targets.ts";
import { packAr } from "./ar.ts";
import { CONFFILES, controlFile, debianVersion, POSTINST, POSTRM, PRERM } from "./control.ts";
import { settingsFile } from "./settings-file.ts";

const ROOT = resolve(import.meta.dir, "../../..");
const DOC = "usr/share/doc/lectern";

export interface DebOptions {
  executable: string;
  /** Debian's word. */
  architecture: string;
  /** Of every file, in Unix seconds. */
  mtime: number;
  folder: string;
  version?: string | undefined;
}

/** The path of the package. */
export async function makeDeb({ executable, architecture, mtime, folder, ...more }: DebOptions): Promise<string> {
  const debian = debianVersion(more.version ?? version);
  const files = await packedFiles(executable, debian, mtime);
  const installedSize = Math.ceil(files.reduce((sum, { content }) => sum + Buffer.byteLength(content ?? ""), 0) / 1024);
  const control: Packed[] = [
    { name: "control", content: controlFile({ version: debian, architecture, installedSize }) },
    { name: "conffiles", content: CONFFILES },
    { name: "md5sums", content: files.map((file) => `${md5(file)}  ${file.name}\n`).join("") },
    { name: "postinst", mode: 0o755, content: POSTINST },
    { name: "prerm", mode: 0o755, content: PRERM },
    { name: "postrm", mode: 0o755, content: POSTRM },
  ];
  mkdirSync(folder, { recursive: true });
  const target = join(folder, `lectern_${debian}_${architecture}.deb`);
  const members = [
    { name: "debian-binary", content: new TextEncoder().encode("2.0\n") },
    { name: "control.tar.gz", content: tarball(control, mtime) },
    { name: "data.tar.gz", content: tarball(files, mtime) },
  ];
  writeFileSync(`${target}.tmp`, packAr(members));
  renameSync(`${target}.tmp`, target);
  return target;
}

/** Names as dpkg has them, below a dot. */
function tarball(files: readonly Packed[], mtime: number): Uint8Array {
  const below = files.map((file) => ({ ...file, name: `./${file.name}` }));
  return gzip(packTar(withFolders(below), mtime));
}

async function packedFiles(executable: string, debian: string, mtime: number): Promise<Packed[]> {
  const files: Packed[] = [
    { name: "usr/bin/lectern", mode: 0o755, content: readFileSync(executable) },
    { name: "etc/lectern/lectern.toml", content: settingsFile() },
    { name: "usr/lib/systemd/system/lectern.service", content: readText("docs/deploy/lectern.service") },
    { name: "usr/share/man/man1/lectern.1.gz", content: packed(await manPage(mtime)) },
    { name: "usr/share/bash-completion/completions/lectern", content: await completionFor("bash") },
    { name: "usr/share/fish/vendor_completions.d/lectern.fish", content: await completionFor("fish") },
    { name: "usr/share/zsh/vendor-completions/_lectern", content: await completionFor("zsh") },
    { name: `${DOC}/copyright`, content: copyright() },
    { name: `${DOC}/NEWS.gz`, content: packed(readText("docs/CHANGELOG.md")) },
    { name: `${DOC}/changelog.gz`, content: packed(changelog(debian, mtime)) },
    ...readdirSync(join(ROOT, "docs"))
      .filter((name) => /^[a-z].*\.md$|^SECURITY\.md$/.test(name))
      .map((name) => ({ name: `${DOC}/${name}`, content: readText(`docs/${name}`) })),
  ];
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function copyright(): string {
  return `${readText("NOTICE")}
On Debian systems the text of the Apache License, Version 2.0, is in /usr/share/common-licenses/Apache-2.0.
`;
}

function changelog(debian: string, mtime: number): string {
  const date = new Date(mtime * 1000).toUTCString().replace("GMT", "+0000");
  return `lectern (${debian}) stable; urgency=medium

  * See NEWS.gz for what this version brought.

 -- The Lectern authors <lectern@localhost>  ${date}
`;
}

function packed(text: string): Uint8Array {
  return gzip(new TextEncoder().encode(text));
}

function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function md5({ content = "" }: Packed): string {
  return new Bun.CryptoHasher("md5").update(content).digest("hex");
}

if (import.meta.main) {
  const own = TARGETS.find(({ arch }) => arch === process.arch)?.platform;
  const [executable = join(ROOT, "dist/lectern"), architecture = own] = process.argv.slice(2);
  if (architecture === undefined) throw new Error(`there is no package for ${process.arch}`);
  const started = performance.now();
  const path = await makeDeb({ executable, architecture, mtime: await commitTime(), folder: join(ROOT, "dist") });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${path.slice(ROOT.length + 1)} ${(statSync(path).size / 1e6).toFixed(1)} MB in ${seconds} s`);
}
