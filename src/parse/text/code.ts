import type { DocumentBuilder } from "../builder.ts";
import { BREAK } from "../document.ts";

/**
 * Source code keeps its text; places where a declaration begins become breaks, and the declarations
 * themselves headings, so that a chunk from the middle of a function says whose it is. Told by line
 * shapes common to the language families, not by parsing: cheap, linear, and never wrong enough to
 * lose text.
 */
export function parseCode(text: string, language: string, out: DocumentBuilder): void {
  const start = out.raw(text);
  const shapes = LANGUAGE_SHAPES[language] ?? SHAPES;
  let leadStart = -1;
  let previousBlank = true;
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at);
    const stop = end < 0 ? text.length : end;
    const line = text.slice(at, Math.min(stop, at + MAX_LINE));
    const blank = line.trim() === "";
    const indent = blank ? 0 : indentOf(line);
    // Comments, attributes and decorators directly above belong to the declaration.
    const isLead = !blank && LEAD.test(line);
    if (isLead && leadStart < 0) leadStart = at;
    const name = blank || isLead || indent > MAX_INDENT ? null : declared(line.trim(), shapes);
    if (name !== null) {
      const offset = start + (leadStart >= 0 ? leadStart : at);
      out.breakAt(offset, indent === 0 ? BREAK.section : BREAK.unit);
      out.headingAt(1 + Math.min(4, Math.ceil(indent / 2)), name, offset);
    } else if (indent === 0 && previousBlank && !blank && leadStart < 0) {
      out.breakAt(start + at, BREAK.unit);
    }
    if (!isLead) leadStart = -1;
    previousBlank = blank;
    at = stop + 1;
  }
}

const MAX_LINE = 300;
const MAX_INDENT = 8;
const LEAD = /^\s*(?:\/\/|\/\*|\*|#(?!include|define|if|else|endif|pragma)|--|;;|@\w|\[\w|#\[|"""|%)/;

const BRACE_CALL =
  /^(?:(?:public|private|protected|internal|static|final|abstract|async|override|virtual|inline|constexpr|extern|unsafe|native|synchronized|default|readonly|export|sealed|partial)\s+)*[\w<>[\],.:*&?~]+(?:\s+[\w<>[\],.:*&?~]+)*\s*\([^;]*(?:\{|,)?\s*$/;
const KEYWORDS =
  /^(?:if|for|while|switch|catch|return|else|do|try|throw|new|await|yield|foreach|using|lock|when|case|assert|print|super|this)\b/;
const SHAPES: readonly RegExp[] = [
  /^(?:export\s+)?(?:default\s+)?(?:public|private|protected|internal|static|final|abstract|sealed|partial|data|open|case|unsafe|\s)*(?:class|interface|struct|enum|trait|record|object|module|namespace|protocol|extension|impl|union|type)\b[^;=]*[{:]?\s*$/,
  /^(?:export\s+)?(?:default\s+)?(?:async\s+)?function\b/,
  /^(?:pub(?:\([\w: ]+\))?\s+)?(?:default\s+)?(?:const\s+)?(?:async\s+)?(?:unsafe\s+)?(?:extern\s+"[^"]*"\s+)?(?:fn|func|fun|def|sub|proc|method)\b/,
  /^(?:pub(?:\([\w: ]+\))?\s+)?(?:struct|enum|trait|mod|impl|macro_rules!|union)\b/,
  /^(?:export\s+)?(?:const|let|var)\s+\w+\s*(?::[^=]+)?=\s*(?:async\s*)?(?:\([^)]*\)|\w+)\s*(?::[^=]+)?=>/,
  /^(?:CREATE|ALTER)\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|FUNCTION|PROCEDURE|TRIGGER|INDEX)\b/i,
];
const INDENTED: readonly RegExp[] = [/^(?:async\s+)?def\s+\w+/, /^class\s+\w+/, /^module\s+\w+/];
const SHELL: readonly RegExp[] = [/^(?:function\s+)?[\w-]+\s*\(\)\s*\{?/, /^function\s+[\w-]+/];
const LANGUAGE_SHAPES: Record<string, readonly RegExp[]> = { python: INDENTED, ruby: INDENTED, shell: SHELL };

function declared(line: string, shapes: readonly RegExp[]): string | null {
  if (KEYWORDS.test(line)) return null;
  const matches =
    shapes.some((shape) => shape.test(line)) || (shapes === SHAPES && line.endsWith("{") && BRACE_CALL.test(line));
  return matches ? signature(line) : null;
}

/** The declaration in a few words: without its body's start. */
function signature(line: string): string {
  return line.replace(/\s*[{:]\s*$/, "").slice(0, 120);
}

function indentOf(line: string): number {
  let indent = 0;
  for (const character of line) {
    if (character === " ") indent++;
    else if (character === "\t") indent += 4;
    else break;
  }
  return indent;
}

const BY_EXTENSION: Record<string, string> = {
  py: "python",
  pyi: "python",
  pyw: "python",
  rb: "ruby",
  sh: "shell",
  bash: "shell",
  zsh: "shell",
  fish: "shell",
  ksh: "shell",
};
const EXTENSIONS = new Set(
  (
    "ada adb ads agda applescript asm s astro awk bat bash bicep c cc cpp cxx c++ h hh hpp hxx ipp inl cbl cob cl clj cljs cljc cmake coffee cr " +
    "cs csx cu cuh d dart dart diff patch dockerfile el elm erl hrl ex exs f f77 f90 f95 f03 for fish fs fsi fsx glsl vert frag go gradle " +
    "groovy hack hcl tf hlsl hs lhs hx idl ino java jl js mjs cjs jsx ksh kt kts less lisp lsp lua m mm makefile mk matlab ml mli nim nix " +
    "nsi pas pp pl pm php phtml pro proto ps1 psm1 psd1 py pyi pyw pyx qml r rb rake rkt rs sass scala sc scm scss css sh sol sql " +
    "svelte swift sv svh tcl ts mts cts tsx v vhd vhdl vb vbs vue wat wgsl zig zsh graphql gql thrift bzl bazel"
  ).split(" "),
);
const FILE_NAMES = new Set([
  "makefile",
  "dockerfile",
  "rakefile",
  "gemfile",
  "cmakelists.txt",
  "jenkinsfile",
  "vagrantfile",
  "build",
  "workspace",
]);

/** Language of a file by its name, "code" where it has no shapes of its own; null where the name is no code's. */
export function codeLanguage(filename: string): string | null {
  const base = filename.toLowerCase().split(/[\\/]/).at(-1) ?? "";
  if (FILE_NAMES.has(base)) return "code";
  const extension = /\.([\w+]+)$/.exec(base)?.[1];
  if (extension === undefined || !EXTENSIONS.has(extension)) return null;
  return BY_EXTENSION[extension] ?? "code";
}

/** Language named by a "#!" line, or null. */
export function shebangLanguage(text: string): string | null {
  const line = /^#!\s*(\S.*)/.exec(text.slice(0, 200))?.[1];
  if (line === undefined) return null;
  if (/python/.test(line)) return "python";
  if (/ruby/.test(line)) return "ruby";
  return /\b(?:ba|z|k|da|fi)?sh\b/.test(line) ? "shell" : "code";
}
