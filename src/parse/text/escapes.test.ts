import { describe, expect, test } from "bun:test";

import { read, textOf } from "../../../test/fixtures/parse/read.ts";

/** The backslash of an escape, which the source of a test would read itself. */
const B = "\\";

describe("escapes are the characters that they stand for", () => {
  const cases: [name: string, filename: string, content: string, text: string][] = [
    [
      "JSON",
      "a.json",
      `{"name":"M${B}u00fcller","n":"a${B}nb ${B}"q${B}" c:${B}${B}new ${B}/"}`,
      `{"name":"Müller","n":"a\nb "q" c:\\new /"}`,
    ],
    ["Apple's strings", "a.strings", `"k" = "Gr${B}U00fc${B}U00dfe ${B}"x${B}"";`, '"k" = "Grüße "x"";'],
    [
      "LDIF",
      "a.ldif",
      "cn:: TcO8bGxlcg==\ndescription: unbel\n ievable\njpegPhoto:: /9j/4AA=\n",
      "cn: Müller\ndescription: unbelievable\njpegPhoto:: /9j/4AA=\n",
    ],
    [
      "YAML below a text that stands as it is",
      "a.yaml",
      `a: |\n  say "hello\n  C:${B}new "${B}t"\nb: "${B}u00fc"\n`,
      `a: |\n  say "hello\n  C:${B}new "${B}t"\nb: "ü"\n`,
    ],
    ["YAML below a quote amid words", "a.yaml", `a: size "5 pipe\nb: "${B}u00fc"\n`, 'a: size "5 pipe\nb: "ü"\n'],
    ["YAML behind a tag", "a.yaml", `a: !!str "${B}u00fc"\nb: &x "${B}u00e9"\n`, 'a: !!str "ü"\nb: &x "é"\n'],
    ["JSON with surrogate pairs", "a.json", `{"a":"${B}ud83d${B}ude00 ${B}u5317${B}u4eac"}`, '{"a":"😀 北京"}'],
    ["JSON with half a pair", "a.json", `{"a":"x${B}ud83d y"}`, '{"a":"x\ufffd y"}'],
    ["an escaped backslash before a u", "a.json", `{"a":"${B}${B}u00fc"}`, '{"a":"\\u00fc"}'],
    ["control characters", "a.json", `{"a":"x${B}u0000y${B}u001bz${B}r${B}nw"}`, '{"a":"x y z\nw"}'],
    ["JSON lines", "a.jsonl", `{"a":"K${B}u00f6ln"}\n{"a":"Caf${B}u00e9"}\n`, '{"a":"Köln"}\n{"a":"Café"}\n'],
    ["JSON lines named .ndjson", "a.ndjson", `{"a":"${B}u041f"}\n{"a":"b"}\n`, '{"a":"П"}\n{"a":"b"}\n'],
    ["JSON lines in a log", "a.log", `{"a":"${B}u00fc"}\n{"a":"b"}\n`, '{"a":"ü"}\n{"a":"b"}\n'],
    ["JSON at the end of a log's lines", "a.log", `2024-05-06 x {"a":"${B}u00fc"}`, '2024-05-06 x {"a":"ü"}'],
    ["JSON without a name", "blob", `{"a":"${B}u00fc"}`, '{"a":"ü"}'],
    [
      "GeoJSON",
      "a.geojson",
      `{"type":"Feature","properties":{"n":"Z${B}u00fcrich"}}`,
      '{"type":"Feature","properties":{"n":"Zürich"}}',
    ],
    ["JSON5", "a.json5", `{a:'M${B}xfcller ${B}\nx', b:"${B}u{1f600}"}`, `{a:'Müller x', b:"😀"}`],
    [
      "YAML between double quotes only",
      "a.yaml",
      `a: "K${B}xf6ln ${B}u00fc ${B}U0001F600"\nb: 'x ${B}u00fc'\nc: C:${B}new\n`,
      `a: "Köln ü 😀"\nb: 'x \\u00fc'\nc: C:\\new\n`,
    ],
    [
      "YAML beside apostrophes and comments",
      "a.yml",
      `# don't "x\na: don't\nb: "${B}u00fc"\n`,
      `# don't "x\na: don't\nb: "ü"\n`,
    ],
    ["a YAML line that goes on", "a.yaml", `a: "one ${B}\n   two"\n`, 'a: "one two"\n'],
    [
      "TOML",
      "a.toml",
      `a = "M${B}u00fcller"\nb = 'C:${B}u00fc'\nc = """\nx ${B}u00e9"""\n`,
      `a = "Müller"\nb = 'C:\\u00fc'\nc = """\nx é"""\n`,
    ],
    [
      "properties",
      "a.properties",
      `g=${B}u041f${B}u0440 ${B}\n   more${B}:x\np=C${B}:${B}${B}dir`,
      "g=Пр more:x\np=C:\\dir",
    ],
    ["INI, of which only characters are decoded", "a.ini", `[a]\nb=${B}u00fc C:${B}new`, "[a]\nb=ü C:\\new"],
    [
      "message catalogues",
      "de.po",
      `msgid ""\n"Hydrau"\n"lic ${B}"x${B}"${B}n"\nmsgstr "ü"\n`,
      'msgid "Hydraulic "x"\n"\nmsgstr "ü"\n',
    ],
    ["program text stays", "a.ts", `const a = "${B}u00fc";\n`, `const a = "${B}u00fc";\n`],
    [
      "entities of subtitles",
      "a.vtt",
      "WEBVTT\n\n00:01.000 --> 00:02.000\nM&uuml;ller &amp; Co\n",
      "[00:01] Müller & Co",
    ],
  ];
  for (const [name, filename, content, text] of cases) {
    test(`in ${name}`, async () => {
      expect(await textOf(content, filename)).toBe(text);
    });
  }

  test("properties that are no UTF-8 are Latin-1", async () => {
    expect(await textOf(Buffer.from("name=M\xfcller \u00dfx\n", "latin1"), "a.properties")).toBe("name=Müller ßx\n");
  });

  test("and the records of JSON stay where they are", async () => {
    const document = await read(`[{"a":"${B}u00fc${B}u00fc"},{"a":"b"}]`, "a.json");
    const starts = [...document.breaks.offsets].map((at) => document.text.slice(at, at + 7));
    expect(starts).toEqual(['{"a":"ü', '{"a":"b']);
  });

  test("take linear time on text without an end", async () => {
    const started = performance.now();
    await textOf(`a: ${`"${B}`.repeat(200_000)}`, "a.yaml");
    await textOf(`a: ${"'''x ".repeat(200_000)}`, "a.toml");
    await textOf(`${B}begin{verbatim}`.repeat(20_000), "a.tex");
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
