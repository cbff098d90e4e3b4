import { describe, expect, test } from "bun:test";
import { encodeTerms, queryTerms, spellingsOf, termsOf, upgradeTerms } from "./analyzer.ts";
import { KeywordIndex } from "./keyword.ts";
import { languageOf } from "./language.ts";
import { stemEnglish } from "./stem.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { ANALYZER_VERSION, packTerms, unpackTerms } from "./term-blob.ts";

/** Whether a chunk is found by a query. */
function finds(text: string, query: string, title = "", filename = ""): boolean {
  const index = new KeywordIndex();
  index.add(0, encodeTerms({ text, heading: [], title, filename }));
  return index.search(queryTerms(query), 1).top.ids.length === 1;
}

/** The best of texts for a query. */
function best(texts: readonly string[], query: string): string | undefined {
  const index = new KeywordIndex();
  texts.forEach((text, i) => index.add(i, encodeTerms({ text, heading: [], title: "" })));
  return texts[index.search(queryTerms(query), 1).top.ids[0] ?? -1];
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

describe("numbers meet in every way to write them:", () => {
  const pairs: [string, string][] = [
    ["The bolt is 10mm long", "10 mm"],
    ["a shaft of 48 mm diameter", "48mm"],
    ["with 64GB of memory", "64 GB"],
    ["works at 2.4GHz only", "2.4 GHz"],
    ["needs Python3.11 here", "Python 3.11"],
    ["needs Python 3.11 here", "Python3.11"],
    ["Upgrade to v2.14.3-rc1 now", "2.14.3"],
    ["Install log4j-core-2.17.1.jar here", "2.17.1"],
    ["FROM nginx:1.25.4-alpine", "1.25.4"],
    ["10.20.30.40-10.20.30.90 is free", "10.20.30.90"],
    ["costs €1,299.00 in total", "1299"],
    ["kostet 1.299,00 € zusammen", "1299"],
    ["kostet 1.299,50 € zusammen", "1299.50"],
    ["eine Strafe von 45.300 Euro", "45300"],
    ["eine Strafe von 45 300 Euro", "45300"],
    ["eine Strafe von 45\u202f300 Euro", "45300"],
    ["eine Strafe von 45'300 Franken", "45300"],
    ["eine Strafe von 45300 Euro", "45.300"],
    ["eine Strafe von 45300 Euro", "45 300"],
    ["eine Strafe von 45300 Euro", "45,300"],
    ["a sum of 12,34,567 rupees", "1234567"],
    ["um 3,5 Prozent", "3.5"],
    ["by 3.5 percent", "3,5"],
    ["Order AB4711CD is blocked", "4711"],
    ["Order AB4711CD is blocked", "AB4711"],
    ["Replace relay 8822X", "8822"],
    ["stops with 0x80070643 there", "80070643"],
    ["has 1920x1080 pixels", "1920 x 1080"],
    ["has 1920 × 1080 pixels", "1920x1080"],
    ["Account DE89 3704 0044 0532 0130 00 is ours", "DE89370400440532013000"],
    ["Account DE89370400440532013000 is ours", "DE89 3704 0044 0532 0130 00"],
    ["call +49 (0)30 1234567 now", "+49301234567"],
    ["call (555) 123-4567 now", "5551234567"],
    ["call 0301234567 now", "030 / 1234567"],
    ["card 4111 1111 1111 1111 is lost", "4111111111111111"],
    ["the card 00:1A:2B:3C:4D:5E is up", "001a2b3c4d5e"],
    ["the card 00:1A:2B:3C:4D:5E is up", "00-1A-2B-3C-4D-5E"],
    ["the card 001A.2B3C.4D5E is up", "00:1a:2b:3c:4d:5e"],
    ["the key AB:01:cd:23:EF:45:67:89 is known", "AB01CD23EF456789"],
    ["on 2024-03-15 it was", "15.03.2024"],
    ["am 15.3.2024 war es", "2024-03-15"],
    ["on 03/15/2024 it was", "2024-03-15"],
    ["at 2024-03-15T10:00 it was", "2024-03-15"],
    ["वर्ष २०२४ में", "2024"],
    ["سنة ٢٠٢٤ كانت", "2024"],
    ["سال ۲۰۲۴ بود", "2024"],
    ["it was in 2024", "२०२४"],
    ["كان ٣٫٥ فقط", "3.5"],
    ["ปี ๒๕๖๗ ครับ", "2567"],
    ["１２３４ yen", "1234"],
  ];
  test.each(pairs)("%s, %s", (text, query) => expect(finds(text, query)).toBe(true));

  test.each([
    ["since 3.10 of it", "3.1"],
    ["on 2024-03-15 it was", "16.03.2024"],
    ["a sum of 45.300 Euro", "4530"],
    ["from 12:30:45 to 12:31:00", "123045"],
  ])("%s is not %s", (text, query) => expect(finds(text, query)).toBe(false));

  test("the spelling that was asked for is first", () => {
    const texts = ["the bolt of 10 mm is here", "the bolt of 10mm is here", "10 bolts and a mm more"];
    expect(best(texts, "10mm")).toBe("the bolt of 10mm is here");
    expect(best(["it costs 45.300 Euro", "it costs 45300 Euro"], "45300")).toBe("it costs 45300 Euro");
    // Numbers that a group of it is by itself are not what was asked for.
    const others = [
      "take 12 of them",
      "take 5 of them",
      "row 45 is free",
      "seat 45 is free",
      "hall 300 there",
      "there are 300 more",
    ];
    expect(best([...others, "a discount of 12.5% for you"], "12,5%")).toBe("a discount of 12.5% for you");
    expect(best([...others, "it costs 45300 Euro"], "45 300")).toBe("it costs 45300 Euro");
  });
});

describe("short words are found without what other keyboards lack:", () => {
  const spanish = "El responsable de la oficina es José Peña, que no está en la ciudad y sus";
  const german = "Die Leitung hat Frau Müller, die aus Köln ist und nicht weit von der Straße wohnt";
  const danish = "Det er Søren Ærø og Åse, som ikke er på kontoret til jul";
  const cases: [string, string, string][] = [
    ["Spanish", spanish, "Jose"],
    ["Spanish", spanish, "Pena"],
    ["German", german, "Koln"],
    ["German, transcribed", german, "Koeln"],
    ["German, transcribed", german, "Mueller"],
    ["German ß", german, "strasse"],
    ["Danish, transcribed", danish, "Soeren"],
    ["Danish, transcribed", danish, "Aeroe"],
    ["Danish, transcribed", danish, "Aase"],
    ["French", "Le café est près du musée dans la ville avec les enfants", "musee"],
    ["Polish", "To nie jest Żak, że się przez dla", "zak"],
    ["Czech", "Město Řež se na je ve které jsou", "Rez"],
    ["Vietnamese", "Chi nhánh ở Hà Nội và Đà Nẵng của các có được", "Da Nang"],
    ["Russian", "Директор Пётр подписал счёт", "счет"],
    ["Turkish", "Şube İzmir şehrindedir ve bir bu için ile", "izmir"],
    ["Turkish, all capitals", "Şube İzmir şehrindedir ve bir bu için ile", "IZMIR"],
    ["Greek", "Η τιμή είναι εδώ", "τιμη"],
    ["Hebrew points", "הילד קרא סֵפֶר", "ספר"],
    ["Arabic hamza", "المدير أحمد هنا", "احمد"],
    ["Arabic tatweel", "كتـــاب جديد", "كتاب"],
    ["Arabic alef wasla", "ٱلكتاب جديد", "الكتاب"],
    ["Persian letters", "کتابی نو", "كتابي"],
    ["Devanagari nukta", "यह फ़िल्म अच्छी है", "फिल्म"],
    ["Hindi nasal", "यह हिन्दी में है", "हिंदी"],
    ["Hindi nasals", "यह सम्बन्ध है", "संबंध"],
    ["Gujarati nasal", "આ હિન્દી છે", "હિંદી"],
    ["Icelandic", "Þór er hér og ekki þar sem hann var", "Thor"],
    ["Serbian", "Đorđe je kod kuće i nije tamo", "Djordje"],
    ["Serbian", "Đorđe je kod kuće i nije tamo", "Dorde"],
    ["half-width kana", "ｶﾀｶﾅ の 表", "カタカナ"],
    ["in an English text", "This is Frau Müller of the house of Köln", "Mueller"],
  ];
  test.each(cases)("%s: %s, %s", (_, text, query) => expect(finds(text, query)).toBe(true));

  test.each([
    ["Frau Mueller ist in der Stadt und nicht im Haus", "Müller"],
    ["El responsable es Jose Pena de la ciudad y no los", "José Peña"],
    ["Директор Петр подписал счет", "Пётр"],
    ["הילד קרא ספר", "סֵפֶר"],
    ["Strasse und Weg sind nicht das", "Straße"],
    ["यह हिंदी में है", "हिन्दी"],
    ["Thor er hér og ekki þar sem hann var", "Þór"],
    ["Şube Izmir sehrindedir ve bir bu için", "İzmir"],
  ])("and the other way round: %s, %s", (text, query) => expect(finds(text, query)).toBe(true));

  test.each([
    ["Koln", ["Koln", "Köln"]],
    ["Koeln", ["Koeln", "Köln"]],
    ["Köln", ["Köln", "Koln", "Koeln"]],
  ])("%s finds %j, in its own spelling first", (query, expected) => {
    const text = (city: string) => `Der Ansprechpartner ist Herr Bär aus ${city} und nicht aus der Stadt am Meer`;
    const texts = ["Köln", "Koln", "Koeln"].map(text);
    expect(texts.filter((one) => finds(one, query)).toSorted()).toEqual(expected.map(text).toSorted());
    expect(best(texts, query)).toBe(text(query));
  });

  test("the spelling that was asked for is first, in both directions", () => {
    const accented = "El señor José no está en la casa de los reyes";
    const plain = "El señor Jose no está en la casa de los reyes";
    expect(best([accented, plain], "Jose")).toBe(plain);
    expect(best([plain, accented], "José")).toBe(accented);
    expect(best(["Frau Müller ist nicht da und", "Frau Mueller ist nicht da und"], "Mueller")).toBe(
      "Frau Mueller ist nicht da und",
    );
  });

  test("й is a letter of its own", () => {
    expect(finds("Мой дом", "мои")).toBe(false);
  });
});

test.each([
  ["Status 🚀 launched", "🚀"],
  ["all done ✅ today", "✅"],
  ["with love ❤️ from us", "❤"],
  ["the flag 🇩🇪 is up", "🇩🇪"],
  ["nach § 15 gilt", "§"],
  ["a tolerance of ±5 µm", "±"],
  ["a tolerance of ±5 µm", "µm"],
  ["at 25°C outside", "25 °C"],
  ["sure by 100%", "%"],
  ["it costs €5", "€"],
])("signs are terms: %s, %s", (text, query) => expect(finds(text, query)).toBe(true));

describe("a file is found by its name", () => {
  test.each([
    ["holiday-policy-2024.txt", "holiday-policy-2024.txt"],
    ["holiday-policy-2024.txt", "holiday policy 2024"],
    ["holiday-policy-2024.txt", "holiday_policy_2024"],
    ["holiday-policy-2024.txt", "HolidayPolicy2024"],
    ["holiday-policy-2024.txt", "holiday policies"],
    ["Bericht_März.pdf", "Bericht Maerz"],
    ["log4j-core-2.17.1.jar", "2.17.1"],
    ["chapter-7.md", "chapter 7"],
    ["企画書.docx", "企画書"],
    [".gitignore", "gitignore"],
    ["Makefile", "makefile"],
  ])("%s by %s", (filename, query) => expect(finds("unrelated", query, "", filename)).toBe(true));

  test("but not by its extension, or by a short number alone", () => {
    expect(finds("unrelated", "txt", "", "holiday-7.txt")).toBe(false);
    expect(finds("unrelated", "7", "", "holiday-7.txt")).toBe(false);
  });

  test("and its name makes no word of the texts common", () => {
    const scoreOf = (filename: string) => {
      const index = new KeywordIndex();
      for (let i = 0; i < 50; i++) {
        const text = i === 7 ? "the yearly report" : "nothing of that";
        index.add(i, encodeTerms({ text, heading: [], title: "", filename: `${filename}-${i + 1000}.txt` }));
      }
      return index.search(queryTerms("yearly report"), 1).top.scores[0] ?? 0;
    };
    expect(scoreOf("report")).toBeCloseTo(scoreOf("other"), 1);
  });
});

test("a word that a line's end cuts in two is asked for as a whole", () => {
  expect(finds("the hydraulic pump", "hydrau-\nlic")).toBe(true);
});

test("an older version's terms are brought to this one's, and keep what they had", () => {
  const chunk = {
    text: "Die Frau Müller ist nicht da und das 10mm Rohr auch",
    heading: ["Teil"],
    filename: "rohr.txt",
  };
  const now = encodeTerms({ ...chunk, title: "Handbuch" });
  const { hashes, frequencies, length } = unpackTerms(now);
  // As version 1: without what it did not know, but with the words of the title.
  const known = new Set([...unpackTerms(encodeTerms({ ...chunk, heading: [], title: "" })).hashes]);
  const weights = new Map([...hashes].flatMap((hash, i) => (known.has(hash) ? [] : [[hash, frequencies[i] ?? 1]])));
  const older = packTerms({ weights, length, sequence: [], windows: 1 });
  older[0] = 1;
  const upgraded = unpackTerms(upgradeTerms(older, { ...chunk, title: "" }));
  expect(upgraded).toMatchObject({ version: ANALYZER_VERSION, length });
  expect(new Set(upgraded.hashes)).toEqual(new Set(hashes));
  expect(upgradeTerms(now, { ...chunk, title: "" })).toBe(now);
});

test("other spellings do not make a text longer, and add little to what is stored", () => {
  const { length, hashes } = unpackTerms(encodeTerms({ text: "Müller 10mm 🚀🚀🚀", heading: [], title: "" }));
  expect(length).toBe(termsOf("Müller 10mm 🚀🚀🚀").length);
  expect(hashes.length).toBeLessThan(14);
  expect(spellingsOf("a3f5c9e1b2d4 c0ffee1234ab9876")).toEqual([]);
});

test("no text and no query is too odd to be analysed", () => {
  const random = seededRandom(4);
  const alphabet = [..."aZäİßеё9٣५。-._,'’/() +#@&§🚀🇩🇪\u0301\u05b6ｶ東กับ가나\n\ud83d"];
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: random.below(24) }, () => random.pick(alphabet)).join("");
    encodeTerms({ text, heading: [text], title: text, filename: text });
    for (const { hash, count } of queryTerms(text)) expect(Number.isInteger(hash) && count > 0).toBe(true);
  }
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

test("nor do hostile numbers and signs", () => {
  const started = performance.now();
  for (const piece of ["1 ", "1,234,567", "(1) ", "DE89 3704 ", "a1", "1.1-", "0x1", "🚀", "é", "1/1/2024 "]) {
    const { hashes } = unpackTerms(
      encodeTerms({ text: piece.repeat(10_000), heading: [], title: piece, filename: piece }),
    );
    expect(hashes.length).toBeLessThan(50_000);
    expect(queryTerms(piece.repeat(10_000)).length).toBeLessThan(50_000);
  }
  expect(performance.now() - started).toBeLessThan(15_000);
});

test.each([
  ["digits", "1", ""],
  ["digits, and a point that parts nothing", "1", ".x 1"],
  ["digits, and half a date", "1", "-11-1 1"],
  ["parts of a compound", "a.", ""],
  ["humps", "Ab", ""],
  ["characters that are many in another form", "\ufdfa", ""],
])("a word of nothing but %s takes no longer the longer it is", (_, unit, end) => {
  const took = (text: string) => {
    const startedAt = performance.now();
    queryTerms(text);
    encodeTerms({ text: text.slice(0, 65_536), heading: [], title: "" });
    return performance.now() - startedAt;
  };
  took(unit.repeat(100));
  // Where each character is compared with all others these are four thousand million steps.
  expect(took(unit.repeat(65_536 / unit.normalize("NFKC").length) + end)).toBeLessThan(1500);
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
])("%s is told apart", (_, text, english) => expect(languageOf(text).isEnglish).toBe(english));

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

test("a text of ASCII has the terms that it has beside other letters", () => {
  const random = seededRandom(7);
  const pieces = "a b Z word camelCase 1 12 345 1,234 , . _ ' - @ & + ++ # x ? $ % 7 e-mail x_y v1.2 C# it's".split(
    " ",
  );
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: 12 }, () => random.pick(pieces)).join(random.pick(["", " ", "\n"]));
    for (const forms of ["english", "other"] as const)
      expect([text, ...termsOf(text, forms), "\u043e"]).toEqual([text, ...termsOf(`${text} \u043e`, forms)]);
  }
});
