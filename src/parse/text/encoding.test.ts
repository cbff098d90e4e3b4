import { describe, expect, test } from "bun:test";
import iconv from "iconv-lite";

import { decodeText } from "./encoding.ts";

const RUSSIAN =
  "Однажды, в студеную зимнюю пору, я из лесу вышел; был сильный мороз. Гляжу, поднимается медленно в гору лошадка.";
const UKRAINIAN =
  "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю.";
const GERMAN =
  "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung aller staatlichen Gewalt; größere Übel wären möglich.";
const FRENCH =
  "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et doivent agir fraternellement, à l'été.";
const POLISH =
  "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i powinni postępować w duchu braterstwa.";
const CZECH =
  "Všichni lidé se rodí svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím a mají spolu jednat v duchu bratrství.";
const TURKISH =
  "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler.";
const GREEK =
  "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λογική και συνείδηση.";
const HEBREW =
  "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש ברעהו ברוח של אחוה.";
const ARABIC =
  "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا بروح الإخاء.";
const THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม";
const JAPANESE =
  "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられている。";
const CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。";
const TAIWANESE = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神互相對待。";
const KOREAN =
  "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았다.";
const LITHUANIAN =
  "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis. Jiems suteiktas protas ir sąžinė ir jie turi elgtis vienas kito atžvilgiu kaip broliai.";

const UNDECLARED: [language: string, text: string, encodings: string[]][] = [
  ["Russian", RUSSIAN, ["windows-1251", "koi8-r", "cp866", "iso-8859-5"]],
  ["Ukrainian", UKRAINIAN, ["windows-1251", "koi8-u"]],
  ["German", GERMAN, ["windows-1252", "cp850", "macroman"]],
  ["French", FRENCH, ["windows-1252", "cp850", "macroman"]],
  ["Polish", POLISH, ["windows-1250", "iso-8859-2"]],
  ["Czech", CZECH, ["windows-1250", "iso-8859-2"]],
  ["Turkish", TURKISH, ["windows-1254"]],
  ["Lithuanian", LITHUANIAN, ["windows-1257"]],
  ["Greek", GREEK, ["windows-1253", "iso-8859-7"]],
  ["Hebrew", HEBREW, ["windows-1255", "iso-8859-8"]],
  ["Arabic", ARABIC, ["windows-1256", "iso-8859-6"]],
  ["Thai", THAI, ["windows-874"]],
  ["Japanese", JAPANESE, ["shift_jis", "euc-jp"]],
  ["simplified Chinese", CHINESE, ["gb18030"]],
  ["traditional Chinese", TAIWANESE, ["big5"]],
  ["Korean", KOREAN, ["euc-kr"]],
  ["any of them", `${RUSSIAN} ${CHINESE} ${GERMAN} 😀`, ["utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be"]],
  ["ASCII", "Plain words, nothing else.", ["utf-8", "utf-16le", "utf-16be", "utf-32le"]],
];

describe("decodeText without a declaration", () => {
  for (const [language, text, encodings] of UNDECLARED) {
    for (const encoding of encodings) {
      test(`reads ${language} in ${encoding}`, () => {
        expect(decodeText(iconv.encode(text, encoding)).text).toBe(text);
      });
    }
  }

  for (const encoding of ["utf-8", "utf-16le", "utf-16be", "utf-32le", "utf-32be"]) {
    test(`reads and drops the mark of ${encoding}`, () => {
      expect(decodeText(iconv.encode(`\ufeff${CHINESE}`, encoding)).text).toBe(CHINESE);
    });
  }

  test("reads ISO-2022-JP by its escapes", () => {
    const bytes = Buffer.from("1b2442467c4b5c386c1b2842", "hex");
    expect(decodeText(bytes).text).toBe("日本語");
  });

  test.each([
    ["HZ", "This is HZ: ~{VPND~} and more ~{<:Ky2;S{#,NpJ)l6HK~}.", "This is HZ: 中文 and more 己所不欲，勿施於人."],
    ["ISO-2022-KR", "\x1b$)C\x0eGQ19>n\x0f text", "한국어 text"],
  ])("reads %s by its marks", (_name, raw, text) => {
    expect(decodeText(Buffer.from(raw, "latin1"))).toMatchObject({ text, warnings: [] });
  });

  test("takes a tilde and a brace for what they are", () => {
    const text = "if (a ~{b~} c) { ~/.profile }";
    expect(decodeText(Buffer.from(text)).text).toBe(text);
  });

  test.each([
    ["simplified Chinese", CHINESE],
    ["Japanese", JAPANESE],
    ["Korean", KOREAN],
    ["short Russian", "Привет, мир"],
    ["Chinese in lines", CHINESE.replaceAll("。", "。\n")],
  ])("reads %s in UTF-16 without a mark", (_name, text) => {
    expect(decodeText(iconv.encode(text, "utf-16le")).text).toBe(text);
    expect(decodeText(iconv.encode(text, "utf-16be")).text).toBe(text);
  });

  test("does not take plain words for UTF-16", () => {
    for (const text of ["Bush hid the facts", "this app can break", "hhhh hhh hhh hhhhh"])
      expect(decodeText(Buffer.from(text)).text).toBe(text);
  });

  test("drops a mark of UTF-8 that lies, and says so", () => {
    const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), iconv.encode(GERMAN, "windows-1252")]);
    const decoded = decodeText(bytes);
    expect(decoded.text).toBe(GERMAN);
    expect(decoded.warnings).toEqual(["The declared text encoding utf-8 does not fit; it was read as windows-1252."]);
  });

  test("reads EBCDIC text and says so", () => {
    const text = "This is a report from a mainframe with some lines of text in it.";
    const codes: Record<string, number> = { " ": 0x40, ".": 0x4b };
    const bytes = Uint8Array.from(text, (character) => codes[character] ?? ebcdicLetter(character));
    const decoded = decodeText(bytes);
    expect(decoded.text).toBe(text);
    expect(decoded.warnings).toEqual(["The text encoding is not declared; it was read as EBCDIC (code page 037)."]);
  });

  test("keeps nearly sound UTF-8 and counts what is wrong", () => {
    const bytes = Buffer.concat([Buffer.from(`${RUSSIAN} ${FRENCH}`), Buffer.from([0xff, 0x20, 0xc3])]);
    const decoded = decodeText(bytes);
    expect(decoded.encoding).toBe("utf-8");
    expect(decoded.text).toStartWith(RUSSIAN);
    expect(decoded.warnings).toEqual(["2 bytes are not valid UTF-8; each was replaced by the replacement character."]);
  });

  test("says when it is uncertain", () => {
    const bytes = Uint8Array.from({ length: 400 }, (_, i) => 0xa0 + ((i * 37) % 96));
    expect(decodeText(bytes).warnings[0]).toContain("uncertain");
  });

  test.each([
    ["a word of cp850", "frühstücken", "cp850"],
    ["a line of cp437", "Nach der Prüfung: Äpfel", "cp437"],
    ["a line of cp850", "Les règles de l'été, déjà connues", "cp850"],
    ["a word of Mac text", "élèves", "macroman"],
    ["a line of cp852", "Těšíme se", "cp852"],
  ])("either reads %s right or says that it is uncertain", (_name, text, encoding) => {
    const decoded = decodeText(iconv.encode(text, encoding));
    if (decoded.text !== text) expect(decoded.warnings.join()).toContain("uncertain");
  });

  test.each([
    ["Latin-1", "Die Prüfung läuft fünf Tage.", "windows-1252"],
    ["Cyrillic", "Договор вступает в силу", "windows-1251"],
  ])("is sure of a line of common %s text", (_name, text, encoding) => {
    expect(decodeText(iconv.encode(text, encoding))).toMatchObject({ text, warnings: [] });
  });

  test("ends lines with a line feed and removes NUL", () => {
    const decoded = decodeText(Buffer.from("a\r\nb\rc\n\0d"));
    expect(decoded.text).toBe("a\nb\nc\nd");
    expect(decoded.warnings).toEqual(["NUL characters were removed from the text."]);
  });
});

describe("decodeText of two encodings in one file", () => {
  const latin = (text: string): Buffer => iconv.encode(text, "windows-1252");
  const mixed = (...parts: Uint8Array[]): string => decodeText(Buffer.concat(parts)).text;

  test("reads each line in its own, and says so", () => {
    const bytes = Buffer.concat([Buffer.from("Müller war hier\n"), latin("Café Größe\n")]);
    expect(decodeText(bytes)).toEqual({
      text: "Müller war hier\nCafé Größe\n",
      encoding: "utf-8",
      doubtful: false,
      warnings: ["The text is in two encodings: 1 line is not UTF-8 and read as windows-1252."],
    });
  });

  test("whichever of both is rarer, and with a mark", () => {
    const log = Buffer.from("2024 INFO Müller\n".repeat(50));
    expect(mixed(log, latin("2024 INFO Grüße\n"))).toEndWith("INFO Grüße\n");
    expect(mixed(latin("Grüße\n"), log, latin("Äpfel"))).toEndWith("Müller\nÄpfel");
    expect(mixed(Buffer.from("\ufeffМосква\n"), latin("Grüße\n"))).toBe("Москва\nGrüße\n");
    expect(mixed(Buffer.from(`${FRENCH}\n`), iconv.encode(RUSSIAN, "windows-1251"))).toBe(`${FRENCH}\n${RUSSIAN}`);
  });

  test("does not take rubbish in sound text for letters", () => {
    const bytes = Buffer.concat([Buffer.from(`${FRENCH}\n`), Buffer.from([0x3a, 0x20, 0xff, 0xfe, 0xc3, 0x28])]);
    expect(decodeText(bytes).warnings[0]).toContain("not valid UTF-8");
  });
});

describe("decodeText with a declaration", () => {
  test("follows it where a guess could not know", () => {
    expect(decodeText(iconv.encode("Škoda", "iso-8859-2"), "iso-8859-2").text).toBe("Škoda");
    expect(decodeText(iconv.encode("naïve", "windows-1252"), "latin1").text).toBe("naïve");
  });

  test("prefers sound UTF-8 to a lying declaration", () => {
    expect(decodeText(Buffer.from(RUSSIAN), "iso-8859-1").text).toBe(RUSSIAN);
  });

  test("does not believe UTF-8 where the bytes are not", () => {
    const decoded = decodeText(iconv.encode(ARABIC, "windows-1256"), "utf-8");
    expect(decoded.text).toBe(ARABIC);
    expect(decoded.warnings).toEqual(["The declared text encoding utf-8 does not fit; it was read as windows-1256."]);
  });

  test("does not believe Latin-1 where the text is plainly Russian", () => {
    const decoded = decodeText(iconv.encode(RUSSIAN, "windows-1251"), "iso-8859-1");
    expect(decoded.text).toBe(RUSSIAN);
    expect(decoded.warnings).toHaveLength(1);
  });

  test("reads UTF-7 and short EBCDIC where they are declared", () => {
    expect(decodeText(Buffer.from("Hello +ZeVnLIqe- world"), "utf-7").text).toBe("Hello 日本語 world");
    const bytes = Buffer.from("c8859393964b40e38889a240a385a7a34b", "hex");
    expect(decodeText(bytes, "ibm500")).toMatchObject({ text: "Hello. This text.", warnings: [] });
    expect(decodeText(iconv.encode(GERMAN, "windows-1252"), "ibm500").text).toBe(GERMAN);
  });

  test("ignores a name that nobody knows", () => {
    expect(decodeText(iconv.encode(RUSSIAN, "koi8-r"), "x-no-such-thing").text).toBe(RUSSIAN);
  });
});

function ebcdicLetter(character: string): number {
  const at = "abcdefghijklmnopqrstuvwxyz".indexOf(character.toLowerCase());
  const low = at < 9 ? 0x81 + at : at < 18 ? 0x91 + at - 9 : 0xa2 + at - 18;
  return character === character.toLowerCase() ? low : low + 0x40;
}
