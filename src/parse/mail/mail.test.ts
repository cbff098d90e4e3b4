import { describe, expect, test } from "bun:test";

import { read, textOf } from "../../../test/fixtures/parse/read.ts";
import { unwrapFlowed } from "./flowed.ts";

const HEAD = "From: a@example.org\r\nTo: b@example.org\r\nSubject: X\r\nMIME-Version: 1.0\r\n";

async function bodyOf(rest: string): Promise<string> {
  return (await textOf(HEAD + rest, "a.eml")).split("\n\n").slice(2).join("\n\n");
}

describe("flowed text", () => {
  test.each([
    [
      "a long line that was \nwrapped softly by \nprograms.\n\nNext",
      "a long line that was wrapped softly by programs.\n\nNext",
    ],
    ["one \ntwo\nthree", "one two\nthree"],
    ["> quoted and \n> wrapped \n>> deeper \nown \nwords", "> quoted and wrapped\n>> deeper\nown words"],
    [" >no quotation\n From here", ">no quotation\nFrom here"],
    ["text \n-- \nSig", "text\n--\nSig"],
    ["ends with a blank ", "ends with a blank"],
  ])("%j is %j", (raw, text) => {
    expect(unwrapFlowed(raw, false)).toBe(text);
  });

  test("without the blanks at line ends where they are no part of it", () => {
    expect(unwrapFlowed("東京 \n都の \n案内 \n\na  \nb", true)).toBe("東京都の案内\n\na b");
  });

  test("is unwrapped where the message says so, and nowhere else", async () => {
    const body = "This is a \r\nline.\r\n";
    expect(await bodyOf(`Content-Type: text/plain; charset=utf-8; format=flowed\r\n\r\n${body}`)).toBe(
      "This is a line.",
    );
    expect(await bodyOf(`Content-Type: text/plain; Format=Flowed; DelSp=Yes\r\n\r\n${body}`)).toBe("This is aline.");
    expect(await bodyOf(`Content-Type: text/plain\r\n\r\n${body}`)).toBe("This is a \nline.");
  });
});

describe("of alternatives", () => {
  const alternatives = (plain: string, html: string): string =>
    `Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${plain}\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n${html}\r\n--b--\r\n`;
  const invoice = "<p>The invoice is 500 EUR, due on 1 May, for delivery 4711</p>";
  const cases: [name: string, plain: string, html: string, chosen: string][] = [
    [
      "a plain text that points to the browser gives way",
      "Please view this email in a browser.",
      "<p>REALCONTENT the invoice is 500 EUR</p>",
      "REALCONTENT the invoice is 500 EUR",
    ],
    [
      "so does one in another language",
      "Ihr Programm kann diese Nachricht nicht anzeigen.",
      invoice,
      "The invoice is 500 EUR, due on 1 May, for delivery 4711",
    ],
    [
      "so does one that is an address",
      "https://a.example/view?id=1234567890",
      invoice,
      "The invoice is 500 EUR, due on 1 May, for delivery 4711",
    ],
    ["so does an empty one", " ", "<p>Hi</p>", "Hi"],
    [
      "a plain text that says the same stays",
      "The invoice is 500 EUR, due on 1 May, for delivery 4711.",
      invoice,
      "The invoice is 500 EUR, due on 1 May, for delivery 4711.",
    ],
    [
      "so does one that says more",
      "Dear Ann, the invoice is 500 EUR, due on 1 May, for delivery 4711. Regards, Bob",
      invoice,
      "Dear Ann, the invoice is 500 EUR, due on 1 May, for delivery 4711. Regards, Bob",
    ],
    ["so does one beside an empty page", "Some words here.", "<img src=x>", "Some words here."],
  ];
  for (const [name, plain, html, chosen] of cases) {
    test(name, async () => {
      expect(await bodyOf(alternatives(plain, html))).toBe(chosen);
    });
  }

  test("the page counts among its pictures as well", async () => {
    const related = `Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n${invoice}\r\n--r--`;
    const body = `Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nView online\r\n--b\r\n${related}\r\n--b--\r\n`;
    expect(await bodyOf(body)).toContain("delivery 4711");
  });

  test("an invitation stays beside the text", async () => {
    const invitation =
      "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nLOCATION:Room\r\n  seven\\, hall\r\nEND:VEVENT\r\nEND:VCALENDAR";
    const body = `Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nCome to our meeting\r\n--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n${invitation}\r\n--b--\r\n`;
    expect(await bodyOf(body)).toStartWith(
      "Come to our meeting\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nLOCATION:Room seven, hall",
    );
  });
});

test("a page in a message has its footer: the signature", async () => {
  expect(await bodyOf("Content-Type: text/html\r\n\r\n<div>Hi</div><footer>Ann, Sales</footer>")).toBe(
    "Hi\n\nAnn, Sales",
  );
});

test("blind copies are named", async () => {
  expect((await read(`Bcc: c@example.org\r\n${HEAD}\r\n\r\nx`, "a.eml")).text).toContain("Bcc: c@example.org");
});

test("a report has what became of the message", async () => {
  const parts =
    "--b\r\nContent-Type: text/plain\r\n\r\nfailed\r\n" +
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822;x@example.org\r\nStatus: 5.1.1\r\n--b--";
  const text = await bodyOf(`Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n${parts}`);
  expect(text).toBe("failed\n\nFinal-Recipient: rfc822;x@example.org\nStatus: 5.1.1");
});
