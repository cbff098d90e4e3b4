/** `lectern completion SHELL` in the shells themselves, on the compiled binary. */
import { writeFileSync } from "node:fs";
import { beforeAll, afterAll, expect, test } from "bun:test";
import { lacks } from "../helpers/lacks.ts";
import { plainEnv, runLectern } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

const dir = tempDir();
beforeAll(async () => {
  for (const shell of SHELLS) {
    const { status, out } = await runLectern(["completion", shell]);
    expect(status).toBe(0);
    writeFileSync(dir.join(shell), out);
  }
  writeFileSync(dir.join("notes.md"), "x");
});
afterAll(() => dir[Symbol.dispose]());

/** What a shell offers after these words. */
function offered(shell: Shell, words: string[]): string[] {
  const child = Bun.spawnSync({ cmd: ASK[shell](words), cwd: dir.path, env: plainEnv({ HOME: dir.path }) });
  expect(child.stderr.toString()).toBe("");
  return child.stdout
    .toString()
    .split("\n")
    .map((line) => line.split("\t")[0] ?? "")
    .filter((line) => line !== "");
}

const ASK: Readonly<Record<Shell, (words: string[]) => string[]>> = {
  bash: (words) => {
    const given = words.map((word) => `'${word}'`).join(" ");
    const script = `. ./bash; COMP_WORDS=(lectern ${given}); COMP_CWORD=${words.length}; _lectern; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return ["bash", "--norc", "-c", script];
  },
  // What zsh's own functions are called with: they only work inside its editor.
  zsh: (words) => {
    const given = words.map((word) => `'${word}'`).join(" ");
    const own = `compdef() { :; }; _describe() { print -l -- \${verbs%%:*}; }; _arguments() { print -l -- "$@"; }`;
    return ["zsh", "-f", "-c", `${own}; . ./zsh; words=(lectern ${given}); CURRENT=${words.length + 1}; _lectern`];
  },
  fish: (words) => ["fish", "--no-config", "-c", `source ./fish; complete -C 'lectern ${words.join(" ")}'`],
};

test.skipIf(lacks("bash"))("bash completes verbs, actions, options, their values and files", () => {
  expect(offered("bash", ["mig"])).toEqual(["migrate"]);
  expect(offered("bash", ["help", "sto"])).toEqual(["stores"]);
  expect(offered("bash", ["stores", ""])).toEqual(["list", "show", "rename", "delete"]);
  expect(offered("bash", ["search", "--mo"])).toEqual(["--mode"]);
  expect(offered("bash", ["search", "--mode", "v"])).toEqual(["vector"]);
  expect(offered("bash", ["serve", "--publ"])).toEqual(["--public-url"]);
  expect(offered("bash", ["ingest", "no"])).toEqual(["notes.md"]);
  expect(offered("bash", ["search", "no"])).toEqual([]);
  expect(offered("bash", ["search", "--limit", "no"])).toEqual([]);
});

test.skipIf(lacks("zsh"))("zsh is told the verbs, and the options and actions of a verb", () => {
  expect(offered("zsh", ["mig"])).toContain("migrate");
  const search = offered("zsh", ["search", ""]);
  expect(search).toContain("--mode[hybrid (unless set), vector or keyword]:MODE:(hybrid vector keyword)");
  expect(search).toContain("--json[print the server's answer as JSON]");
  expect(offered("zsh", ["keys", ""])).toContain("*:word:{ compadd -- create list revoke }");
  expect(offered("zsh", ["ingest", ""])).toContain("*:word:{ _files }");
});

test.skipIf(lacks("fish"))("fish completes verbs, actions, options, their values and files", () => {
  expect(offered("fish", ["mig"])).toEqual(["migrate"]);
  expect(offered("fish", ["keys", "re"])).toEqual(["revoke"]);
  expect(offered("fish", ["search", "--mo"])).toEqual(["--mode"]);
  expect(offered("fish", ["search", "--mode", "v"])).toEqual(["vector"]);
  expect(offered("fish", ["ingest", "no"])).toEqual(["notes.md"]);
});
