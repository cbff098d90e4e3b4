/** One suite for all remote dialects, each against a server that behaves like its provider. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { EmbedResult } from "../../src/embed/provider.ts";
import type { AddressPolicy } from "../../src/embed/remote/address.ts";
import type { RemoteModel } from "../../src/embed/remote/create.ts";
import { createRemoteProvider, probeRemoteModel } from "../../src/embed/remote/create.ts";
import type { DialectName } from "../../src/embed/remote/dialect.ts";
import type { RemoteProvider } from "../../src/embed/remote/remote-provider.ts";
import type { FakeProvider, Trouble } from "./fake-providers.ts";
import { FAKE_HOST, FAKE_KEY, startFakeProvider, tellsWait, vectorFor } from "./fake-providers.ts";

const DIALECTS: DialectName[] = ["openai", "openai-compatible", "cohere", "voyage", "mistral", "google"];
const DIMENSIONS = 24;
const never = new AbortController().signal;
const OPEN: AddressPolicy = { allowPrivate: true, offline: false };

function unit(vector: number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((x) => x / norm);
}

function expectVector(actual: ArrayLike<number> | undefined, expected: number[]): void {
  const worst = Math.max(...unit(expected).map((x, i) => Math.abs(x - (actual?.[i] ?? NaN))));
  expect(worst).toBeLessThan(1e-6);
}

function reasonOf(result: EmbedResult): string {
  return result.ok ? "ok" : result.reason;
}

for (const dialect of DIALECTS) {
  describe(dialect, () => {
    let fake: FakeProvider;
    let waits: number[] = [];
    const clock = { now: 0 };

    beforeEach(async () => {
      fake = await startFakeProvider(dialect, DIMENSIONS);
      waits = [];
      clock.now = Date.now();
    });
    afterEach(async () => await fake[Symbol.asyncDispose]());

    const access = (policy: AddressPolicy = OPEN) => ({
      policy,
      resolve: async (host: string) => (host === FAKE_HOST ? ["127.0.0.1"] : []),
    });
    const remote = (change: Partial<RemoteModel> = {}): RemoteModel => ({
      id: "test-model",
      dialect,
      model: "embed-test",
      address: fake.address,
      apiKey: FAKE_KEY,
      dimensions: DIMENSIONS,
      maxTokens: 4000,
      usdPerMillionTokens: 2,
      ...change,
    });
    const provider = (change: Partial<RemoteModel> = {}, policy: AddressPolicy = OPEN): RemoteProvider => {
      const setup = createRemoteProvider(remote(change), access(policy), {
        random: () => 0.5,
        now: () => clock.now,
        // Time passes only here.
        wait: async (ms) => {
          waits.push(ms);
          clock.now += ms;
        },
      });
      if (!setup.ok) throw new Error(setup.problem);
      return setup.provider;
    };
    const kindOf = (kind: "query" | "passage") =>
      dialect === "openai" || dialect === "openai-compatible" || dialect === "mistral" ? null : kind;

    test("gives each text its unit vector, in order, as the kind that was asked for", async () => {
      const model = provider();
      const texts = ["first text", "second", "third one", "naïve 日本語 🤗"];
      for (const kind of ["query", "passage"] as const) {
        const result = await model.embed(texts, kind, never);
        expect(reasonOf(result)).toBe("ok");
        if (!result.ok) return;
        result.texts.forEach((text, i) => {
          expect(text.windows).toBe(1);
          expect(text.tokens).toBeGreaterThan(0);
          expectVector(text.vectors, vectorFor(texts[i] ?? "", kindOf(kind), DIMENSIONS));
        });
      }
      expect(fake.requests.map((request) => request.kind)).toEqual([kindOf("query"), kindOf("passage")]);
      expect(fake.requests[0]?.host).toStartWith(`${FAKE_HOST}:`);
      expect(fake.violations).toEqual([]);
    });

    test("never asks for more texts at once than the provider takes", async () => {
      const texts = Array.from({ length: 230 }, (_, i) => `text number ${i}`);
      const result = await provider().embed(texts, "passage", never);
      expect(fake.violations).toEqual([]);
      expect(reasonOf(result)).toBe("ok");
      if (result.ok)
        result.texts.forEach((text, i) =>
          expectVector(text.vectors, vectorFor(texts[i] ?? "", kindOf("passage"), DIMENSIONS)),
        );
      expect(fake.requests.flatMap((request) => request.texts)).toEqual(texts);
    });

    test("has several requests under way, no more than are set, and pays for none twice", async () => {
      const model = provider({ limits: { requests: 3, texts: 2, backoffBaseMs: 1, backoffCapMs: 1 } });
      fake.gather = 3;
      fake.script = ["ok", "rate-limited", "ok", "rate-limited", "server-error"];
      const calls = Array.from({ length: 12 }, (_, i) => model.embed([`a ${i}`, `b ${i}`], "passage", never));
      expect(new Set((await Promise.all(calls)).map(reasonOf))).toEqual(new Set(["ok"]));
      expect(fake.mostAtOnce).toBe(3);
      expect(model.usage().texts).toBe(24);
      if (dialect !== "google") expect(model.usage().tokens).toBe(fake.tokens);
    });

    test("plans requests within its limits of texts and tokens, counting the windows of long texts", () => {
      const fitting = (change: Partial<RemoteModel>, text: string) => {
        const fits = provider(change).newRequest();
        let count = 0;
        while (count < 5000 && fits(text)) count++;
        return count;
      };
      const most = { openai: 2048, "openai-compatible": 32, cohere: 96, voyage: 128, mistral: 512, google: 100 }[
        dialect
      ];
      expect(fitting({}, "short")).toBe(most);
      expect(fitting({ limits: { texts: 10 }, maxTokens: 50 }, "word ".repeat(150))).toBe(2);
      expect(fitting({ limits: { tokens: 1000 } }, "word ".repeat(98))).toBe(10);
      // So many values of a vector are not read at once.
      expect(fitting({ dimensions: 2 ** 14 }, "short")).toBe(8);
    });

    test("accepts empty and blank texts", async () => {
      const result = await provider().embed(["", " \n", "x"], "passage", never);
      expect(result.ok ? result.texts.map((text) => text.windows) : result.detail).toEqual([1, 1, 1]);
      expect(fake.violations).toEqual([]);
    });

    test("cuts a text that is longer than the window, and one that the provider still finds too long, leaving nothing out", async () => {
      const words = Array.from({ length: 400 }, (_, i) => `word${i}`);
      fake.maxWords = 60;
      const result = await provider({ maxTokens: 300 }).embed(
        ["short", words.join(" "), "also short"],
        "passage",
        never,
      );
      expect(reasonOf(result)).toBe("ok");
      if (!result.ok) return;
      expect(result.texts.map((text) => text.windows > 3)).toEqual([false, true, false]);
      const accepted = fake.requests.flatMap((request) =>
        request.texts.every((t) => t.split(/\s+/).length <= 60) ? request.texts : [],
      );
      const seen = accepted.join(" ").split(/\s+/);
      for (const word of words) expect(seen).toContain(word);
      expectVector(result.texts[0]?.vectors, vectorFor("short", kindOf("passage"), DIMENSIONS));
      expectVector(result.texts[2]?.vectors, vectorFor("also short", kindOf("passage"), DIMENSIONS));
    });

    test("says too_long for a text that cannot be cut further", async () => {
      fake.maxWords = 0;
      expect(reasonOf(await provider().embed(["tiny"], "query", never))).toBe("too_long");
    });

    const passing: [trouble: Trouble, times: number][] = [
      ["rate-limited", 2],
      ["server-error", 3],
      ["bad-gateway", 1],
      ["truncated", 1],
      ["cut-off", 2],
      ["not-json", 1],
    ];
    for (const [trouble, times] of passing) {
      test(`tries again after ${times} x ${trouble}`, async () => {
        fake.script = Array.from({ length: times }, () => trouble);
        const model = provider();
        const result = await model.embed(["a", "b"], "passage", never);
        expect(result.ok ? "ok" : result.detail).toBe("ok");
        expect(waits.length).toBe(times);
        expect(model.usage()).toMatchObject({ requests: times + 1, retries: times, failures: 0, texts: 2 });
      });
    }

    test("pauses grow, and are at least as long as the provider asks", async () => {
      fake.script = ["server-error", "server-error", "server-error"];
      await provider().embed(["a"], "passage", never);
      expect(waits).toEqual([375, 750, 1500]);
      if (!tellsWait(dialect)) return;
      waits.length = 0;
      fake.script = ["rate-limited"];
      const model = provider({ limits: { backoffBaseMs: 1, backoffCapMs: 1 } });
      await model.embed(["a"], "passage", never);
      expect(waits.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(40);
    });

    test("an allowance that an answer reports as used up is waited for before the next request", async () => {
      if (dialect !== "openai" && dialect !== "mistral") return;
      fake.script = ["used-up"];
      const model = provider();
      await model.embed(["a"], "passage", never);
      expect(waits).toEqual([]);
      await model.embed(["b"], "passage", never);
      expect(waits).toEqual([40]);
    });

    const failing: [trouble: Trouble, reason: string, requests: number, detail: RegExp][] = [
      ["rate-limited", "overloaded", 6, /answered 429/],
      ["rate-limited-by-date", "overloaded", 1, /answered 429|limits the rate/],
      ["quota", "unavailable", 1, /quota/],
      ["server-error", "unavailable", 6, /answered 500/],
      ["unauthorised", "unavailable", 1, /401.*is the provider's key right/],
      ["not-found", "rejected", 1, /404/],
      ["redirect", "unavailable", 1, /redirects \(307\), which is not followed/],
      ["redirect-inside", "unavailable", 1, /redirects \(308\), which is not followed/],
      ["wrong-dimension", "rejected", 1, /vectors of 23 dimensions, 24 are expected/],
      ["wrong-count", "rejected", 1, /1 vectors for 2 texts/],
      ["not-numbers", "rejected", 1, /not a list of numbers|base64/],
      ["nan", "rejected", 1, /not a list of numbers|no number/],
      ["zeros", "rejected", 1, /a vector of zeros/],
      ["huge", "rejected", 1, /larger than 100000 bytes/],
      ["truncated", "unavailable", 6, /not complete JSON/],
      ["cut-off", "unavailable", 6, /connection failed/],
    ];
    for (const [trouble, reason, requests, detail] of failing) {
      test(`gives up with '${reason}' on ${trouble}`, async () => {
        if (trouble === "not-numbers" && (dialect === "openai" || dialect === "voyage")) return; // they answer base64
        fake.script = Array.from({ length: 10 }, () => trouble);
        const model = provider({ limits: { maxAnswerBytes: 100_000 } });
        const result = await model.embed(["a", "b"], "passage", never);
        expect(reasonOf(result)).toBe(reason);
        expect(result.ok ? "" : result.detail).toMatch(detail);
        expect(fake.requests.length).toBe(requests);
        expect(model.usage().failures).toBe(1);
        if (trouble === "rate-limited-by-date" && !result.ok) expect(result.retryAfterMs).toBeGreaterThan(3_000_000);
      });
    }

    test("gives up on a slow answer after its time, sooner for a query, and on an abort at once", async () => {
      fake.script = Array.from({ length: 20 }, () => "slow" as const);
      const limits = { passageTimeoutMs: 40, queryTimeoutMs: 20, passageAttempts: 2, queryAttempts: 1 };
      const slow = await provider({ limits }).embed(["a"], "passage", never);
      expect([reasonOf(slow), fake.requests.length]).toEqual(["unavailable", 2]);
      expect(slow.ok ? "" : slow.detail).toContain("no answer within 40 ms");
      expect((await provider({ limits }).embed(["a"], "query", never)).ok).toBe(false);
      expect(fake.requests.length).toBe(3);
      const controller = new AbortController();
      const aborted = provider().embed(["a"], "passage", controller.signal);
      setTimeout(() => controller.abort(), 10);
      expect(reasonOf(await aborted)).toBe("aborted");
      expect(reasonOf(await provider().embed(["a"], "passage", controller.signal))).toBe("aborted");
    });

    test("a wrong key and a wrong name are found out by a probe, which tells the dimensions otherwise", async () => {
      expect(await probeRemoteModel(remote({ dimensions: undefined }), access(), never)).toEqual({
        ok: true,
        dimensions: DIMENSIONS,
      });
      fake.script = ["unauthorised", "not-found", "not-json"];
      const reasons = [];
      for (let i = 0; i < 3; i++) reasons.push(await probeRemoteModel(remote(), access(), never));
      expect(reasons.map((result) => (result.ok ? "ok" : result.reason))).toEqual([
        "unavailable",
        "rejected",
        "unavailable",
      ]);
    });

    test("counts tokens and cost", async () => {
      const model = provider();
      await model.embed(["one two three", "four five"], "passage", never);
      const { tokens, costUsd } = model.usage();
      if (dialect === "google") expect(tokens).toBeGreaterThan(5);
      else expect(tokens).toBe(5);
      expect(costUsd).toBeCloseTo((tokens / 1e6) * 2, 12);
    });

    test("calls nothing when offline or when the address is private and that is not allowed", async () => {
      const offline = await provider({}, { allowPrivate: true, offline: true }).embed(["a"], "query", never);
      expect(offline).toMatchObject({
        ok: false,
        reason: "unavailable",
        detail: `${dialect}: outbound connections are switched off (--offline)`,
      });
      const closed = await provider({}, { allowPrivate: false, offline: false }).embed(["a"], "query", never);
      expect(closed.ok ? "" : closed.detail).toContain("private addresses are not allowed");
      expect(fake.requests).toEqual([]);
    });

    test("a link-local or metadata address is never called, however it is written or whatever a name resolves to", async () => {
      const written = ["169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[fe80::1]", "2852039166"];
      for (const host of [...written, "metadata.google.internal"]) {
        const result = await provider({ address: `http://${host}/v1` }).embed(["a"], "passage", never);
        expect(result).toMatchObject({ ok: false, reason: "unavailable", isLasting: true });
      }
      const resolving = ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "100.100.100.200", "fd00:ec2::254"];
      for (const address of resolving) {
        for (const addresses of [[address], ["127.0.0.1", address]]) {
          const setup = createRemoteProvider(remote(), { policy: OPEN, resolve: async () => addresses });
          const result = setup.ok ? await setup.provider.embed(["a"], "passage", never) : null;
          expect(result).toMatchObject({ ok: false, reason: "unavailable", isLasting: true });
        }
      }
      // Mapped into IPv6, a private address is still one.
      const policy = { allowPrivate: false, offline: false };
      const setup = createRemoteProvider(remote(), { policy, resolve: async () => ["::ffff:127.0.0.1"] });
      const result = setup.ok ? await setup.provider.embed(["a"], "passage", never) : null;
      expect(result).toMatchObject({ ok: false, detail: expect.stringContaining("private addresses are not allowed") });
      expect(fake.requests).toEqual([]);
    });

    test("its revision follows what decides the vectors", () => {
      const revision = (change: Partial<RemoteModel>) => provider(change).model.revision;
      const first = revision({});
      expect(revision({ apiKey: "other", id: "other-name" })).toBe(first);
      expect(revision({ model: "another" })).not.toBe(first);
      expect(revision({ dimensions: 12 })).not.toBe(first);
      expect(revision({ address: "https://elsewhere.test/v1" }) === first).toBe(dialect !== "openai-compatible");
    });
  });
}

describe("what is known of hosted models", () => {
  const access = { policy: OPEN, resolve: async () => ["127.0.0.1"] };
  const info = (id: string, dialect: DialectName) => {
    const setup = createRemoteProvider({ id, dialect, apiKey: "k" }, access);
    if (!setup.ok) throw new Error(setup.problem);
    const { dimensions, defaultDimensions, matryoshka, maxTokens } = setup.provider.model;
    return { dimensions, defaultDimensions, matryoshka, maxTokens };
  };

  test("is used where the operator says nothing else", () => {
    expect(info("text-embedding-3-small", "openai")).toEqual({
      dimensions: 1536,
      defaultDimensions: 1536,
      matryoshka: [256, 512, 1536],
      maxTokens: 8191,
    });
    expect(info("voyage-3-large", "voyage")).toEqual({
      dimensions: 2048,
      defaultDimensions: 1024,
      matryoshka: [256, 512, 1024, 2048],
      maxTokens: 32_000,
    });
    expect(info("text-embedding-ada-002", "openai")).toMatchObject({ dimensions: 1536, matryoshka: null });
    expect(info("embed-english-v3.0", "cohere")).toMatchObject({ dimensions: 1024, matryoshka: null, maxTokens: 512 });
  });

  test("what is not known must be named, and addresses must be ones", () => {
    const problem = (remote: RemoteModel) => {
      const setup = createRemoteProvider(remote, access);
      return setup.ok ? "" : setup.problem;
    };
    expect(problem({ id: "mine", dialect: "openai" })).toBe(
      "the dimensions of 'mine' are not known: probe it or name them",
    );
    expect(problem({ id: "mine", dialect: "openai-compatible", dimensions: 3 })).toBe(
      "the dialect 'openai-compatible' needs an address",
    );
    for (const address of ["ftp://x/v1", "nonsense", "http://user:pw@x/v1", "file:///etc/passwd"]) {
      expect(problem({ id: "mine", dialect: "openai", dimensions: 3, address })).not.toBe("");
    }
  });
});
