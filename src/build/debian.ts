/**
 * Parts of a Debian system for another machine, out of its packages: downloaded by this machine's `apt-get` with lists of
 * its own, so that neither rights nor this machine's packages matter, and unpacked without running anything of them.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Packed } from "./archive.ts";

/** The programs that this needs. */
export const DEBIAN_PROGRAMS = ["apt-get", "dpkg-deb"] as const;

export interface DebianPackage {
  name: string;
  version: string;
  /** Its paragraph for a package database. */
  control: string;
  /** Where it is unpacked. */
  directory: string;
}

/**
 * Downloads and unpacks the newest version of each package that this machine's sources have, below `parent`, which is
 * emptied first.
 */
export async function getPackages(
  names: readonly string[],
  platform: string,
  parent: string,
): Promise<DebianPackage[]> {
  const [lists, debs] = [join(parent, "apt"), join(parent, "debs")];
  rmSync(parent, { recursive: true, force: true });
  for (const directory of ["lists/partial", "archives/partial"]) mkdirSync(join(lists, directory), { recursive: true });
  mkdirSync(debs, { recursive: true });
  writeFileSync(join(lists, "status"), "");
  const options = [
    `APT::Architecture=${platform}`,
    `APT::Architectures=${platform}`,
    `APT::Sandbox::User=`,
    `Acquire::Languages=none`,
    `Dir::State=${lists}`,
    `Dir::State::status=${join(lists, "status")}`,
    `Dir::Cache=${lists}`,
  ].flatMap((option) => ["-o", option]);
  await run(["apt-get", "-qq", ...options, "update"], debs);
  await run(["apt-get", "-qq", ...options, "download", ...names], debs);
  // The licence of GCC's libraries is in the package that they share, whose name has their version.
  const base = await run(["sh", "-c", "dpkg-deb -f libgcc-s1_*.deb Depends"], debs);
  const shared = /gcc-\d+-base/.exec(base)?.[0];
  if (shared !== undefined) await run(["apt-get", "-qq", ...options, "download", shared], debs);
  rmSync(lists, { recursive: true });
  return await Promise.all(
    readdirSync(debs)
      .toSorted()
      .map(async (file) => await unpack(join(debs, file), parent)),
  );
}

async function unpack(deb: string, parent: string): Promise<DebianPackage> {
  const control = await run(["dpkg-deb", "-f", deb], parent);
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(control)?.[1] ?? "";
  const directory = join(parent, field("Package"));
  await run(["dpkg-deb", "-x", deb, directory], parent);
  return { name: field("Package"), version: field("Version"), control, directory };
}

/** The package's files and links whose path from the root of a system is wanted. Their folders are not among them. */
export function filesOf({ directory }: DebianPackage, isWanted: (path: string) => boolean): Packed[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter(isWanted)
    .flatMap((name): Packed[] => {
      const path = join(directory, name);
      const seen = lstatSync(path);
      if (seen.isSymbolicLink()) return [{ name, target: readlinkSync(path) }];
      return seen.isFile() ? [{ name, content: readFileSync(path), mode: seen.mode & 0o755 }] : [];
    });
}

async function run(command: string[], cwd: string): Promise<string> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const child = Bun.spawn(command, { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${command.slice(0, 2).join(" ")} ended with ${code}:\n${err}`);
  return out;
}
