import { describe, expect, test } from "bun:test";

import { makeOle, u16, u32, utf16 } from "../../../test/fixtures/parse/make-ole.ts";
import { read, textOf } from "../../../test/fixtures/parse/read.ts";
import { inflateRtf } from "./msg-rtf.ts";

/** Entries of fixed size, behind `head` bytes. */
function fixed(head: number, ...entries: [type: number, id: number, low: number, high?: number][]): Uint8Array {
  return Buffer.concat([
    new Uint8Array(head),
    ...entries.map(([type, id, low, high = 0]) => Buffer.concat([u16(type), u16(id), u32(0), u32(low), u32(high)])),
  ]);
}

function recipient(folder: string, kind: number, name: string, address: string): Record<string, Uint8Array> {
  return {
    [`${folder}/__properties_version1.0`]: fixed(8, [3, 0x0c15, kind]),
    [`${folder}/__substg1.0_3001001F`]: utf16(name),
    [`${folder}/__substg1.0_39FE001F`]: utf16(address),
    [`${folder}/__substg1.0_3003001F`]: utf16("/O=EXAMPLE/CN=X"),
  };
}

const MESSAGE = {
  "__properties_version1.0": fixed(32),
  "__substg1.0_0037001F": utf16("Plan"),
  "__substg1.0_1000001F": utf16("Body"),
};

describe("an Outlook message", () => {
  test("has the names and addresses of everybody", async () => {
    const document = await read(
      makeOle({
        ...MESSAGE,
        "__substg1.0_0C1A001F": utf16("Ann"),
        "__substg1.0_0C1F001F": utf16("/O=EXAMPLE/CN=ANN"),
        "__substg1.0_5D01001F": utf16("ann@example.org"),
        "__substg1.0_0E04001F": utf16("Bob; Cleo"),
        ...recipient("__recip_version1.0_#00000000", 1, "Bob Müller", "bob@example.org"),
        ...recipient("__recip_version1.0_#00000001", 1, "cleo@example.org", "cleo@example.org"),
        ...recipient("__recip_version1.0_#00000002", 2, "'Dan'", "dan@example.org"),
        ...recipient("__recip_version1.0_#00000003", 0x10000003, "Eve", ""),
      }),
      "a.msg",
    );
    expect(document.text).toBe(
      "Plan\n\nFrom: Ann <ann@example.org>\nTo: Bob Müller <bob@example.org>; cleo@example.org\nCc: Dan <dan@example.org>\nBcc: Eve\n\nBody",
    );
    expect(document.metadata).toMatchObject({ author: "Ann <ann@example.org>" });
  });

  test("names them by what is displayed where nothing else is known", async () => {
    const streams = {
      ...MESSAGE,
      "__substg1.0_0E04001F": utf16("Bob"),
      "__substg1.0_0E03001F": utf16("Cleo"),
      "__substg1.0_0E02001F": utf16("Dan"),
    };
    expect(await textOf(makeOle(streams), "a.msg")).toBe("Plan\n\nTo: Bob\nCc: Cleo\nBcc: Dan\n\nBody");
  });

  test("that is an appointment has place, start and end", async () => {
    const set = Buffer.from("0220060000000000c000000000000046", "hex");
    const names = [0x8208, 0x820d, 0x820e].map((number, i) => Buffer.concat([u32(number), u16(3 << 1), u16(i)]));
    const bytes = makeOle({
      ...MESSAGE,
      "__substg1.0_001A001F": utf16("IPM.Appointment"),
      "__nameid_version1.0/__substg1.0_00020102": set,
      "__nameid_version1.0/__substg1.0_00030102": Buffer.concat(names),
      "__substg1.0_8000001F": utf16("Room 7"),
      "__properties_version1.0": fixed(
        32,
        [0x40, 0x8001, 0x00dd_8000, 0x01da_9f78],
        [0x40, 0x8002, 0x10dd_8000, 0x01da_9f7f],
      ),
    });
    expect(await textOf(bytes, "a.msg")).toMatch(
      /^Plan\n\nLocation: Room 7\nStart: 2024-05-\S+Z\nEnd: 2024-05-\S+Z\n\nBody$/,
    );
  });

  test("that is an appointment without names of its own has its plain dates", async () => {
    const dates = fixed(32, [0x40, 0x60, 0x00dd_8000, 0x01da_9f78], [0x40, 0x61, 0x10dd_8000, 0x01da_9f7f]);
    const streams = {
      ...MESSAGE,
      "__substg1.0_001A001F": utf16("IPM.Schedule.Meeting.Request"),
      "__properties_version1.0": dates,
    };
    expect(await textOf(makeOle(streams), "a.msg")).toMatch(/Start: 2024-05-\S+\nEnd: 2024-05-/);
    expect(await textOf(makeOle({ ...streams, "__substg1.0_001A001F": utf16("IPM.Note") }), "a.msg")).not.toContain(
      "Start",
    );
  });

  test("whose body is rich text alone has it", async () => {
    const rtf = "{\\rtf1\\ansi Rich words\\par}";
    const plain = Buffer.concat([u32(rtf.length + 12), u32(rtf.length), u32(0x414c454d), u32(0), Buffer.from(rtf)]);
    const { "__substg1.0_1000001F": _body, ...rest } = MESSAGE;
    expect(await textOf(makeOle({ ...rest, "__substg1.0_10090102": plain }), "a.msg")).toBe("Plan\n\nRich words");
  });
});

describe("compressed rich text", () => {
  test("is unpacked by its references, also to what it has just written", () => {
    // The example of the format's own description.
    const packed = Buffer.from(
      "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0",
      "hex",
    );
    expect(Buffer.from(inflateRtf(packed, 1000)!).toString("latin1")).toBe(
      "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n",
    );
  });

  test("is bounded, whatever it promises", () => {
    const lie = Buffer.concat([u32(100), u32(0xffffffff), u32(0x75465a4c), u32(0), Buffer.alloc(20, 0xff)]);
    expect(inflateRtf(lie, 1000)!.length).toBeLessThanOrEqual(1000);
    expect(inflateRtf(Buffer.alloc(20), 1000)).toBeNull();
  });
});
