/** Where `make release-test` builds: two checkouts of the same files in folders of different depth. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { version } from "../../src/platform/build-info.ts";
import { TARGETS } from "../../src/build/targets.ts";
import type { Target } from "../../src/build/targets.ts";
import { ROOT } from "../helpers/server.ts";

export const CHECKOUTS = [join(ROOT, "dist/twice/one"), join(ROOT, "dist/twice/in/another/folder")] as const;

/** The target that this machine can run by itself. */
export function ownTarget(): Target {
  const target = TARGETS.find(({ arch }) => arch === process.arch);
  if (target === undefined || process.platform !== "linux") throw new Error("releases are made on Linux");
  return target;
}

/** A file of a release, such as `linux-x64.tar.gz`. */
export function releaseFile(ending: string, checkout: string = CHECKOUTS[0]): string {
  return join(checkout, "dist/release", `lectern-${version}-${ending}`);
}

/** Whether the release for a target was built; it is not where its compiler is missing. */
export function isBuilt(target: Target): boolean {
  if (!existsSync(releaseFile(`${ownTarget().name}.tar.gz`))) throw new Error("nothing is built: make release-test");
  return existsSync(releaseFile(`${target.name}.tar.gz`));
}
