import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lacks } from "../../test/helpers/lacks.ts";
import { type TempDir, tempDir } from "../../test/helpers/temp-dir.ts";
import { findMemoryGroups, type GroupFiles } from "./memory-groups.ts";

setDefaultTimeout(60_000);

const MOUNT = "/sys/fs/cgroup";
const MIB = 2 ** 20;

interface Kernel {
  files: GroupFiles;
  /** Folders and files of a group, or what a file of it holds. */
  names(path: string): string[];
  text(path: string): string;
  set(path: string, text: string): void;
}

interface Rules {
  own?: string;
  controllers?: string;
  isMounted?: boolean;
  /** Refuses what is written to a file. */
  refuses?: (path: string, text: string) => boolean;
  refusesFolders?: boolean;
}

/** The rules of the kernel's control groups, on a folder. */
function kernelOf(dir: TempDir, rules: Rules = {}): Kernel {
  const { own = "/", controllers = "cpu memory pids", isMounted = true, refuses, refusesFolders = false } = rules;
  const real = (path: string) => dir.join(path);
  const make = (path: string, available: string) => {
    mkdirSync(real(path), { recursive: true });
    writeFileSync(real(join(path, "cgroup.controllers")), `${available}\n`);
    writeFileSync(real(join(path, "cgroup.subtree_control")), "\n");
    writeFileSync(real(join(path, "cgroup.procs")), "");
  };
  make(join(MOUNT, own), controllers);
  mkdirSync(real("/proc/self"), { recursive: true });
  writeFileSync(real("/proc/self/cgroup"), `4:memory:/other\n0::${own}\n`);
  const hasMemory = (group: string) =>
    readFileSync(real(join(group, "cgroup.subtree_control")), "utf8").includes("memory");
  const files: GroupFiles = {
    read: (path) => readFileSync(real(path), "utf8"),
    write(path, text) {
      const group = join(path, "..");
      const isLimit = path.includes("/memory.");
      const isThere = isLimit ? existsSync(real(group)) && hasMemory(join(group, "..")) : existsSync(real(path));
      if (!isThere || refuses?.(path, text) === true) throw new Error(`EBUSY ${path}`);
      writeFileSync(real(path), text.startsWith("-") ? "\n" : text.replace("+", ""));
    },
    makeFolder(path) {
      if (refusesFolders) throw new Error("EROFS");
      if (existsSync(real(path))) throw new Error("EEXIST");
      make(path, "memory");
    },
    removeFolder(path) {
      if (readFileSync(real(join(path, "cgroup.procs")), "utf8").startsWith("live")) throw new Error("EBUSY");
      rmSync(real(path), { recursive: true });
    },
    names: (path) => readdirSync(real(path)),
    isWritable: (path) => refuses?.(path, "") !== true,
    isGroup: (path) => isMounted && existsSync(real(path)),
  };
  return {
    files,
    names: (path) => readdirSync(real(path)).toSorted(),
    text: (path) => readFileSync(real(path), "utf8").trim(),
    set: (path, text) => writeFileSync(real(path), text),
  };
}

const EMPTY = ["cgroup.controllers", "cgroup.procs", "cgroup.subtree_control"];

describe("groups are found", () => {
  test.each(["/", "/deep/lectern.service"])("where %s hands the controller down, which is as before then", (own) => {
    using dir = tempDir();
    const kernel = kernelOf(dir, { own });
    expect(findMemoryGroups(kernel.files)).not.toBeNull();
    expect(kernel.names(join(MOUNT, own))).toEqual(EMPTY);
    expect(kernel.text(join(MOUNT, own, "cgroup.subtree_control"))).toBe("");
  });

  test("and a controller that was handed down before stays so", () => {
    using dir = tempDir();
    const kernel = kernelOf(dir);
    kernel.set(`${MOUNT}/cgroup.subtree_control`, "memory\n");
    expect(findMemoryGroups(kernel.files)).not.toBeNull();
    expect(kernel.text(`${MOUNT}/cgroup.subtree_control`)).toBe("memory");
  });
});

describe("none are found, and nothing is left", () => {
  const cases: [name: string, rules: Rules][] = [
    ["no controller for memory", { controllers: "cpu pids" }],
    ["one with another name", { controllers: "cpu memory2" }],
    ["the first version is mounted there", { isMounted: false }],
    ["the group is out of sight", { own: "/../other" }],
    ["a group with processes", { own: "/user.slice", refuses: (_, text) => text === "+memory" }],
    ["the limit cannot be written", { refuses: (path) => path.endsWith("memory.max") }],
    ["processes may not be moved", { refuses: (path) => path.endsWith("cgroup.procs") }],
    ["read only", { refusesFolders: true }],
  ];
  test.each(cases)("%s", (_, rules) => {
    using dir = tempDir();
    const kernel = kernelOf(dir, rules);
    expect(findMemoryGroups(kernel.files)).toBeNull();
    const own = join(MOUNT, rules.own ?? "/");
    expect(kernel.names(own)).toEqual(EMPTY);
    expect(kernel.text(join(own, "cgroup.subtree_control"))).toBe("");
  });

  test("the process is in no group of the second version", () => {
    using dir = tempDir();
    const kernel = kernelOf(dir);
    kernel.set("/proc/self/cgroup", "4:memory:/\n");
    expect(findMemoryGroups(kernel.files)).toBeNull();
    rmSync(dir.join("proc"), { recursive: true });
    expect(findMemoryGroups(kernel.files)).toBeNull();
  });
});

test("groups of servers that are gone are removed, those of others are not, nor what has processes", async () => {
  using dir = tempDir();
  const kernel = kernelOf(dir);
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  const left = [
    `lectern-${gone.pid}`,
    `lectern-${gone.pid}-4711`,
    `lectern-${process.pid}`,
    `lectern-${process.pid}-9`,
  ];
  const kept = [`lectern-${gone.pid}-12`, `lectern-${process.ppid}-4711`, "lectern-", "lectern-1x", "lectern.service"];
  for (const name of [...left, ...kept]) kernel.files.makeFolder(`${MOUNT}/${name}`);
  kernel.set(`${MOUNT}/lectern-${gone.pid}-12/cgroup.procs`, "live\n");
  findMemoryGroups(kernel.files);
  expect(kernel.names(MOUNT)).toEqual([...EMPTY, ...kept].toSorted());
});

describe("a process in a group", () => {
  const path = `${MOUNT}/lectern-${process.pid}-4711`;

  test("is bounded, without swap, until it is gone", () => {
    using dir = tempDir();
    const kernel = kernelOf(dir);
    const group = findMemoryGroups(kernel.files)?.hold(4711, 100.6 * MIB);
    expect(kernel.text(`${path}/cgroup.procs`)).toBe("4711");
    expect(kernel.text(`${path}/memory.max`)).toBe("105486746");
    expect(kernel.text(`${path}/memory.swap.max`)).toBe("0");
    group?.remove();
    expect(kernel.names(MOUNT)).toEqual(EMPTY);
  });

  test("is bounded also where swap is not counted", () => {
    using dir = tempDir();
    const kernel = kernelOf(dir, { refuses: (file) => file.endsWith("swap.max") });
    expect(findMemoryGroups(kernel.files)?.hold(4711, MIB)).not.toBeNull();
    expect(kernel.text(`${path}/cgroup.procs`)).toBe("4711");
  });

  test("that may not be moved, or has one, is not, and nothing is left", () => {
    using dir = tempDir();
    const kernel = kernelOf(dir, { refuses: (file, text) => file.endsWith("cgroup.procs") && text === "4711" });
    const groups = findMemoryGroups(kernel.files);
    expect(groups?.hold(4711, MIB)).toBeNull();
    expect(kernel.names(MOUNT)).toEqual(EMPTY);
    expect(groups?.hold(12, MIB)).not.toBeNull();
    expect(groups?.hold(12, MIB)).toBeNull();
  });

  test.each([
    ["its own group was full", "low 0\nhigh 0\nmax 17\noom 1\noom_kill 1\n", true],
    ["the machine was full", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n", false],
    ["nobody killed it", "low 0\nhigh 0\nmax 17\noom 1\noom_kill 0\noom_group_kill 1\n", false],
    ["nothing is told", "", false],
  ])("is exhausted or not: %s", (_, events, expected) => {
    using dir = tempDir();
    const kernel = kernelOf(dir);
    const group = findMemoryGroups(kernel.files)?.hold(4711, MIB);
    expect(group?.wasExhausted()).toBe(false);
    kernel.set(`${path}/memory.events`, events);
    expect(group?.wasExhausted()).toBe(expected);
  });
});

describe.skipIf(lacks("a control group that may be made", findMemoryGroups() !== null))("the kernel", () => {
  test("kills what takes more than its group may hold, and tells so", async () => {
    const take = "for await (const _ of Bun.stdin.stream()) Buffer.alloc(1024 * 2 ** 20).fill(1);";
    const child = Bun.spawn([process.execPath, "-e", take], { stdio: ["pipe", "ignore", "ignore"] });
    const group = findMemoryGroups()?.hold(child.pid, 512 * MIB);
    expect(group).toBeTruthy();
    await child.stdin.write("take\n");
    await child.stdin.flush();
    await child.exited;
    expect([child.signalCode, group?.wasExhausted()]).toEqual(["SIGKILL", true]);
    group?.remove();
    expect(findMemoryGroups()?.hold(child.pid, MIB) ?? null).toBeNull();
  });
});
