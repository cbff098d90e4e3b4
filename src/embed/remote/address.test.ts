import { describe, expect, test } from "bun:test";
import type { AddressPolicy } from "./address.ts";
import { addressKind, addressProblem, checkAddress } from "./address.ts";

const OPEN: AddressPolicy = { allowPrivate: true, offline: false };
const CLOSED: AddressPolicy = { allowPrivate: false, offline: false };

describe("addresses", () => {
  const kinds: Record<ReturnType<typeof addressKind>, string[]> = {
    public: [
      "8.8.8.8",
      "104.18.6.192",
      "172.32.0.1",
      "192.169.0.1",
      "2606:4700::6812:6c0",
      "::ffff:8.8.8.8",
      "64:ff9b::808:808",
    ],
    private: [
      "127.0.0.1",
      "127.255.255.254",
      "10.1.2.3",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "100.64.0.1",
      "::1",
      "fc00::1",
      "fd12:3456::1",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "64:ff9b::a00:1",
      "2002:a00:1::1",
    ],
    forbidden: [
      "169.254.169.254",
      "169.254.0.1",
      "0.0.0.0",
      "0.1.2.3",
      "224.0.0.1",
      "240.0.0.1",
      "255.255.255.255",
      "100.100.100.200",
      "192.0.0.192",
      "168.63.129.16",
      "192.0.2.1",
      "::",
      "fe80::1",
      "fe80::1%eth0",
      "fec0::1",
      "ff02::1",
      "fd00:ec2::254",
      "::ffff:169.254.169.254",
      "::169.254.169.254",
      "64:ff9b::a9fe:a9fe",
      "2002:a9fe:a9fe::1",
      "2001:db8::1",
      "4000::1",
      "nonsense",
      "1.2.3",
      "",
    ],
  };
  for (const [kind, addresses] of Object.entries(kinds)) {
    for (const address of addresses)
      test(`'${address}' is ${kind}`, () => expect(addressKind(address)).toBe(kind as "public"));
  }
});

describe("a name is refused", () => {
  const check = async (url: string, addresses: string[], policy: AddressPolicy): Promise<string> => {
    const result = await checkAddress(new URL(url), policy, async () => addresses);
    return result.ok ? result.address : result.detail;
  };
  const cases: [what: string, url: string, addresses: string[], policy: AddressPolicy, result: RegExp][] = [
    [
      "never, if all its addresses are public",
      "https://a.test/v1",
      ["8.8.8.8", "2606:4700::1"],
      CLOSED,
      /^8\.8\.8\.8$/,
    ],
    [
      "if one of its addresses is private",
      "https://a.test/v1",
      ["8.8.8.8", "10.0.0.1"],
      CLOSED,
      /private address 10\.0\.0\.1/,
    ],
    [
      "not for a private address where those are allowed",
      "http://ollama:11434/v1",
      ["10.0.0.1"],
      OPEN,
      /^10\.0\.0\.1$/,
    ],
    [
      "if one of its addresses is a metadata service, whatever is allowed",
      "https://a.test/v1",
      ["8.8.8.8", "169.254.169.254"],
      OPEN,
      /never called/,
    ],
    [
      "if it is a metadata service by name",
      "http://metadata.google.internal/v1",
      ["8.8.8.8"],
      OPEN,
      /metadata service/,
    ],
    [
      "if it is written as a number that means a private address",
      "http://2130706433/v1",
      [],
      CLOSED,
      /private address 127\.0\.0\.1/,
    ],
    ["if it is written in octal", "http://0251.0376.0251.0376/", [], OPEN, /169\.254\.169\.254, which is never called/],
    ["if it is a literal IPv6 address of the machine", "http://[::1]:80/v1", [], CLOSED, /private address ::1/],
    ["if it has no address", "https://a.test/v1", [], OPEN, /has no address/],
    ["when offline", "https://a.test/v1", ["8.8.8.8"], { allowPrivate: true, offline: true }, /--offline/],
    ["if its scheme is another", "ftp://a.test/v1", ["8.8.8.8"], OPEN, /neither http nor https/],
  ];
  for (const [what, url, addresses, policy, result] of cases) {
    test(what, async () => expect(await check(url, addresses, policy)).toMatch(result));
  }

  test("if it cannot be resolved", async () => {
    const result = await checkAddress(new URL("https://a.test/"), OPEN, () => Promise.reject(new Error("ENOTFOUND")));
    expect(result).toEqual({ ok: false, detail: "the name 'a.test' cannot be resolved", isPassing: true });
  });
});

test("an address in a configuration is an http or https one without secrets and queries", () => {
  expect(addressProblem("https://api.example.test/v1")).toBeNull();
  expect(addressProblem("http://[fd00::1]:8080/v1")).toBeNull();
  for (const bad of ["", "api.example.test", "ftp://x/", "https://a:b@x/", "https://x/?k=1", "https://x/#f"]) {
    expect(addressProblem(bad)).not.toBeNull();
  }
});
