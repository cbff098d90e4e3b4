import { describe, expect, test } from "bun:test";
import { waitFor } from "../../helpers/wait.ts";
import { bruteForce, recall } from "../corpus.ts";
import { httpAnswer } from "../connection.ts";
import { attributesAt, conditionOf, K, keeps, makeData, makeQueries, SHARES, vectorOf } from "./engine.ts";
import { execute, firstColumn, postgresAnswer, startup } from "./postgres-wire.ts";
import { memoryOfTree, treeOf } from "./processes.ts";
import { figuresOf, ratioOf } from "./searches.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array | undefined) => new TextDecoder().decode(body);

describe("answers over HTTP", () => {
  test("one with a length is whole when all of it is there", () => {
    const answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    expect(httpAnswer(bytes(answer.slice(0, -1)))).toBeNull();
    expect(text(httpAnswer(bytes(answer))?.body)).toBe("hello");
  });

  test("one in chunks is whole with its last chunk", () => {
    const answer = "HTTP/1.1 201 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
    for (let end = 0; end < answer.length; end++) expect(httpAnswer(bytes(answer.slice(0, end)))).toBeNull();
    const whole = httpAnswer(bytes(answer));
    expect([whole?.status, text(whole?.body)]).toEqual([201, "hello world"]);
  });
});

describe("PostgreSQL's protocol", () => {
  const message = (type: string, content: Buffer) => {
    const head = Buffer.alloc(5);
    head.write(type, "latin1");
    head.writeInt32BE(content.length + 4, 1);
    return Buffer.concat([head, content]);
  };
  const row = (...columns: string[]) => {
    const count = Buffer.alloc(2);
    count.writeInt16BE(columns.length);
    const cells = columns.map((column) => {
      const length = Buffer.alloc(4);
      length.writeInt32BE(column.length);
      return Buffer.concat([length, Buffer.from(column)]);
    });
    return message("D", Buffer.concat([count, ...cells]));
  };
  const done = message("Z", Buffer.from("I"));

  test("an answer ends with ReadyForQuery, and rows give their first column", () => {
    const answer = Buffer.concat([message("2", Buffer.of()), row("17", "Z is here"), row("4", ""), done]);
    for (let end = 0; end < answer.length; end++) expect(postgresAnswer(answer.subarray(0, end))).toBeNull();
    expect(postgresAnswer(answer)?.status).toBe(200);
    expect(firstColumn(answer)).toEqual(["17", "4"]);
  });

  test("an error among the messages is a failure", () => {
    expect(postgresAnswer(Buffer.concat([message("E", Buffer.from("no\0")), done]))?.status).toBe(500);
  });

  test("a session and an execution are framed as the server reads them", () => {
    const session = startup("bench", "postgres", "-c a=b");
    expect(session.readInt32BE(0)).toBe(session.length);
    expect(session.readInt32BE(4)).toBe(3 << 16);
    expect(session.toString("latin1", 8)).toBe("user\0bench\0database\0postgres\0options\0-c a=b\0\0");
    const types: string[] = [];
    const sent = execute("search", "[1,2]");
    for (let at = 0; at < sent.length; at += 1 + sent.readInt32BE(at + 1)) types.push(String.fromCharCode(sent[at]!));
    expect(types.join("")).toBe("BES");
  });
});

describe("the data", () => {
  test("a filter keeps what its condition says, and as much as its name says", () => {
    const count = 2000;
    for (const share of SHARES) {
      const kept = Array.from({ length: count }, (_, at) => at).filter((at) => keeps(share, at));
      const condition = conditionOf(share);
      expect(kept.every((at) => condition === null || attributesAt(at)[condition.key] === condition.value)).toBe(true);
      expect(kept.length / count).toBe({ all: 1, "10 %": 0.1, "1 %": 0.01 }[share]);
    }
  });

  test("it is the same each time, queries are none of it, and each has neighbours", () => {
    const [data, again] = [makeData(3, 300), makeData(3, 300)];
    expect(again).toEqual(data);
    const queries = makeQueries(3, data, 5);
    for (const query of queries) {
      const exact = bruteForce(data.flat, query, K);
      expect(exact).toHaveLength(K);
      expect(vectorOf(data, exact[0]!)).not.toEqual(query);
      expect(recall(exact.slice(0, 5), exact)).toBe(0.5);
      expect(Math.hypot(...query)).toBeCloseTo(1, 4);
    }
  });
});

describe("figures", () => {
  const ours = { p50: [2, 4], p99: [8, 8], perSecond: [100, 100] };
  const theirs = { p50: [1, 2], p99: [2, 2], perSecond: [300, 300] };

  test("a ratio above one says that Lectern is slower: of latency on one connection, of throughput on several", () => {
    const one = figuresOf({ trial: "one", clients: 1, share: "all" }, theirs, ours);
    expect([one["ratio"], one["low"], one["high"], one["p99_ratio"]]).toEqual([2, 2, 2, 4]);
    const many = figuresOf({ trial: "many", clients: 16, share: "all" }, theirs, ours);
    expect([many["ratio"], many["per_s"]]).toEqual([3, 300]);
  });

  test("without Lectern's own figures there is no ratio", () => {
    expect(figuresOf({ trial: "one", clients: 1, share: "all" }, theirs, undefined)["ratio"]).toBeNull();
    expect(ratioOf([])).toEqual({ ratio: null, low: null, high: null });
  });

  test("the memory of a process counts that of those it started", async () => {
    const child = Bun.spawn(["sh", "-c", "sleep 60 & wait"], { stdout: "ignore" });
    try {
      await waitFor("its child runs", () => treeOf(child.pid).length === 2 || undefined);
      const alone = memoryOfTree(treeOf(child.pid)[1]!);
      const all = memoryOfTree(child.pid);
      expect(alone.residentBytes).toBeGreaterThan(0);
      expect(all.residentBytes).toBeGreaterThan(alone.residentBytes);
      expect(all.anonymousBytes).toBeLessThanOrEqual(all.residentBytes);
    } finally {
      for (const pid of treeOf(child.pid)) process.kill(pid, "SIGKILL");
      await child.exited;
    }
  });
});
