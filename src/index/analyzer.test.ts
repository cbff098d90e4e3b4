import { describe, expect, test } from "bun:test";
import { encodeTerms, queryTerms, termsOf } from "./analyzer.ts";
import { KeywordIndex } from "./keyword.ts";
import { looksEnglish } from "./language.ts";
import { stemEnglish } from "./stem.ts";
import { unpackTerms } from "./term-blob.ts";

/** Whether a chunk is found by a query. */
function finds(text: string, query: string, title = ""): boolean {
  const index = new KeywordIndex();
  index.add(0, encodeTerms({ text, heading: [], title }));
  return index.search(queryTerms(query), 1).top.ids.length === 1;
}

describe("a chunk is found by", () => {
  const english = "It is said that the maintenance of these machines is";
  const cases: [string, string, string, boolean][] = [
    ["another ending of an English word", `${english} recommended`, "recommends", true],
    ["another case", "The RUNNING of the FOXES", "running fox", true],
    ["part of a hyphenated compound", "a well-known error", "known", true],
    ["a compound written in one", "a wi-fi network", "wifi", true],
    ["a compound written apart", "the WiFi network", "wi-fi", true],
    ["part of a snake_case name", "call max_retry_count here", "retry", true],
    ["part of a camelCase name", "call XMLHttpRequest here", "http", true],
    ["an identifier in another spelling", "call maxRetryCount here", "max_retry_count", true],
    ["a version", "since version 1.2.3 of it", "1.2.3", true],
    ["a version's release line", "since version v1.2.3 of it", "1.2", true],
    ["not another version", "since version 1.2.3 of it", "1.3.2", false],
    ["an error code", "fails with E1234 at start", "e1234", true],
    ["the number of an error code", "fails with E1234 at start", "1234", true],
    ["a number with thousands commas", "sold 1,250,000 units", "1250000", true],
    ["C++ as such", "written in C++ and C#", "c++", true],
    ["a possessive", "the customer's order", "customer", true],
    ["a contraction", "you don’t say", "don't", true],
    ["a word without its accents", "the café of the town is where they meet", "cafe", true],
    ["a word with its accents", "the café of the town is where they meet", "café", true],
    [
      "another ending of a German word",
      "Die Verteidigung der Stadt und die Verträge sind nicht alt",
      "Vertrag Verteidigungen",
      true,
    ],
    ["another ending of a Russian word", "Москва является столицей России", "столица", true],
    ["another ending of a Turkish word", "Bu kitaplarımız ve defterlerimiz çok eski", "kitaplar", true],
    ["an Arabic word without vowel signs", "مَكْتَبَة الجامعة الكبيرة", "الجامعه", true],
    ["full-width letters", "ＡＢＣ ｄｅｆ", "abc def", true],
    ["a letter with a soft hyphen inside", "Donau\u00addampf", "donaudampf", true],
    ["part of a Japanese sentence", "東京都に住んでいます", "東京", true],
    ["one Chinese character", "我家有猫", "猫", true],
    ["part of a Chinese sentence", "中华人民共和国成立于一九四九年", "人民共和国", true],
    ["part of a Thai sentence", "ภาษาไทยไม่มีช่องว่างระหว่างคำ", "ช่องว่าง", true],
    ["the stem of a Korean word", "한국어를 공부합니다", "한국어", true],
    ["an English word between Japanese ones", "これはSQLiteのデータベース", "sqlite", true],
    ["a Hindi word", "भारत एक विशाल देश है", "विशाल", true],
    ["an address of mail", "write to ann.lee@example.org", "lee", true],
  ];
  test.each(cases)("%s", (_, text, query, expected) => expect(finds(text, query)).toBe(expected));

  test("a word of its title or of a heading", () => {
    expect(finds("text", "handbook", "The Handbook")).toBe(true);
    const index = new KeywordIndex();
    index.add(0, encodeTerms({ text: "text", heading: ["Chapter", "Safety rules"], title: "" }));
    expect(index.search(queryTerms("safety"), 1).top.ids.length).toBe(1);
  });
});

test("a word of the title weighs more than one of the text", () => {
  const index = new KeywordIndex();
  index.add(0, encodeTerms({ text: "alpha beta gamma alpha", heading: [], title: "omega" }));
  index.add(1, encodeTerms({ text: "alpha beta gamma alpha", heading: [], title: "alpha" }));
  expect(index.search(queryTerms("alpha"), 2).top.ids[0]).toBe(1);
});

test("an English word in one of few foreign chunks does not beat the English chunks about it", () => {
  const index = new KeywordIndex();
  for (let i = 0; i < 60; i++) {
    const what = i < 6 ? "list of the services" : "number of the rooms";
    index.add(i, encodeTerms({ text: `This is the ${what} that are in house ${i}`, heading: [], title: "" }));
  }
  const german = "Das ist die Liste der Dinge und das Wort services kommt auch vor, aber nicht oft, wie man sieht";
  index.add(60, encodeTerms({ text: german, heading: [], title: "" }));
  expect(index.search(queryTerms("list of services"), 1).top.ids[0]).not.toBe(60);
});

test("the terms of a text are the documented ones", () => {
  expect(termsOf("The quick-brown foxes' nodeModules")).toEqual([
    "the",
    "quick",
    "brown",
    "quickbrown",
    "fox",
    "nodemodul",
    "node",
    "modul",
  ]);
  expect(termsOf("v1.2.3 E1234")).toEqual(["1.2.3", "1.2", "e1234", "1234"]);
  expect(termsOf("日本語")).toEqual(["日", "本", "語", "日本", "本語"]);
  expect(termsOf("")).toEqual([]);
  expect(termsOf("--- ... !!! \u0000")).toEqual([]);
});

test("hostile text takes no time and no space out of proportion", () => {
  const started = performance.now();
  for (const text of [
    "a".repeat(500_000),
    "a_".repeat(200_000),
    "1.".repeat(200_000),
    "Ab".repeat(200_000),
    "猫".repeat(100_000),
    "\u0301".repeat(100_000),
  ]) {
    const { hashes } = unpackTerms(encodeTerms({ text, heading: [], title: "" }));
    expect(hashes.length).toBeLessThan(500_000);
  }
  expect(performance.now() - started).toBeLessThan(15_000);
});

test("learned weights come with the query's stems", () => {
  const lexicon = new Map([["run", { multiply: 0.5, add: -1 }]]);
  const terms = queryTerms("running zebra", lexicon);
  expect(terms.filter((term) => term.multiply === 0.5 && term.add === -1).length).toBe(1);
  expect(queryTerms("run run")[0]).toMatchObject({ count: 2 });
});

test.each([
  ["English prose", "The cat sat on the mat and it was not amused by this", true],
  ["German prose", "Die Katze saß auf der Matte und war nicht erfreut", false],
  ["French prose", "Le chat est sur la table et il ne veut pas descendre", false],
  ["Turkish prose", "Kedi masanın üstünde oturuyor ve aşağı inmek istemiyor", false],
  ["source code", "const el = document.querySelector('a'); if (el) el.remove();", true],
  [
    "a list of names",
    "Smith, Dupont, Müller, Rossi, Jones, Brown, Taylor, Wilson, Davies, Evans, Thomas, Moore, Hall, King, Wright, Green, Baker",
    true,
  ],
  ["nothing", "", true],
])("%s is told apart", (_, text, english) => expect(looksEnglish(text)).toBe(english));

test.each(
  // Examples of Porter's paper, and words whose rules interact.
  (
    "caresses:caress ponies:poni ties:ti caress:caress cats:cat feed:feed agreed:agre plastered:plaster bled:bled " +
    "motoring:motor sing:sing conflated:conflat troubled:troubl sized:size hopping:hop tanned:tan falling:fall " +
    "hissing:hiss fizzed:fizz failing:fail filing:file happy:happi sky:sky relational:relat conditional:condit " +
    "rational:ration valenci:valenc digitizer:digit radicalli:radic differentli:differ vileli:vile analogousli:analog " +
    "vietnamization:vietnam predication:predic operator:oper feudalism:feudal decisiveness:decis hopefulness:hope " +
    "callousness:callous formaliti:formal sensitiviti:sensit sensibiliti:sensibl triplicate:triplic formative:form " +
    "formalize:formal electriciti:electr electrical:electr hopeful:hope goodness:good revival:reviv allowance:allow " +
    "inference:infer airliner:airlin adjustable:adjust defensible:defens irritant:irrit replacement:replac " +
    "adjustment:adjust dependent:depend adoption:adopt communism:commun activate:activ effective:effect bowdlerize:bowdler " +
    "probate:probat rate:rate cease:ceas controll:control roll:roll generalizations:gener oscillators:oscil"
  ).split(" "),
)("stems %s", (pair) => {
  const [word, stem] = pair.split(":") as [string, string];
  expect(stemEnglish(word)).toBe(stem);
});
