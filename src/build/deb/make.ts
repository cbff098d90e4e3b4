/**
 * Makes dist/lectern_<version>_<architecture>.deb from the built executable. Run by `make deb`:
 *
 *   bun src/build/deb/make.ts [EXECUTABLE [ARCHITECTURE]]
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { version } from "../../platform/build-info.ts";
import { type PackedFile, writeAr, writeTarball } from "./archive.ts";
import { CONFFILES, controlFile, debianVersion, POSTINST, POSTRM, PRERM } from "./control.ts";
import { settingsFile } from "./settings-file.ts";

const ROOT = resolve(import.meta.dir, "../../..");
const DOC = "usr/share/doc/lectern";
const SHELLS = [
  { shell: "bash", path: "usr/share/bash-completion/completions/lectern" },
  { shell: "fish", path: "usr/share/fish/vendor_completions.d/lectern.fish" },
  { shell: "zsh", path: "usr/share/zsh/vendor-completions/_lectern" },
];
const ARCHITECTURES: Partial<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

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
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, ".deb-"));
  try {
    const installedSize = Math.ceil(files.reduce((sum, file) => sum + bytesOf(file), 0) / 1024);
    const control = [
      text("control", 0o644, controlFile({ version: debian, architecture, installedSize })),
      text("conffiles", 0o644, CONFFILES),
      text("md5sums", 0o644, files.map((file) => `${md5(file)}  ${file.path}\n`).join("")),
      text("postinst", 0o755, POSTINST),
      text("prerm", 0o755, PRERM),
      text("postrm", 0o755, POSTRM),
    ];
    await writeTarball(join(work, "control.tar.gz"), control, mtime);
    await writeTarball(join(work, "data.tar.gz"), files, mtime);
    writeAr(join(work, "deb"), [
      { name: "debian-binary", content: new TextEncoder().encode("2.0\n") },
      { name: "control.tar.gz", content: { file: join(work, "control.tar.gz") } },
      { name: "data.tar.gz", content: { file: join(work, "data.tar.gz") } },
    ]);
    const target = join(folder, `lectern_${debian}_${architecture}.deb`);
    renameSync(join(work, "deb"), target);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** In the order of their paths, so that the package is the same whatever the file system lists first. */
async function packedFiles(executable: string, debian: string, mtime: number): Promise<PackedFile[]> {
  const files: PackedFile[] = [
    { path: "usr/bin/lectern", mode: 0o755, content: { file: executable } },
    text("etc/lectern/lectern.toml", 0o644, settingsFile()),
    text("usr/lib/systemd/system/lectern.service", 0o644, readText("docs/deploy/lectern.service")),
    text(`${DOC}/copyright`, 0o644, copyright()),
    packed(`${DOC}/NEWS.gz`, readText("docs/CHANGELOG.md")),
    packed(`${DOC}/changelog.gz`, changelog(debian, mtime)),
    ...readdirSync(join(ROOT, "docs"))
      .filter((name) => /^[a-z].*\.md$|^SECURITY\.md$/.test(name))
      .map((name) => text(`${DOC}/${name}`, 0o644, readText(`docs/${name}`))),
  ];
  for (const { shell, path } of SHELLS) files.push(text(path, 0o644, await completionOf(shell)));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Of the source, for the executable may be one of another architecture. */
async function completionOf(shell: string): Promise<string> {
  const child = Bun.spawn([process.execPath, join(ROOT, "src/main.ts"), "completion", shell], { stderr: "inherit" });
  const script = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error(`no completion for ${shell}`);
  return script;
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

function text(path: string, mode: number, content: string): PackedFile {
  return { path, mode, content: new TextEncoder().encode(content) };
}

function packed(path: string, content: string): PackedFile {
  return { path, mode: 0o644, content: gzipSync(content, { level: 9 }) };
}

function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function bytesOf({ content }: PackedFile): number {
  return content instanceof Uint8Array ? content.byteLength : statSync(content.file).size;
}

function md5({ content }: PackedFile): string {
  const bytes = content instanceof Uint8Array ? content : readFileSync(content.file);
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}

/** SOURCE_DATE_EPOCH, else the time of the commit. */
async function sourceTime(): Promise<number> {
  const given = process.env["SOURCE_DATE_EPOCH"];
  const shown = given ?? (await Bun.$`git log -1 --format=%ct`.cwd(ROOT).quiet().nothrow().text()).trim();
  return /^\d+$/.test(shown) ? Number(shown) : 0;
}

if (import.meta.main) {
  const [executable = join(ROOT, "dist/lectern"), architecture = ARCHITECTURES[process.arch]] = process.argv.slice(2);
  if (architecture === undefined) throw new Error(`Debian has no name for ${process.arch}`);
  const started = performance.now();
  const path = await makeDeb({ executable, architecture, mtime: await sourceTime(), folder: join(ROOT, "dist") });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${path.slice(ROOT.length + 1)} ${(statSync(path).size / 1e6).toFixed(1)} MB in ${seconds} s`);
}
