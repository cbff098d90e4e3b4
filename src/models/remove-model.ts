import { readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** Takes a model's folder out of the models directory; out of sight in one step, for half of it would be a broken model. */
export function removeModelFolder(id: string, path: string): void {
  const gone = join(dirname(path), `.removing-${process.pid}-${Date.now()}`);
  renameSync(path, gone);
  rmSync(gone, { recursive: true, force: true });
  // An owner's folder without models would be taken for a model.
  const owner = dirname(path);
  if (id.includes("/") && readdirSync(owner).length === 0) rmdirSync(owner);
}
