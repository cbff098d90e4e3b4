/** What left a folder: files of the store that were put in from below it and stand there no longer. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Collected } from "./collect.ts";
import { ancestors, folderRoot, isWithin } from "./names.ts";
import type { ChosenRoot, FileName } from "./names.ts";
import type { StoreFile, StoreFiles } from "./store-files.ts";
import { normalized } from "../stream-safe.ts";

export interface LeftFile {
  name: FileName;
  files: readonly StoreFile[];
}

/** What stands in a place that cannot be read, or was left out only by a filter or its name, has not left. */
export function filesThatLeft(
  known: StoreFiles,
  { folders, seen, unreadable }: Collected,
  chosen: ChosenRoot | null,
): LeftFile[] {
  const places = new Map<string, string>();
  for (const folder of [...folders.named.flatMap(ancestors), ...folders.read]) places.set(folderRoot(folder), folder);
  if (chosen?.name !== null && chosen !== null) places.set(chosen.name, chosen.folder);
  return known.all().filter(({ name }) => {
    const folder = name.root === null ? undefined : places.get(name.root);
    if (folder === undefined) return false;
    const place = join(folder, name.path);
    if (!folders.named.some((one) => place !== one && isWithin(place, one))) return false;
    if (seen.has(normalized(place, "NFC")) || unreadable.some((one) => isWithin(place, one))) return false;
    return !mayStand(place);
  });
}

/** Whether folders were named and none of them holds a file of any kind, although all could be read. */
export function isEmptied({ files, folders, seen, unreadable }: Collected): boolean {
  return folders.named.length > 0 && files.length === 0 && seen.size === 0 && unreadable.length === 0;
}

function mayStand(place: string): boolean {
  try {
    return lstatSync(place).isFile();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    return code !== "ENOENT" && code !== "ENOTDIR";
  }
}
