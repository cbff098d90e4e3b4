import { expect, test } from "bun:test";
import { messageOf } from "../../errors.ts";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import { parseAddress } from "./address.ts";

test("an address is read whole, and shown without its password", () => {
  const address = parseAddress("postgres://le%40ctern:s%2Fecret@db.example:6432/docs?sslmode=require&pool=transaction");
  expect(address.shown).toBe("postgres://le@ctern@db.example:6432/docs");
  expect(address.isPooled).toBe(true);
  expect(address.driver).toMatchObject({
    hostname: "db.example",
    port: 6432,
    username: "le@ctern",
    password: "s/ecret",
    database: "docs",
    tls: "require",
  });
  expect(JSON.stringify(address.driver.url)).not.toContain("ecret");
});

test("a password beside the address stands above one inside it", () => {
  expect(parseAddress("postgres://u:a@h/d", "b").driver.password).toBe("b");
  expect(parseAddress("postgres://u:a@h/d").driver.password).toBe("a");
  expect(parseAddress("postgres://u@h/d").driver.password).toBe("");
});

test("this machine is spoken to in the clear, another one encrypted where it can be", () => {
  for (const host of ["localhost", "127.0.0.1", "[::1]"])
    expect(parseAddress(`postgres://u@${host}/d`).driver.tls).toBe("disable");
  expect(parseAddress("postgres://u@10.0.0.1/d").driver.tls).toBe("prefer");
  expect(parseAddress("postgresql://u@[fe80::1]:99/d").driver).toMatchObject({ hostname: "fe80::1", port: 99 });
  expect(parseAddress("postgres://u@localhost/d?host=/run/postgresql").driver).toMatchObject({
    path: "/run/postgresql",
  });
});

test("an authority of one's own is read, and the name is checked", async () => {
  using dir = tempDir();
  await Bun.write(dir.join("ca.pem"), "authority");
  expect(parseAddress(`postgres://u@h/d?sslrootcert=${dir.join("ca.pem")}`).driver.tls).toEqual({ ca: "authority" });
});

test.each([
  ["mysql://u@h/d", "does not begin with postgres://"],
  ["u@h/d", "does not begin with postgres://"],
  ["postgres://h/d", "names no user"],
  ["postgres://u@h", "names no database"],
  ["postgres://u@h/", "names no database"],
  ["postgres://u@h/a/b", "names no database"],
  ["postgres:///d", "names no user"],
  ["postgres://u@/d", "is no address"],
  ["postgres://u@a,b/d", "names several hosts"],
  ["postgres://u:p@a:1,b:2/d", "names several hosts"],
  ["postgres://u:p@h:port/d", "is no address"],
  ["postgres://u:100%@h/d", "has a % that is not followed by two digits"],
  ["postgres://u@h/d?sslmode=on", "has sslmode=on; there are disable"],
  ["postgres://u@h/d?pool=statement", "has pool=statement; there are session and transaction"],
  ["postgres://u@h/d?timeout=1", "has the parameter timeout; there are sslmode, sslrootcert, pool, host"],
  ["postgres://u@h/d?host=other", "has a parameter host that is not the directory of a socket"],
  ["postgres://u@h/d?sslrootcert=/nowhere/ca.pem", "names a file as sslrootcert that cannot be read: /nowhere/ca.pem"],
  ["postgres://u@h/d?sslmode=require&sslrootcert=/x", "has an sslrootcert that sslmode=require would not look at"],
])("%s is refused: it %s", (address, problem) => {
  let said = "";
  try {
    parseAddress(address);
  } catch (error) {
    said = messageOf(error);
  }
  expect(said).toStartWith(`the address of --database ${problem}`);
});
