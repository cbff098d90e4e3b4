import { describe, expect, test } from "bun:test";

import { chunkDocument } from "./chunk.ts";
import type { Chunk } from "./chunk.ts";
import type { ParsedDocument } from "../parse/document.ts";
import { parseDocument } from "../parse/parse.ts";
import { titleOfText } from "../parse/text/textual.ts";

async function read(text: string, filename: string, contentType: string | null = null): Promise<ParsedDocument> {
  const result = await parseDocument({ bytes: new TextEncoder().encode(text), filename, contentType });
  if (!result.ok) throw new Error(result.error.message);
  return result.document;
}

async function chunksOf(text: string, filename: string, maxTokens = 120, overlapTokens = 0): Promise<Chunk[]> {
  return chunkDocument(await read(text, filename), { maxTokens, overlapTokens });
}

function headings(document: ParsedDocument): [number, string][] {
  return document.headings.map(({ level, text }) => [level, text]);
}

describe("the kind of a text", () => {
  const cases: [name: string, text: string, filename: string, kind: string][] = [
    ["HTML by its doctype, whatever the name", "<!DOCTYPE html><p>x</p>", "a.txt", "html"],
    ["Markdown without a name", "# T\n\nSee [x](http://a.example).\n\n- a\n- b\n", "README", "markdown"],
    ["prose without a name", "Just some words.\nAnd more - of them.", "notes", "text"],
    ["JSON without a name", '{"a": [1, 2]}', "blob", "json"],
    ["JSON lines named .json", '{"a":1}\n{"a":2}\n', "a.json", "jsonl"],
    ["a script by its first line", "#!/usr/bin/env python\nprint(1)\n", "run", "code"],
    ["Go by its name", "package main\n", "main.go", "code"],
    ["TypeScript that begins with markup in a string", "const x = `<html>`;\n", "a.ts", "code"],
    ["CSV by its name", "a,b\n1,2\n", "a.csv", "csv"],
    ["XML by its declaration", '<?xml version="1.0"?><a>x y</a>', "data", "xml"],
    ["subtitles by their look", "1\n00:00:01,000 --> 00:00:02,000\nHi\n", "x.txt", "subtitles"],
    ["a log by its look", "2024-05-06 07:08:09 INFO a\n".repeat(6), "out", "log"],
    ["HTML by content type", "<b>x</b> y", "page", "html"],
    ["a Dockerfile", "FROM x\nRUN y\n", "Dockerfile", "code"],
  ];
  for (const [name, text, filename, kind] of cases) {
    test(`is found for ${name}`, async () => {
      expect((await read(text, filename, kind === "html" ? "text/html; charset=utf-8" : null)).kind).toBe(kind);
    });
  }
});

describe("Markdown", () => {
  test("has headings of both kinds, none of them inside fences, and front matter", async () => {
    const document = await read(
      "---\ntitle: The Doc\nauthor: Ada\n---\n# One #\n\n```sh\n# no heading\n```\n\nTwo\n---\n\n### Three `x` [y](z)\n",
      "a.md",
    );
    expect(headings(document)).toEqual([
      [1, "One"],
      [2, "Two"],
      [3, "Three x y"],
    ]);
    expect(document).toMatchObject({ title: "The Doc", metadata: { author: "Ada" } });
    expect(document.text).toStartWith("---\ntitle");
  });

  test("is cut by section, and chunks know theirs", async () => {
    const section = (n: number): string => `## Section ${n}\n\n${`Sentence of section ${n}. `.repeat(16)}\n\n`;
    const chunks = await chunksOf(`# Top\n\n${[1, 2, 3, 4].map(section).join("")}`, "a.md");
    expect(chunks.map(({ heading }) => heading.at(-1))).toEqual(["Top", "Section 2", "Section 3", "Section 4"]);
    expect(chunks[1]!.text).toStartWith("## Section 2");
  });

  test("keeps the rows of tables whole under their header", async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `| item ${i} | costs. a lot | ${i} |`).join("\n");
    const chunks = await chunksOf(
      `| Item | Note | Price |\n|---|:-:|--:|\n${rows}\n\nAfter the table.`,
      "a.md",
      120,
      30,
    );
    for (const chunk of chunks.slice(1, -1)) {
      expect(chunk.text).toMatch(/^\| item [^]* \|$/);
      expect(chunk.heading).toEqual(["Item | Note | Price"]);
    }
  });
});

describe("code", () => {
  const PYTHON = Array.from(
    { length: 8 },
    (_, i) =>
      `@decorated\ndef function_${i}(a, b):\n    """Does the thing number ${i}."""\n${`    a = a + b * ${i}\n`.repeat(9)}    return a\n`,
  ).join("\n\n");

  test("is cut between functions, decorators included", async () => {
    for (const chunk of await chunksOf(PYTHON, "a.py", 160)) {
      expect(chunk.text).toStartWith("@decorated\ndef function_");
      expect(chunk.text).toEndWith("return a");
    }
  });

  test("names the declaration that a chunk lies in", async () => {
    const body = Array.from({ length: 80 }, (_, i) => `    x = call(${i})`).join("\n");
    const chunks = await chunksOf(
      `class Engine:\n    """A motor."""\n\n    def run(self, x):\n${body.replaceAll("    x", "        x")}\n`,
      "a.py",
      150,
    );
    expect(chunks.at(-1)!.heading).toEqual(["class Engine", "def run(self, x)"]);
  });

  const DECLARATIONS: [filename: string, line: string][] = [
    ["a.ts", "export async function load(path: string): Promise<void> {"],
    ["a.ts", "export class Store<T> extends Base {"],
    ["a.js", "const add = (a, b) => {"],
    ["a.go", "func (e *Engine) Run(ctx context.Context) error {"],
    ["a.rs", "pub(crate) async fn send(&self, value: T) -> Result<(), Error> {"],
    ["a.rs", "impl<T> Drop for Sender<T> {"],
    ["a.java", "public static List<String> names(int count) throws IOException {"],
    ["a.cs", "internal sealed class Program"],
    ["a.c", "static int compare(const void *a, const void *b) {"],
    ["a.php", "function render($view) {"],
    ["a.rb", "def index"],
    ["a.sql", "CREATE TABLE users ("],
    ["a.sh", "deploy() {"],
  ];
  for (const [filename, line] of DECLARATIONS) {
    test(`sees "${line}" in ${filename}`, async () => {
      const document = await read(
        `// x\n\n${line}\n  body\n}\n`.replace(
          /^\/\/ x/,
          filename.endsWith("rb") || filename.endsWith("sh") ? "# x" : "// x",
        ),
        filename,
      );
      expect(document.headings.map(({ text }) => text)).toEqual([line.replace(/\s*\{$/, "")]);
    });
  }

  test("does not take statements for declarations", async () => {
    const document = await read(
      "x();\nif (a) {\n  return b;\n}\nfor (const c of d) {\n}\nelse if (e(f)) {\n}\n",
      "a.js",
    );
    expect(document.headings).toEqual([]);
  });
});

describe("records", () => {
  test("of JSON stay whole", async () => {
    const records = Array.from({ length: 80 }, (_, i) => ({
      id: i,
      text: `words, and "quotes" ${i}`,
      tags: ["a", { b: [1] }],
    }));
    for (const text of [
      JSON.stringify(records),
      JSON.stringify({ version: 1, items: records }),
      JSON.stringify(records, null, 2),
    ]) {
      for (const chunk of (await chunksOf(text, "a.json", 150, 40)).slice(1)) expect(chunk.text).toMatch(/^\{\s*"id"/);
    }
  });

  test("of JSON lines stay whole", async () => {
    const text = Array.from({ length: 80 }, (_, i) => JSON.stringify({ id: i, text: "some longer words here" })).join(
      "\n",
    );
    for (const chunk of await chunksOf(text, "a.jsonl", 100, 30)) {
      for (const line of chunk.text.split("\n")) expect(() => JSON.parse(line) as unknown).not.toThrow();
    }
  });

  test("of CSV stay whole, line ends in quotes included, under their header", async () => {
    const text = `Name,Note,City\n${Array.from({ length: 60 }, (_, i) => `N${i},"first line\nsecond, ""line"" ${i}",Paris`).join("\n")}\n`;
    const chunks = await chunksOf(text, "a.csv", 100, 30);
    for (const chunk of chunks.slice(1)) {
      expect(chunk.text).toMatch(/^N\d+,"[^]*,Paris$/);
      expect(chunk.heading).toEqual(["Name,Note,City"]);
    }
  });

  test("of a log begin with their time", async () => {
    const text = Array.from(
      { length: 60 },
      (_, i) => `2024-05-06 07:08:${10 + (i % 50)} ERROR it broke\n  at one (a.js:1)\n  at two (b.js:2)`,
    ).join("\n");
    for (const chunk of await chunksOf(text, "a.log", 150, 60)) expect(chunk.text).toMatch(/^2024-05-06/);
  });

  test("of subtitles are what is said, with its time", async () => {
    const document = await read(
      "WEBVTT\n\n1\n00:01.000 --> 00:02.000 align:start\n<v Ann>Hello\nthere</v>\n\nNOTE x\n\n00:03.500 --> 00:04.000\nBye\n",
      "a.vtt",
    );
    expect(document.text).toBe("[00:01] Hello there\n[00:03] Bye");
  });
});

describe("HTML", () => {
  test("is the text that a reader sees", async () => {
    const document = await read(
      `<html lang="en"><head><title>A &amp; B</title><meta name="author" content="Ada"><style>p{}</style><script>var x = "<p>no</p>";</script></head>
      <body><nav><a>Home</a></nav><h1>Head <em>line</em></h1><p>One&nbsp;two<br>three</p><ul><li>a<li>b<ol><li>c</ol></ul>
      <pre>x  =  1\n  y</pre><p hidden>secret</p><noscript>turn it on</noscript><footer>imprint</footer></body></html>`,
      "a.html",
    );
    expect(document.text).toBe("Head line\n\nOne two\nthree\n- a\n- b\n1. c\n\nx  =  1\n  y\n\nsecret\n\nimprint");
    expect(headings(document)).toEqual([[1, "Head line"]]);
    expect(document).toMatchObject({ title: "A & B", metadata: { author: "Ada", language: "en" } });
  });

  test("has tables as rows with their header, and the text of tables for layout", async () => {
    const document = await read(
      "<table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>b<p>c</p></td></tr></table><table><tr><td><h2>Side</h2>text</td></tr></table>",
      "a.html",
    );
    expect(document.text).toBe("k | v\na | b c\n\nSide\ntext");
    expect(document.regions.map(({ header }) => header)).toEqual(["k | v"]);
  });

  test.each([
    ["what is chosen", "<select><option>One<option selected>Two<option>Three</select>", "Size Two left."],
    [
      "its first option where nothing is chosen",
      "<select><option>One</option><option>Two</option></select>",
      "Size One left.",
    ],
    [
      "what is chosen of groups",
      "<select><optgroup label=A><option>1</optgroup><optgroup label=B><option selected>2</optgroup></select>",
      "Size 2 left.",
    ],
    ["nothing where it is empty", "<select></select>", "Size left."],
    ["no more than that where it is never closed", "<select><option>One<option>Two<p>Next", "Size One Next left."],
  ])("has of a drop-down %s", async (_name, select, text) => {
    const document = await read(`<html><body>Size ${select} left.</body></html>`, "a.html");
    expect(document.text.replace(/\s+/g, " ")).toBe(text);
  });

  test("says a cell of several rows in each of them", async () => {
    const document = await read(
      "<table><tr><th>Town<th>Year<th>Sum<tr><td rowspan=2>Oslo<td>1<td>5<tr><td>2<td rowspan=9>6<tr><td colspan=2>all</table>",
      "a.html",
    );
    expect(document.text).toBe("Town | Year | Sum\nOslo | 1 | 5\nOslo | 2 | 6\nall | 6");
  });

  test("has what was typed into a form", async () => {
    const document = await read(
      "<html><body>Name <input value=Ada> <input type=hidden value=token><input type=submit value=Send><textarea>Long\nnote</textarea></body></html>",
      "a.html",
    );
    expect(document.text).toBe("Name Ada\n\nLong\nnote");
  });

  test("is read even where everything is marked as navigation", async () => {
    expect((await read("<html><body><nav>only this</nav></body></html>", "a.html")).text).toBe("only this");
  });

  test("in a charset that its meta names", async () => {
    const bytes = Buffer.from(
      '<html><head><meta charset="windows-1251"></head><body>\xcf\xf0\xe8\xe2\xe5\xf2</body></html>',
      "latin1",
    );
    const result = await parseDocument({ bytes, filename: "a.html", contentType: null });
    expect(result.ok && result.document.text).toBe("Привет");
  });
});

describe("other texts", () => {
  test("XML is its text and telling attributes; entities stay what they are", async () => {
    const document = await read(
      '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "expanded"><!ENTITY y SYSTEM "file:///etc/passwd">]><a><b name="The name" id="7">text &x; &amp; &y;</b></a>',
      "a.xml",
    );
    expect(document.text).toBe("The name\n\ntext &x; & &y;");
  });

  test("a notebook is its cells and what they print", async () => {
    const notebook = {
      metadata: { language_info: { name: "python" } },
      cells: [
        { cell_type: "markdown", source: ["# Study\n", "Words."] },
        {
          cell_type: "code",
          source: "x = 1\nprint(x)",
          outputs: [{ text: ["1\n"] }, { data: { "text/plain": "done", "image/png": "iVBOR" } }],
        },
      ],
    };
    const document = await read(JSON.stringify(notebook), "a.ipynb");
    expect(document.text).toBe("# Study\nWords.\n\nx = 1\nprint(x)\n\n1\n\ndone");
    expect(headings(document)).toEqual([[1, "Study"]]);
  });

  test("a notebook has its errors without their colours, and no names of pictures", async () => {
    const outputs = [
      { data: { "text/plain": ["<Figure size 640x480 with 1 Axes>"] } },
      { ename: "ValueError", evalue: "bad \u001b[31mvalue\u001b[0m", traceback: ["..."] },
    ];
    const cells = [{ cell_type: "code", source: "f()", outputs }];
    expect((await read(JSON.stringify({ cells }), "a.ipynb")).text).toBe("f()\n\nValueError: bad value");
  });

  test("a notebook of version 3 is read like later ones", async () => {
    const cells = [
      { cell_type: "heading", level: 2, source: "Old" },
      { cell_type: "code", input: ["x = 1"], outputs: [] },
    ];
    const document = await read(JSON.stringify({ nbformat: 3, worksheets: [{ cells }] }), "a.ipynb");
    expect([document.text, headings(document)]).toEqual(["## Old\n\nx = 1", [[2, "Old"]]]);
  });

  test("reStructuredText, LaTeX and configuration have their sections", async () => {
    expect(headings(await read("=====\nTitle\n=====\n\nPart\n----\n\ntext\n", "a.rst"))).toEqual([
      [1, "Title"],
      [2, "Part"],
    ]);
    const tex = await read("\\title{On \\emph{x}}\n\\section{One}\na\n\\subsection*{Two}\nb\n", "a.tex");
    expect([tex.title, headings(tex)]).toEqual([
      "On x",
      [
        [2, "One"],
        [3, "Two"],
      ],
    ]);
    expect(headings(await read("[server]\nport = 1\n\n[client]\n", "a.toml"))).toEqual([
      [1, "server"],
      [1, "client"],
    ]);
    expect(headings(await read("server:\n  port: 1\nclient:\n  x: 2\n", "a.yaml"))).toEqual([
      [1, "server"],
      [1, "client"],
    ]);
  });
});

test("the first line of a plain text is its title when it stands alone above more", () => {
  const cases: [string, string | null][] = [
    ["A study of glaciers\n\nIce moves slowly.", "A study of glaciers"],
    ["\n  A title with spaces \n \nBody", "A title with spaces"],
    ["Only one line", null],
    ["Two lines\nof one paragraph.\n\nMore.", null],
    ["A line and nothing else\n\n  \n", null],
    [`${"x".repeat(300)}\n\nBody`, null],
    ["-----\n\nBody", null],
  ];
  for (const [text, title] of cases) expect(titleOfText(text)).toBe(title);
});
