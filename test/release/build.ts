/**
 * The first half of `make release-test`: copies the files of this checkout into two folders and makes the release in both;
 * in the first for every kind of machine, in the second for this one. The tests compare and try what came of it.
 */
import { copyFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../helpers/server.ts";
import { CHECKOUTS, ownTarget } from "./places.ts";

rmSync(join(ROOT, "dist/twice"), { recursive: true, force: true });
const listed = await Bun.$`git ls-files -z --cached --others --exclude-standard`.cwd(ROOT).quiet().text();
const files = listed.split("\0").filter((name) => name !== "");
for (const checkout of CHECKOUTS) {
  for (const name of files) {
    mkdirSync(dirname(join(checkout, name)), { recursive: true });
    copyFileSync(join(ROOT, name), join(checkout, name));
  }
  // Hard links: what a package is must not be told from where it lies.
  await Bun.$`cp -al ${join(ROOT, "node_modules")} ${join(checkout, "node_modules")}`.quiet();
  mkdirSync(join(checkout, "dist/parts"), { recursive: true });
}
const [first, second] = CHECKOUTS;
await build(first, []);
// What the registry gives is the same for both.
for (const name of await Array.fromAsync(
  new Bun.Glob("bun-*").scan({ cwd: join(first, "dist/parts"), onlyFiles: false }),
))
  symlinkSync(join(first, "dist/parts", name), join(second, "dist/parts", name));
await build(second, [ownTarget().name]);

async function build(checkout: string, targets: string[]): Promise<void> {
  const run = async (...args: string[]) => {
    const child = Bun.spawn([process.execPath, ...args], { cwd: checkout, stdout: "inherit", stderr: "inherit" });
    if ((await child.exited) !== 0) throw new Error(`${args.join(" ")} failed in ${checkout}`);
  };
  await run("src/build/addon.ts");
  await run("src/build/release.ts", ...targets);
  if (checkout === first) await run("src/build/image.ts", ownTarget().name);
}
