/**
 * `make deb-test`: the package is installed, used, upgraded, removed and purged on a small Debian with systemd. The server
 * runs under its unit, so that whatever the unit forbids and the server needs is found here.
 */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeDeb } from "../../src/build/deb/make.ts";
import { version } from "../../src/platform/build-info.ts";
import { makeScanTiff } from "../fixtures/parse/scan.ts";
import { LACKING } from "../helpers/lacks.ts";
import { ROOT } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { addLines, lackingForMachine, type Machine, startMachine } from "./machine.ts";

const FOLDER = join(ROOT, "dist/debian");
const ARCHITECTURE = process.arch === "x64" ? "amd64" : "arm64";
const asService = ["setpriv", "--reuid=lectern", "--regid=lectern", "--clear-groups"];
/** The upstream of the server in the machine: another Lectern, whose embeddings are OpenAI's. */
const UPSTREAM = "http://house.test:9100";

const lacking = lackingForMachine();
if (lacking !== null) {
  console.log(`${LACKING}: ${lacking}`);
  process.exit(0);
}
const executable = join(ROOT, "dist/lectern");
const options = { executable, architecture: ARCHITECTURE, mtime: 1_700_000_000, folder: FOLDER };
mkdirSync(FOLDER, { recursive: true });
const first = await makeDeb(options);
const second = await makeDeb({ ...options, version: `${version}.1` });

await using machine = await startMachine(FOLDER);
for (const [name, path] of [
  ["first.deb", first],
  ["second.deb", second],
] as const)
  writeFileSync(join(machine.root, "root", name), await Bun.file(path).bytes());
await install(machine);
await use(machine);
await upstream(machine);
await watchdog(machine);
await upgrade(machine);
await leave(machine);
console.log("all as it should be");

function check(what: string, holds: boolean, more = ""): void {
  if (!holds) throw new Error(`not so: ${what}\n${more}`);
  console.log(`ok  ${what}`);
}

async function property(on: Machine, name: string): Promise<string> {
  return (await on.must("systemctl", "show", "--value", `--property=${name}`, "lectern")).trim();
}

/** The verbs as an operator calls them: as the service's user, on its data. */
function verb(on: Machine, ...args: string[]): Promise<string> {
  return on.must(...asService, "env", "LECTERN_DATA=/var/lib/lectern", "lectern", ...args);
}

async function journal(on: Machine): Promise<string> {
  return (await on.run("journalctl", "--no-pager", "-u", "lectern")).out;
}

async function install(on: Machine): Promise<void> {
  const said = await on.must("dpkg", "-i", "/root/first.deb");
  check("the installation says where the key is", said.includes("key of Lectern is in /etc/lectern/admin-key"), said);
  check("it runs after the installation", (await property(on, "ActiveState")) === "active", await journal(on));
  check("as a user of its own", (await property(on, "User")) === "lectern");
  check("systemd was told where it listens", (await property(on, "StatusText")).includes("http://127.0.0.1:8080"));
  check("it is enabled", (await on.must("systemctl", "is-enabled", "lectern")).includes("enabled"));
  const mode = (path: string) => (statSync(join(on.root, path)).mode & 0o777).toString(8);
  check("the key is its user's alone", mode("etc/lectern/admin-key") === "600");
  check("the variables are root's alone", mode("etc/lectern/environment") === "600");
  check("the data is its user's alone", mode("var/lib/lectern") === "700");
  const exposure = await on.must("systemd-analyze", "security", "--no-pager", "lectern.service");
  const level = Number(/Overall exposure level for lectern.service: ([\d.]+)/.exec(exposure)?.[1]);
  check(`its exposure is ${level}`, level <= 2, exposure);
}

async function use(on: Machine): Promise<void> {
  const folder = join(on.root, "srv/documents");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "pier.md"), "# Pier\n\nThe lamp on the northern pier is lit at dusk.\n");
  writeFileSync(join(folder, "fax.tif"), makeScanTiff(2));
  await verb(on, "ingest", "/srv/documents", "/srv/documents/fax.tif", "--store", "harbour");
  const found = await verb(on, "search", "harbour", "when does the office open", "--json");
  check("a scan is read and found", found.includes("fax.tif") && /opens at seven/i.test(found), found);
  const asked = await verb(on, "search", "harbour", "who lights the lamp on the pier");
  check("a document is found", asked.includes("northern pier"), asked);
  const doctor = await verb(on, "doctor");
  check("the doctor finds nothing wrong", !/^fail/m.test(doctor), doctor);
  const documents = /^ok +documents .*network: none/m.test(await sandboxOf(on));
  check("what reads documents has no network", documents, await sandboxOf(on));
}

/** What the server itself, under its unit, found that it can bound readers by. */
async function sandboxOf(on: Machine): Promise<string> {
  const pid = await property(on, "MainPID");
  const children = (await on.run("cat", `/proc/${pid}/task/${pid}/children`)).out.trim().split(/\s+/);
  const own = (await on.must("readlink", `/proc/${pid}/ns/net`)).trim();
  const others = await Promise.all(children.map((child) => on.run("readlink", `/proc/${child}/ns/net`)));
  const apart = others.filter(({ out, status }) => status === 0 && out.trim() !== own).length;
  return `${apart > 0 ? "ok" : "fail"} documents ${children.length} processes, network: ${apart > 0 ? "none" : "theirs"}`;
}

async function upstream(on: Machine): Promise<void> {
  const started =
    "cd /root && LECTERN_API_KEY=upstream-key-0123456789 setsid lectern serve --port 9100 --data /root/upstream >/root/upstream.log 2>&1 &";
  await on.must("sh", "-c", started);
  const models = `allow-private-addresses = true
model-key-variables = "HOUSE_KEY"

[[models]]
id = "house"
dialect = "openai-compatible"
address = "${UPSTREAM}/v1"
model = "lectern-embed-en"
dimensions = 256
api_key_env = "HOUSE_KEY"
`;
  const upstreamLog = async () => (await on.run("cat", "/root/upstream.log")).out;
  await waitFor("the upstream", async () => ((await upstreamLog()).includes("listening on") ? true : undefined));
  // By a name, which has to be looked up.
  addLines(on, "etc/hosts", "127.0.0.1 localhost house.test\n");
  addLines(on, "etc/lectern/lectern.toml", models);
  addLines(on, "etc/lectern/environment", "HOUSE_KEY=upstream-key-0123456789\n");
  await on.must("systemctl", "restart", "lectern");
  const status = await on.run(...asService, "lectern", "models", "verify", "house", "--data", "/var/lib/lectern");
  check("a model at an address of the network answers", status.status === 0, `${status.out}\n${await upstreamLog()}`);
}

async function watchdog(on: Machine): Promise<void> {
  await on.must("mkdir", "-p", "/etc/systemd/system/lectern.service.d");
  await on.must("sh", "-c", "printf '[Service]\\nWatchdogSec=5\\n' >/etc/systemd/system/lectern.service.d/quick.conf");
  await on.must("systemctl", "daemon-reload");
  await on.must("systemctl", "restart", "lectern");
  await on.must("systemctl", "reload", "lectern");
  await waitFor("the reload", async () => ((await journal(on)).includes("settings reloaded") ? true : undefined));
  check("it is active after a reload", (await property(on, "ActiveState")) === "active");
  const before = await property(on, "MainPID");
  await Bun.sleep(7000);
  check("one that works is left alone", (await property(on, "MainPID")) === before, await journal(on));
  await on.must("sh", "-c", `kill -STOP ${before}`);
  await waitFor("a restart by the watchdog", async () => {
    const isBack = (await property(on, "MainPID")) !== before && (await property(on, "ActiveState")) === "active";
    return isBack ? true : undefined;
  });
  check("one that is stuck is ended and started again", (await journal(on)).includes("Watchdog timeout"));
}

async function upgrade(on: Machine): Promise<void> {
  addLines(on, "etc/lectern/lectern.toml", "\n# mine\n");
  const before = await property(on, "MainPID");
  await on.must("dpkg", "--force-confold", "-i", "/root/second.deb");
  check(
    "an upgrade starts it anew",
    (await property(on, "MainPID")) !== before && (await property(on, "ActiveState")) === "active",
  );
  check(
    "and leaves settings as they were",
    (await on.must("tail", "-1", "/etc/lectern/lectern.toml")).trim() === "# mine",
  );
  const found = await verb(on, "search", "harbour", "who lights the lamp on the pier");
  check("and documents", found.includes("northern pier"), found);
}

async function leave(on: Machine): Promise<void> {
  await on.must("systemctl", "stop", "lectern");
  check("a stop ends well", (await property(on, "Result")) === "success", await journal(on));
  await on.must("systemctl", "start", "lectern");
  await on.must("dpkg", "-r", "lectern");
  check("removed, it does not run", (await on.run("systemctl", "is-active", "lectern")).status !== 0);
  check("and settings are there", (await on.run("test", "-e", "/etc/lectern/lectern.toml")).status === 0);
  await on.must("dpkg", "-i", "/root/second.deb");
  check("installed again, it runs", (await property(on, "ActiveState")) === "active", await journal(on));
  const purged = await on.must("dpkg", "-P", "lectern");
  check(
    "purged, it says where the documents are",
    purged.includes("The documents are left in /var/lib/lectern"),
    purged,
  );
  check("and settings and keys are gone", (await on.run("test", "-e", "/etc/lectern")).status !== 0);
  check("and the documents are there", (await on.run("test", "-e", "/var/lib/lectern/meta.sqlite")).status === 0);
}
