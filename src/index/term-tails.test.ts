import { describe, expect, test } from "bun:test";
import { encodeTerms, queryTerms } from "./analyzer.ts";
import { KeywordIndex } from "./keyword.ts";
import { languageOf } from "./language.ts";
import { askedTails, tailTerms } from "./term-tails.ts";

const GERMAN =
  "Die Anlage wird einmal im Jahr von dem Betreiber geprüft und das Ergebnis wird in einem Bericht festgehalten.";
const DUTCH = "De aanvraag wordt door de gemeente behandeld en het besluit wordt aan de aanvrager toegezonden.";
const SWEDISH = "Ansökan behandlas av kommunen och beslutet skickas till den sökande med en förklaring som är kort.";
const DANISH = "Ansøgningen behandles af kommunen og afgørelsen sendes til ansøgeren med en forklaring.";
const NORWEGIAN = "Søknaden behandles av kommunen og vedtaket sendes til søkeren med en forklaring.";

/** The texts that a question finds, best first. */
function found(texts: readonly string[], query: string): string[] {
  const index = new KeywordIndex();
  texts.forEach((text, i) => index.add(i, encodeTerms({ text, heading: [], title: "" })));
  return [...index.search(queryTerms(query), texts.length).top.ids].map((id) => texts[id] ?? "");
}

describe("a part of a compound is found", () => {
  test.each([
    ["at its end", GERMAN, "Krankenversicherung", "Versicherung"],
    ["inside", GERMAN, "Krankenversicherungskarte", "Versicherung"],
    ["after a linking s", GERMAN, "Arbeitsvertrag", "Vertrag"],
    ["after a linking n", GERMAN, "Straßenbahnhaltestelle", "Haltestelle"],
    ["with a vowel after a linking s", GERMAN, "Aufenthaltserlaubnis", "Erlaubnis"],
    ["of four letters", GERMAN, "Krankenhaus", "Haus"],
    ["of four letters inside", GERMAN, "Krankenhausverwaltung", "Haus"],
    ["of four letters in a short word", GERMAN, "Rotwein", "Wein"],
    ["in the plural, asked for in the singular", GERMAN, "Krankenhäuser", "Haus"],
    ["in the singular, asked for in the plural", GERMAN, "Arbeitsvertrag", "Verträge"],
    ["in the genitive", GERMAN, "Arbeitsvertrags", "Vertrag"],
    ["with an umlaut, asked for transcribed", GERMAN, "Krankenhausgebäude", "Gebaeude"],
    ["transcribed, asked for with an umlaut", GERMAN, "Krankenhausgebaeude", "Gebäude"],
    ["with ß, asked for with ss", GERMAN, "Hauptstraße", "Strasse"],
    ["in capitals", GERMAN, "KRANKENVERSICHERUNG", "versicherung"],
    ["in a part of a hyphenated compound", GERMAN, "AOK-Versicherungskarte", "Karte"],
    ["across a soft hyphen", GERMAN, "Kranken\u00adversicherungs\u00adkarte", "Karte"],
    ["in Dutch", DUTCH, "ziektekostenverzekering", "verzekering"],
    ["in Dutch after a linking s", DUTCH, "arbeidsovereenkomst", "overeenkomst"],
    ["in Dutch, short", DUTCH, "ziekenhuis", "huis"],
    ["in Swedish", SWEDISH, "anställningsavtal", "avtal"],
    ["in Swedish with an article", SWEDISH, "anställningsavtalet", "avtal"],
    ["in Swedish without its accents", SWEDISH, "sjukförsäkring", "forsakring"],
    ["in Danish", DANISH, "arbejdsløshedsforsikring", "forsikring"],
    ["in Norwegian", NORWEGIAN, "oppholdstillatelse", "tillatelse"],
  ])("%s", (_, filler, compound, query) => {
    const text = `${filler} ${compound}. ${filler}`;
    expect(found([filler, text, `${filler} ${filler}`], query)).toEqual([text]);
  });
});

test("the word itself comes before the words that it is a part of", () => {
  const texts = [`${GERMAN} Krankenversicherung.`, `${GERMAN} Versicherung.`];
  expect(found(texts, "Versicherung")).toEqual(texts.toReversed());
});

test("a heading is taken to be in the language of its text", () => {
  const index = new KeywordIndex();
  index.add(0, encodeTerms({ text: GERMAN, heading: ["Krankenversicherungskarte"], title: "Arbeitsvertrag" }));
  for (const query of ["Versicherung", "Vertrag"]) expect(index.search(queryTerms(query), 1).top.ids.length).toBe(1);
});

test.each([
  [
    "English",
    "The notwithstanding clause was a straightforward misunderstanding of the commonwealth and of the highway.",
  ],
  [
    "English with a German name",
    "The house of Frau von der Leyen is not in the Friedrichstrasse, which is a street in Berlin.",
  ],
  ["French", "Le gouvernement est dans la ville et les documents ne sont pas pour une administration."],
  ["Spanish", "El ayuntamiento de la ciudad es una institución que en los últimos años no se ha renovado."],
  ["Turkish", "Bu kitap ve defter için bir var, den da bu ne kadar daha çok olarak gibi."],
  ["source code", "const der = readCertificate(path); parse(der); store.put(der); return der;"],
])("no words are cut in %s", (_, text) => expect(languageOf(text).isCompounding).toBe(false));

test.each([GERMAN, DUTCH, SWEDISH, DANISH, NORWEGIAN, "Die Krankenversicherungskarte muss vorgelegt werden."])(
  "words are cut in: %s",
  (text) => expect(languageOf(text).isCompounding).toBe(true),
);

test("a word has few parts, however long it is", () => {
  for (const word of ["Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz", "versicherung".repeat(5)])
    expect([...tailTerms(word)].length).toBeLessThan(13);
  expect([...tailTerms("versicherung".repeat(5000))]).toEqual([]);
});

test("what endings begin with is no part", () => {
  for (const word of ["Verteidigungen", "Freiheiten", "wirtschaftlichen"])
    expect([...tailTerms(word)].filter((term) => /^t:(ung|ig|heit|lich|en)/.test(term))).toEqual([]);
});

test("words of Latin letters are asked for as parts, shorter ones and others are not", () => {
  expect([...askedTails("das Haus in Москва, 東京")]).toEqual([{ word: "haus", tail: "t:haus" }]);
});
