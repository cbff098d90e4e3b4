/**
 * What documents that stand beside the checkout in development must give. They may not be passed on; the corpus of the
 * project's own (test/fixtures/corpus) holds the same kinds.
 */
import type { ReadDocument } from "../helpers/corpus.ts";

const OWNERSHIP = [
  "What Is Ownership?",
  "_Ownership_ is a set of rules that govern how a Rust program manages memory.",
];

export const READ: Readonly<Record<string, ReadDocument>> = {
  "ArabicCIDTrueType.pdf": { kind: "pdf", pages: 1, has: ["انواع الخطوط العربية"] },
  "PDFBOX-3148-2-fuzzed.pdf": { kind: "pdf", has: ["multiline: 1"] },
  "XSSFSheet.java": {
    kind: "code",
    has: ["Licensed to the Apache Software Foundation", "public class XSSFSheet extends POIXMLDocumentPart"],
    headings: ["public class XSSFSheet extends POIXMLDocumentPart implements Sheet, OoxmlSheetExtensions"],
  },
  "about_Preference_Variables.md": {
    kind: "markdown",
    title: "about_Preference_Variables",
    has: ["PowerShell includes a set of variables", "$ConfirmPreference"],
    headings: ["about_Preference_Variables"],
  },
  "alterman_security.pptx": {
    kind: "pptx",
    pages: 23,
    page: 1,
    title: "Government-University Identity Management Opportunities",
    has: ["Peter Alterman, Ph.D.", "<infinite do loop>", "Foundational Assumption"],
    author: "Peter Alterman",
  },
  "annotation-text-widget.pdf": {
    kind: "pdf",
    has: [
      "Single line, unlimited length",
      "Single line, unlimited length: Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
    ],
  },
  "attachment.pdf": { kind: "pdf", has: ["This document contains one attachment, `foo.txt`, with a size of 9 bytes."] },
  "bomb_giant.pdf": { kind: "pdf", has: ["GIANT JBIG2 BOMB"] },
  "bounded.rs": {
    kind: "code",
    has: ["pub struct Sender<T>", "impl<T> Receiver<T>"],
    headings: ["pub struct Sender<T>"],
  },
  "bug59058.docx": {
    kind: "docx",
    has: ["Year | New Cases - SEER 9 | New Cases - SEER 13 | Deaths - US", "1975 | 105.1 | - | 31.4"],
    author: "Michael Green",
  },
  "cn-中文.xml": {
    kind: "xml",
    has: ["Nikolai Lobachevsky", "你好，世界", "Hello world...", "你好世界"],
    hasNot: ["Licensed"],
  },
  "copy_paste_ligatures.pdf": { kind: "pdf", has: ["abcdeffffiflffiffl"], hasNot: ["ﬃ"] },
  "edge-cp1251-russian.txt": {
    kind: "text",
    encoding: "windows-1251",
    has: ["Защита Пэнтерс уступила всего 308 очков, заняв шестое место в лиге"],
  },
  "edge-docx-named.pdf": { kind: "docx", has: ["Understanding Ownership", "Ownership is Rust’s most unique feature"] },
  "edge-gb18030-chinese.txt": {
    kind: "text",
    encoding: "gb18030",
    has: ["黑豹队的防守只丢了 308分，在联赛中排名第六"],
  },
  "edge-invalid-utf8.md": {
    kind: "markdown",
    has: OWNERSHIP,
    warning: "4 bytes are not valid UTF-8; each was replaced by the replacement character.",
  },
  "edge-no-spaces.txt": { kind: "text", has: ["##WhatIsOwnership?_Ownership_isasetofrules"] },
  "edge-noextension": { kind: "markdown", has: OWNERSHIP, headings: ["What Is Ownership?"] },
  "edge-nul-bytes.txt": { kind: "text", has: OWNERSHIP, warning: "NUL characters were removed from the text." },
  "edge-pdf-named.txt": {
    kind: "pdf",
    pages: 1,
    title: "Apache Tika - Apache Tika",
    has: [
      "Tika - Content Analysis Toolkit",
      "Apache Tika is a toolkit for detecting and extracting metadata and structured text content from various documents using existing parser libraries.",
    ],
    author: "Bertrand Delacrétaz",
  },
  "edge-utf16be-nobom.txt": { kind: "markdown", encoding: "utf-16be", has: OWNERSHIP },
  "edge-utf16le-bom.txt": { kind: "markdown", encoding: "utf-16le", has: OWNERSHIP },
  "edge-utf32.txt": { kind: "markdown", encoding: "utf-32le", has: OWNERSHIP },
  "edge-utf8-bom.md": { kind: "markdown", encoding: "utf-8", has: OWNERSHIP, hasNot: ["\ufeff"] },
  "engine.go": {
    kind: "code",
    has: ["package promql", "func NewEngine(opts EngineOpts) *Engine"],
    headings: ["func NewEngine(opts EngineOpts) *Engine"],
  },
  "german-umlaut-r.pdf": { kind: "pdf", has: ["ö„üä“Äß"] },
  "heading123.docx": {
    kind: "docx",
    has: ["First paragraph", "Lorem ipsum dolor sit amet, consectetur adipiscing elit."],
    headings: ["First paragraph", "Second paragraph", "Third paragraph"],
  },
  "hello_world_rotated.pdf": {
    kind: "pdf",
    pages: 5,
    page: 1,
    has: ["Hello world Hello world Hello world Hello world Hello world"],
  },
  "helloworld-bad.pdf": { kind: "pdf", has: ["Hello, world!"] },
  "issue6127.pdf": { kind: "pdf", pages: 3, has: ["DEMANDE DE RATTACHEMENT A UN ASSURE", "VOLET 1"] },
  "multi-language.txt": { kind: "text", has: ["English: ABC Category", "Portuguese: ABC Category"] },
  "noembed-sjis.pdf": { kind: "pdf", pages: 1, has: ["あいうえお"] },
  "resume.html": {
    kind: "html",
    has: ["Предлагаем Вам ознакомиться со списком зарегистрированных компаний"],
    hasNot: ["background-color"],
  },
  "rotation.pdf": {
    kind: "pdf",
    pages: 2,
    page: 1,
    has: ["This is my first page with normal layout. This is the second line on the page.", "This is my second page."],
  },
  "russian.cp866.txt": {
    kind: "text",
    encoding: "ibm866",
    has: ["Однажды, в студеную зимнюю пору, Я из лесу вышел; был сильный мороз."],
  },
  "rustbook-chapter04.docx": {
    kind: "docx",
    has: ["Understanding Ownership", "Ownership is Rust’s most unique feature"],
    headings: ["Understanding Ownership", "What Is Ownership?", "Ownership Rules"],
    author: "Eva Morrow",
  },
  "session.py": {
    kind: "code",
    has: ["class Session(_SessionClassMethods, EventTarget):"],
    headings: ["class Session(_SessionClassMethods, EventTarget)"],
  },
  "stress004.docx": { kind: "docx", title: "کلیدهای تدبر قرآن و پیروزی در زندگی", has: ["کلید اول: دوست داشتن قرآن"] },
  "stress022.pptx": {
    kind: "pptx",
    pages: 45,
    has: ["Guide du bachelier 2018", "Etablissements", "Les crédits sont capitalisables"],
  },
  "testArabicMisleadingCharset.html": {
    kind: "html",
    title: "Test Arabic",
    encoding: "windows-1256",
    has: ["في قرية من القرى كان هناك رجل حكيم يعرف كل شيء عن الحياة"],
    warning: "The declared text encoding UTF-8 does not fit; it was read as windows-1256.",
  },
  "testBrokenHTMLContainingRFC822.html": {
    kind: "html",
    has: ["A heading", "Some text", "-----Original Message-----", "A whole bunch of text."],
    headings: ["A heading"],
  },
  "testHTML_charset_utf16le.html": { kind: "html", title: "Title", has: ["This is a sample text"] },
  "testPDFVarious.pdf": {
    kind: "pdf",
    pages: 2,
    has: [
      "This is the header text.",
      "Bold italic underline superscript subscript",
      "Row 1 Col 1",
      "ゾルゲと尾崎、淡々と最期",
    ],
    author: "Michael McCandless",
  },
  "testPDF_protected.pdf": {
    kind: "pdf",
    pages: 41,
    has: ["RETHINKING THE FINANCIAL NETWORK", "Andrew G Haldane"],
    author: "The Bank of England",
  },
  "testPPT.ppt": {
    kind: "ppt",
    pages: 1,
    has: ["Sample Powerpoint Slide", "Created with Microsoft Powerpoint X for Mac"],
    headings: ["Sample Powerpoint Slide"],
  },
  "testPPT_comment.pptx": {
    kind: "pptx",
    has: [
      "subtitle",
      "[Comment by Allison, Timothy B.: I'm afraid I'm going to have to ask you to add some content to this tps deck]",
    ],
  },
  "testPPT_various.pptx": {
    kind: "pptx",
    pages: 1,
    has: [
      "Row 1 Col 1 | Row 1 Col 2 | Row 1 Col 3",
      "Here is a text box",
      "ゾルゲと尾崎、淡々と最期",
      "This is a footnote.",
    ],
  },
  "testRTFJapanese.rtf": {
    kind: "rtf",
    title: "ゾルゲと尾崎、淡々と最期",
    has: ["ゾルゲの処刑記録、", "社会運動史を研究する渡部富哉さん（東京都三鷹市）が今年８月", "(10/17 15:53)"],
  },
  "testRTFVarious.rtf": {
    kind: "rtf",
    has: [
      "Footnote appears here [Footnote: This is a footnote.]",
      "Row 1 Col 1 | Row 1 Col 2 | Row 1 Col 3 Row 2 Col 1",
      "ゾルゲと尾崎、淡々と最期",
      "𐌲𐌿𐍄𐌹𐍃𐌺",
    ],
    hasNot: ["shapeType", "Normal;"],
  },
  "testThunderbirdEml.eml": {
    kind: "eml",
    title: "JUnit test message",
    has: ['From: "Vladimir L." <vladimir_l@example.com>', "Dear Vladimir"],
    hasNot: ["X-Provags-ID"],
  },
  "testWORD.doc": {
    kind: "doc",
    title: "Sample Word Document",
    has: [
      "Sample Word Document Title",
      "This is a table | Nested table",
      "Apache Tika: http://tika.apache.org/ Tika",
      "That’s it!",
    ],
    hasNot: ["HYPERLINK"],
    headings: ["Sample Word Document Title", "Heading Level 1", "Heading Level 2"],
  },
  "testWORD_2006ml.docx": {
    kind: "docx",
    title: "My Document Title",
    has: ["The quick brown fox jumped over the lazy brown dog.", "This is text within a shape"],
    hasNot: ["PAGEREF"],
    headings: ["Heading1"],
  },
  "testWORD_charts.docx": { kind: "docx", has: ["wants a peach", "| NUMBER January | 5 February | 8"] },
  "testWORD_various.docx": {
    kind: "docx",
    has: [
      "Here is a text box",
      "Footnote appears here [Footnote: This is a footnote.]",
      "Row 1 Col 1 | Row 1 Col 2 | Row 1 Col 3",
      "ゾルゲと尾崎、淡々と最期",
      "𐌲𐌿𐍄𐌹𐍃𐌺",
    ],
  },
  "tika434.html": {
    kind: "html",
    title: "Finger Lakes Vacation Rental | Breezy Cove Wonderful Finger Lakes Honey!",
    has: ["Finger Lake Area on Lamoka Lake."],
  },
  "tracemonkey.pdf": {
    kind: "pdf",
    pages: 14,
    page: 1,
    title: "Trace-based Just-in-Time Type Specialization for Dynamic Languages",
    has: [
      "Dynamic languages such as JavaScript are more difficult to compile than statically typed ones. Since no concrete type information is available, traditional compilers need to emit generic code that can handle all possible type combinations at runtime.",
      "Compilers for statically typed languages rely on type information to generate efficient machine code.",
    ],
    headings: ["1. Introduction", "3. Trace Trees", "References"],
  },
  "undeclared_entity.xml": { kind: "xml", has: ["START", "An entity here&undeclared_entity; is invalid!", "END"] },
  "vertical.pdf": {
    kind: "pdf",
    pages: 3,
    has: ["あいうえお", "日本語"],
    warning: "Pages 2, 3 hold no text; scanned pages need OCR.",
  },
  "xfa_filled_imm1344e.pdf": {
    kind: "pdf",
    pages: 7,
    has: ["APPLICATION TO SPONSOR, SPONSORSHIP AGREEMENT AND UNDERTAKING"],
    hasNot: ["Please wait"],
  },
};

const ENCRYPTED = "needs a password";
const SCAN = "It seems to be a scan, which needs OCR";
const EMPTY = "The file is empty.";
const CUT = "The file is damaged or cut off";

export const REFUSED: Readonly<Record<string, string>> = {
  "GHOSTSCRIPT-698804-1-fuzzed.pdf": "the PDF has 1 page and no text in it",
  "REDHAT-1531897-0.pdf": "The PDF is damaged",
  "bug1782186.pdf": ENCRYPTED,
  "edge-empty.pdf": EMPTY,
  "edge-empty.txt": EMPTY,
  "edge-truncated.docx": CUT,
  "edge-truncated.pdf": "The PDF is damaged",
  "empty.pdf": "the PDF has 1 page and no text in it",
  "empty_protected.pdf": "the PDF has 1 page and no text in it",
  "issue15893_reduced.pdf": ENCRYPTED,
  "issue5280.pdf": SCAN,
  "poc-shared-strings.xlsx": "The file holds more text than this server accepts in one document.",
  "pr6531_1.pdf": ENCRYPTED,
  "testEXCEL_protected_passtika.xlsx": ENCRYPTED,
  "testOCR.pdf": SCAN,
  "testWORD_protected_passtika.docx": ENCRYPTED,
  "testWORD_truncated.docx": CUT,
  "testXXE.xml": "The file holds markup but no text.",
};
