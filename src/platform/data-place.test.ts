import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { takeDataDir } from "./data-dir.ts";
import { type DataPlace, findPlace, judgePlace, type PlaceFacts, strangerTo } from "./data-place.ts";

const [ME, OTHER] = [1000, 1001];
const mine = (name: string) => ({ name, owner: ME });
const theirs = (name: string) => ({ name, owner: OTHER });

const judge = (facts: Partial<PlaceFacts>) =>
  judgePlace("/d", { user: ME, owner: ME, mode: 0o700, isMount: false, isWritable: true, entries: [], ...facts });

/** The place in few words. */
function brief(place: DataPlace): string {
  if (place.type === "refuse") return `refused: ${place.reason}`;
  return `${place.path}${place.isTooOpen ? ", set to 0700" : ""}${place.notice === null ? "" : ", told"}`;
}

const USED: [string, Partial<PlaceFacts>, string][] = [
  ["of this user alone", {}, "/d"],
  ["that others may read", { mode: 0o755, entries: [mine("meta.sqlite")] }, "/d"],
  ["with a folder that the file system made", { entries: [{ name: "lost+found", owner: 0 }] }, "/d"],
  ["that others may write to, empty", { mode: 0o777 }, "/d, set to 0700"],
  ["that a group may write to, in use", { mode: 0o775, entries: [mine("lock"), mine("blobs")] }, "/d, set to 0700"],
  ["that is a volume of this user's, as it is", { isMount: true, mode: 0o755 }, "/d"],
  ["that is one's own and read-only, which is told later", { isMount: true, mode: 0o1777, isWritable: false }, "/d"],
  ["on a system without users", { user: null, owner: OTHER, mode: 0o777 }, "/d"],
  [
    "that is a volume for a group (fsGroup)",
    { owner: 0, mode: 0o2775, isMount: true, entries: [{ name: "lost+found", owner: 0 }] },
    "/d/lectern, told",
  ],
  ["that is such a volume, in use", { owner: 0, mode: 0o2775, entries: [mine("lectern")] }, "/d/lectern, told"],
  ["that is a volume for all (emptyDir)", { owner: 0, mode: 0o777, isMount: true }, "/d/lectern, told"],
  ["that is root's own volume for all", { user: 0, owner: 0, mode: 0o777, isMount: true }, "/d/lectern, told"],
  [
    "that is a volume for a group, with data in it",
    { owner: 0, mode: 0o2770, entries: [mine("meta.sqlite")] },
    "/d, told",
  ],
  ["where everybody may write, but not rename", { owner: 0, mode: 0o1777 }, "/d/lectern, told"],
];

describe("a directory is used", () => {
  for (const [name, facts, expected] of USED) test(name, () => expect(brief(judge(facts))).toBe(expected));
});

const REFUSED: [string, Partial<PlaceFacts>, RegExp][] = [
  [
    "of another user",
    { owner: OTHER },
    /belongs to user 1001, not to the user of this process \(1000\).*chown -R 1000 \/d/,
  ],
  ["of another user, for all", { owner: OTHER, mode: 0o777 }, /belongs to user 1001/],
  ["of another user, for all, a volume", { owner: OTHER, mode: 0o777, isMount: true }, /belongs to user 1001/],
  [
    "of another user, as root",
    { user: 0, owner: ME },
    /belongs to user 1000, and root does not work in it: run .* as that user/,
  ],
  ["of root, for root alone", { owner: 0, isWritable: false }, /belongs to user 0/],
  ["of root where all may write and rename", { owner: 0, mode: 0o777 }, /belongs to user 0/],
  [
    "with another user's file",
    { entries: [mine("meta.sqlite"), theirs("models.toml")] },
    /\/d\/models\.toml belongs to another user \(1001\)/,
  ],
  [
    "with another user's link, though it is open",
    { mode: 0o777, entries: [theirs("cli.json.tmp")] },
    /cli\.json\.tmp belongs/,
  ],
  ["that people share", { mode: 0o777, entries: [mine("photos")] }, /holds other things; choose a directory inside it/],
  [
    "that is everybody's and not empty",
    { user: 0, owner: 0, mode: 0o1777, entries: [mine("x")] },
    /not empty; choose a directory inside/,
  ],
  [
    "that is a volume for all with data in it",
    { owner: 0, mode: 0o777, isMount: true, entries: [mine("meta.sqlite")] },
    /chmod o-w \/d/,
  ],
  [
    "that is a volume for a group with another's file",
    { owner: 0, mode: 0o2770, entries: [mine("meta.sqlite"), theirs("x")] },
    /x belongs to another user/,
  ],
];

describe("a directory is refused, with the way out,", () => {
  for (const [name, facts, reason] of REFUSED)
    test(name, () => expect(brief(judge(facts))).toMatch(new RegExp(`^refused: .*${reason.source}`)));
});

test("a directory that others may write to is made this user's alone, and is found again", () => {
  using dir = tempDir();
  const path = dir.join("d");
  mkdirSync(path);
  chmodSync(path, 0o777);
  {
    using held = takeDataDir(path);
    expect(held).toMatchObject({ path, notice: null });
  }
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(findPlace(path)).toEqual({ type: "use", path, isTooOpen: false, notice: null });
  writeFileSync(dir.join("file"), "");
  expect(findPlace(dir.join("file"))).toEqual({ type: "refuse", reason: "it is not a directory" });
  expect(findPlace(dir.join("not yet"))).toMatchObject({ type: "use", path: dir.join("not yet") });
});

test("a lock that is a link is not followed", () => {
  using dir = tempDir();
  mkdirSync(dir.join("d"));
  symlinkSync(dir.join("precious"), dir.join("d/lock"));
  expect(() => takeDataDir(dir.join("d"))).toThrow("is not the file that Lectern makes there");
  expect(existsSync(dir.join("precious"))).toBe(false);
});

test("a file is believed where it and its directory are this user's alone", () => {
  using dir = tempDir();
  const path = dir.join("cli.json");
  writeFileSync(path, "{}", { mode: 0o600 });
  expect(strangerTo(path)).toBeNull();
  chmodSync(path, 0o622);
  expect(strangerTo(path)).toBe(`other users may write to ${path}`);
  chmodSync(path, 0o600);
  chmodSync(dir.path, 0o770);
  expect(strangerTo(path)).toBe(`other users may write to ${dir.path}`);
  chmodSync(dir.path, 0o700);
  symlinkSync(path, dir.join("link"));
  expect(strangerTo(dir.join("link"))).toBe(`${dir.join("link")} is a link`);
});
