import { describe, expect, test } from "bun:test";

import { headingsOf, read, textOf } from "../../../test/fixtures/parse/read.ts";

async function headings(markdown: string): Promise<string[]> {
  return headingsOf(await read(markdown, "a.md")).map(([level, text]) => `${level} ${text}`);
}

describe("Markdown's headings", () => {
  const cases: [name: string, markdown: string, headings: string[]][] = [
    ["after a code span of three backticks alone in its line", "# A\n\n```npm i```\n\n# B\n", ["1 A", "1 B"]],
    [
      "not after a fence with words that closes nothing",
      "# A\n\n```\n# x\n```python\n# y\n```\n\n# B\n",
      ["1 A", "1 B"],
    ],
    ["after tildes with backticks in them", "~~~ a`b\n# x\n```\n~~~\n# B\n", ["1 B"]],
    ["not in front matter of TOML", '+++\ntitle = "T"\n# x\n+++\n\n# B\n', ["1 B"]],
    ["not in a longer fence", "````\n```\n# x\n```\n````\n# B\n", ["1 B"]],
    ["not in a fence that never ends", "# A\n\n```\n# x\n", ["1 A"]],
    ["not in a fence of a list item", "1. item\n\n   ```sh\n   # x\n   ```\n\n# B\n", ["1 B"]],
    [
      "not in a fence of a list item whose code is not indented",
      "- item\n\n  ```sh\n# x\nwords\n  ```\n\n# B\n",
      ["1 B"],
    ],
    ["after a list item's fence that is never closed", "- item\n  ```\n  # x\n\n# B\n\ntext\n", ["1 B"]],
    ["not in nested lists", "- a\n  - b\n\n    ```\n    # x\n    ```\n- c\n\n# B\n", ["1 B"]],
    ["not in a fence of a quotation, which ends with it", "> ```\n> # x\n\n# B\n", ["1 B"]],
    ["not in indented code", "text\n\n    # x\n\n# B\n", ["1 B"]],
    ["not in <pre>, blank lines or not", "<pre>\n# x\n\n# y\n</pre>\n\n# B\n", ["1 B"]],
    [
      "not in <script>, <style> and <textarea>",
      "<script>\n# x\n</script>\n<STYLE>\n# y\n</STYLE>\n<textarea>\n\n# z\n</textarea>\n# B\n",
      ["1 B"],
    ],
    ["not in comments", "<!-- one\n# x\n\n# y -->\n# A\n<!-- # z -->\n# B\n", ["1 A", "1 B"]],
    ["in a block of markup after its blank line only", "<details>\n# x\n\n# B\n\n</details>\n", ["1 B"]],
    [
      "of both kinds that begin with a number",
      "1.54.0 / 2024-08-25\n===\n\n2024\n---\n\n# 3. Three\n",
      ["1 1.54.0 / 2024-08-25", "2 2024", "1 3. Three"],
    ],
    ["over several lines", "One\ntwo\n---\n", ["2 One two"]],
    [
      "but no list item, quotation, table or rule",
      "- a\n---\n\n> b\n---\n\n1. c\n===\n\n| d | e |\n|---|---|\n\n***\n---\n",
      [],
    ],
    [
      "with their type parameters",
      '# HeadingGenerics<T>\n\n## Map<String, List<T>> and `Box<b>`\n\n### <a name="x"></a>Plain <b>bold</b><br/>\n',
      ["1 HeadingGenerics<T>", "2 Map<String, List<T>> and Box<b>", "3 Plain bold"],
    ],
    [
      "without the marks of their words",
      "# *One* __two__ [three](u) `four` a_b_c 2 * 3 * 4 \\*five\\* {#id}\n",
      ["1 One two three four a_b_c 2 * 3 * 4 *five*"],
    ],
    ["only where their mark is not escaped", "\\# A\n\n&#35; B\n\n#C\n", []],
  ];
  for (const [name, markdown, expected] of cases) {
    test(`stand ${name}`, async () => {
      expect(await headings(markdown)).toEqual(expected);
    });
  }

  test("lie where they are in the decoded text", async () => {
    const document = await read("M&uuml;ller &amp; S&ouml;hne\n\n# Gr&ouml;&szlig;e &lt;b&gt;\n\ntext\n", "a.md");
    expect(document.text).toBe("Müller & Söhne\n\n# Größe <b>\n\ntext\n");
    expect(document.headings).toEqual([{ level: 1, text: "Größe <b>", start: document.text.indexOf("# ") }]);
  });
});

describe("Markdown's text", () => {
  test.each([
    ["5&nbsp;&euro; &#8212; &#x41; &quot;x&quot; &unknown; &amp;lt;", '5 € — A "x" &unknown; &lt;'],
    ["snake\\_case costs \\$5\\. C:\\dir \\\\ \\(x\\)", "snake_case costs $5. C:\\dir \\\\ \\(x\\)"],
    ["`a&uuml;\\_` and ``b ` &amp;`` &amp;", "`a&uuml;\\_` and ``b ` &amp;`` &"],
    ["```\n&uuml;\n```\n&uuml;", "```\n&uuml;\n```\nü"],
    ["<p>&uuml;</p>", "<p>ü</p>"],
  ])("%j is %j", async (markdown, text) => {
    expect(await textOf(markdown, "a.md")).toBe(text);
  });

  test("is read in linear time whatever its blocks are", async () => {
    const started = performance.now();
    for (const part of ["- ```\n", "> ".repeat(200) + "\n", "- ".repeat(200) + "\n", "`a ", "a\n- "])
      await textOf(part.repeat(5000), "a.md").catch(() => "");
    expect(performance.now() - started).toBeLessThan(30_000);
  });
});
