/** A file that was dropped or chosen, and where it lay: `folder/sub/name.txt`. */
export interface Dropped {
  file: File;
  path: string;
}

/** Files and, inside folders, all files. Entries must be taken in the turn of the drop: later the list is empty. */
export async function droppedFiles(data: DataTransfer): Promise<Dropped[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...data.files].map((file) => ({ file, path: file.name }));
  const found: Dropped[] = [];
  const queue: FileSystemEntry[] = entries;
  for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
    const path = entry.fullPath.replace(/^\//, "");
    if (isFile(entry)) found.push({ file: await fileOf(entry), path });
    else if (isFolder(entry)) queue.push(...(await childrenOf(entry)));
  }
  return found.filter(({ path }) => !isHidden(path));
}

export function chosenFiles(list: FileList): Dropped[] {
  const files = [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  return files.filter(({ path }) => !isHidden(path));
}

/** What file managers leave in folders is no document. */
function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith(".") || part === "Thumbs.db" || part === "desktop.ini");
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** A reader gives a hundred at a time, and none when there are no more. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
