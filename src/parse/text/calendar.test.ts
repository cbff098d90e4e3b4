import { describe, expect, test } from "bun:test";

import { read, textOf } from "../../../test/fixtures/parse/read.ts";

describe("iCalendar", () => {
  test("has its lines whole and decoded, an event a record", async () => {
    const event = (summary: string): string => `BEGIN:VEVENT\r\nSUMMARY:${summary}\r\nEND:VEVENT\r\n`;
    const folded = "maintenance of the compr\r\n essor\\, hall\r\n\t four\\nkeys\\; C:\\\\x";
    const document = await read(`BEGIN:VCALENDAR\r\n${event(folded)}${event("b")}END:VCALENDAR\r\n`, "a.ics");
    expect(document.kind).toBe("calendar");
    expect(document.text).toContain("SUMMARY:maintenance of the compressor, hall four\nkeys; C:\\x\nEND:VEVENT");
    expect(document.breaks.offsets).toHaveLength(2);
  });

  test("may be folded amid a character", async () => {
    const bytes = Buffer.from("BEGIN:VCALENDAR\r\nSUMMARY:Gr\u00fc\u00dfe\r\nEND:VCALENDAR\r\n");
    const at = bytes.indexOf(0xbc);
    const folded = Buffer.concat([bytes.subarray(0, at), Buffer.from("\r\n "), bytes.subarray(at)]);
    expect(await textOf(folded, "a.ics")).toContain("SUMMARY:Grüße\n");
  });
});

describe("vCard", () => {
  test("has quoted-printable values decoded in their charset, over several lines", async () => {
    const card =
      "BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen M=C3=BC=\r\nller\r\n" +
      "N;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller;J=FCrgen\r\nNOTE:a\\, b\r\nEND:VCARD\r\n";
    expect(await textOf(card, "contacts")).toBe(
      "BEGIN:VCARD\nVERSION:2.1\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Jürgen Müller\n" +
        "N;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:Müller;Jürgen\nNOTE:a, b\nEND:VCARD",
    );
  });

  test("has no pictures", async () => {
    const card =
      "BEGIN:VCARD\nFN:Ann\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\n SkZJRg\nitem1.LOGO:data:image/png;base64,AAAA\nEND:VCARD\n";
    expect(await textOf(card, "a.vcf")).toBe("BEGIN:VCARD\nFN:Ann\nEND:VCARD");
  });
});

test("vCard may name quoted-printable alone", async () => {
  const card = "BEGIN:VCARD\nVERSION:2.1\nN;QUOTED-PRINTABLE;CHARSET=ISO-8859-1:M=FCller\nEND:VCARD\n";
  expect(await textOf(card, "a.vcf")).toContain(":Müller\n");
});
