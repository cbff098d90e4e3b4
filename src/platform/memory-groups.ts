import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { isLeftBehind } from "./process-alive.ts";

/**
 * Control groups (cgroup v2) by which the kernel bounds the memory of one process each, made inside of the group that
 * this process is in.
 *
 * The kernel hands the memory controller down only from a group without processes, or from the root: in any group but the
 * root this process is itself in the way. Where that, a file system that cannot be written, or anything else forbids them,
 * there are none and nothing is left behind; whoever asks has another bound.
 */
export interface MemoryGroups {
  /** Puts the process into a group of its own that may hold so many bytes, none of them swapped; null where refused. */
  hold(pid: number, bytes: number): MemoryGroup | null;
}

export interface MemoryGroup {
  /** Whether the kernel has killed the process because its group was full, not because the machine was. */
  wasExhausted(): boolean;
  /** After the process is gone. */
  remove(): void;
}

/** What of the file system is used; what cannot be done throws. */
export interface GroupFiles {
  read(path: string): string;
  /** Into a file that is there. */
  write(path: string, text: string): void;
  makeFolder(path: string): void;
  removeFolder(path: string): void;
  names(folder: string): string[];
  isWritable(path: string): boolean;
  /** Whether it is a folder of the control groups' own file system, in its second version. */
  isGroup(path: string): boolean;
}

const MOUNT = "/sys/fs/cgroup";
/** CGROUP2_SUPER_MAGIC. */
const FILE_SYSTEM = 0x63_67_72_70;
/** `lectern-<server>-<process>`, and `lectern-<server>` to try whether groups can be made. */
const NAME = /^lectern-(\d+)(?:-\d+)?$/;

/** Tries it once, and removes what killed servers have left. */
export function findMemoryGroups(files: GroupFiles = SYSTEM): MemoryGroups | null {
  try {
    const own = ownGroup(files);
    if (own === null) return null;
    removeLeftovers(own, files);
    return canBound(own, files) ? { hold: (pid, bytes) => hold(own, { pid, bytes }, files) } : null;
  } catch {
    // No Linux, no /proc, no such group.
    return null;
  }
}

/** Where this process is, if that is to be seen from here and has the memory controller. */
function ownGroup(files: GroupFiles): string | null {
  const path = /^0::(\/.*)$/m.exec(files.read("/proc/self/cgroup"))?.[1];
  // A process that was moved out of the groups it can see is above them.
  if (path === undefined || path.split("/").includes("..")) return null;
  const own = join(MOUNT, path);
  return files.isGroup(own) && has(files, join(own, "cgroup.controllers"), "memory") ? own : null;
}

function removeLeftovers(own: string, files: GroupFiles): void {
  for (const name of files.names(own)) {
    // One that has processes cannot be removed.
    if (isLeftBehind(name, NAME)) quietly(() => files.removeFolder(join(own, name)));
  }
}

function canBound(own: string, files: GroupFiles): boolean {
  const control = join(own, "cgroup.subtree_control");
  const wasOn = has(files, control, "memory");
  // Needed, in the group that both have in common, to move a process.
  if (!files.isWritable(join(own, "cgroup.procs"))) return false;
  const probe = join(own, `lectern-${process.pid}`);
  const limit = join(probe, "memory.max");
  const canMake = quietly(() => files.makeFolder(probe));
  const canLimit =
    canMake &&
    quietly(() => {
      files.write(control, "+memory");
      files.write(limit, "max");
    });
  if (canMake) quietly(() => files.removeFolder(probe));
  if (!wasOn && has(files, control, "memory")) quietly(() => files.write(control, "-memory"));
  return canLimit;
}

function hold(own: string, { pid, bytes }: { pid: number; bytes: number }, files: GroupFiles): MemoryGroup | null {
  const path = join(own, `lectern-${process.pid}-${pid}`);
  const remove = () => void quietly(() => files.removeFolder(path));
  if (!quietly(() => files.makeFolder(path))) return null;
  const isHeld = quietly(() => {
    files.write(join(own, "cgroup.subtree_control"), "+memory");
    files.write(join(path, "memory.max"), String(Math.max(0, Math.round(bytes))));
    // Not there where the kernel does not count what is swapped.
    quietly(() => files.write(join(path, "memory.swap.max"), "0"));
    files.write(join(path, "cgroup.procs"), String(pid));
  });
  if (isHeld) return { wasExhausted: () => wasExhausted(join(path, "memory.events"), files), remove };
  remove();
  return null;
}

/** `oom_kill` alone also counts those whom the kernel chose when the machine, or a group above, was full. */
function wasExhausted(path: string, files: GroupFiles): boolean {
  let events = "";
  quietly(() => (events = files.read(path)));
  const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(events)?.[1] ?? 0);
  return count("oom") > 0 && count("oom_kill") > 0;
}

function has(files: GroupFiles, path: string, word: string): boolean {
  return files.read(path).trim().split(/\s+/).includes(word);
}

/** Whether it could be done. */
function quietly(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

const SYSTEM: GroupFiles = {
  read: (path) => readFileSync(path, "latin1"),
  write(path, text) {
    const file = openSync(path, constants.O_WRONLY);
    try {
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
  },
  makeFolder: (path) => mkdirSync(path),
  removeFolder: (path) => rmdirSync(path),
  names: (folder) => readdirSync(folder),
  isWritable: (path) => quietly(() => accessSync(path, constants.W_OK)),
  isGroup: (path) => existsSync(path) && statfsSync(path).type === FILE_SYSTEM,
};
