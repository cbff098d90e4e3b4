import { expect, test } from "bun:test";
import { AppError } from "../errors.ts";
import { createDiskTrust, isDiskFull, isDiskRefusal } from "./disk-trust.ts";

const coded = (code: string) => Object.assign(new Error("refused"), { code });

test.each([
  ["SQLITE_FULL", true],
  ["SQLITE_IOERR_WRITE", true],
  ["ENOSPC", true],
  ["EDQUOT", true],
  ["EIO", true],
  ["SQLITE_CONSTRAINT", false],
  ["ENOENT", false],
])("%s is the disk's refusal: %p", (code, isSo) => {
  expect(isDiskRefusal(coded(code))).toBe(isSo);
});

test.each([
  ["SQLITE_FULL", true],
  ["ENOSPC", true],
  ["EDQUOT", true],
  ["SQLITE_IOERR_WRITE", false],
  ["EIO", false],
])("%s says that there is no room: %p", (code, isSo) => {
  expect([isDiskFull(coded(code)), isDiskFull({ code })]).toEqual([isSo, false]);
});

test("a disk that is not trusted refuses; another refusal, and what is no error, is none of its", () => {
  const trust = createDiskTrust();
  trust.lose("the log", coded("EIO"));
  let thrown: unknown;
  try {
    trust.check();
  } catch (error) {
    thrown = error;
  }
  expect([trust.lost, isDiskRefusal(thrown)]).toEqual(["the log", true]);
  expect([isDiskRefusal(new AppError("file_not_found", "No such file")), isDiskRefusal("EIO")]).toEqual([false, false]);
});
