/** The container image: small, not root, nothing written but its volume, stopped by its signal, healthy by its own word. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { lacks } from "../helpers/lacks.ts";
import { TEST_DEFAULT_MODEL, TEST_KEY } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { mayContain, runContainer, unpackImage } from "./container.ts";
import type { Container, ImageConfig } from "./container.ts";
import { isBuilt, ownTarget, releaseFile } from "./places.ts";

const own = ownTarget();
const path = releaseFile(`${own.name}-image.tar`);
/** What the image may have beside the executable. */
const MOST_BESIDE_BYTES = 30e6;
const READY = /^lectern \S+ listening on http:\/\/0\.0\.0\.0:(\d+)$/m;
const ENV = { LECTERN_API_KEY: TEST_KEY, LECTERN_DEFAULT_MODEL: TEST_DEFAULT_MODEL };

describe.skipIf(lacks("apt-get") || lacks("dpkg-deb") || lacks("the right to make namespaces", mayContain()))(
  "the image of this machine's kind",
  () => {
    const dir = tempDir();
    const root = dir.join("root");
    let image: ImageConfig;
    beforeAll(async () => {
      isBuilt(own);
      image = await unpackImage(path, dir.path);
    });
    afterAll(() => dir[Symbol.dispose]());

    /** A volume of that owner and mode. */
    function volume(name: string, owner: [uid: number, gid: number], mode: number): string {
      const made = dir.join(name);
      mkdirSync(made);
      chownSync(made, ...owner);
      chmodSync(made, mode);
      return made;
    }

    async function ready(container: Container): Promise<string> {
      return `http://127.0.0.1:${(await container.line(READY))[1]}`;
    }

    test("is small, has no shell, and every file in it belongs to root but the volume", async () => {
      const sizes = readdirSync(root, { recursive: true, encoding: "utf8" })
        .map((name) => statSync(join(root, name), { throwIfNoEntry: false }))
        .filter((seen) => seen?.isFile() === true);
      const all = sizes.reduce((sum, seen) => sum + (seen?.size ?? 0), 0);
      expect(all - statSync(join(root, "usr/bin/lectern")).size).toBeLessThan(MOST_BESIDE_BYTES);
      expect(readdirSync(join(root, "usr/bin"))).toEqual(["lectern"]);
      expect(existsSync(join(root, "bin"))).toBe(false);
      const foreign = await Bun.$`find ${root} ! -uid 0`.text();
      expect(foreign.trim()).toBe(join(root, "data"));
      expect(await Bun.$`find ${root} -perm /6000`.text()).toBe("");
      expect(image.config).toMatchObject({ User: "10001:10001", StopSignal: "SIGTERM", Volumes: { "/data": {} } });
    });

    test("serves on a read-only root as its own user, is healthy by its own word, and stops at its signal", async () => {
      const data = volume("volume", [10001, 10001], 0o700);
      await using container = await runContainer({ root, volume: data, image, args: ["--port", "0"], env: ENV });
      const url = await ready(container);
      const status = await Bun.file(`/proc/${container.pid}/status`).text();
      expect(status).toMatch(/^Uid:\t10001\t10001/m);
      expect(status).toMatch(/^NSpid:\t\d+\t1$/m);
      expect(status).toMatch(/^CapEff:\t0+$/m);

      const headers = { authorization: `Bearer ${TEST_KEY}` };
      const form = new FormData();
      form.set("purpose", "assistants");
      form.set("file", new File(["Keepers lit the lamp of the lighthouse at dusk."], "lamp.txt"));
      const file = (await (await fetch(`${url}/v1/files`, { method: "POST", headers, body: form })).json()) as {
        id: string;
      };
      const post = async (path: string, body: object) =>
        await (
          await fetch(`${url}/v1/vector_stores${path}`, {
            method: "POST",
            headers: { ...headers, "content-type": "application/json" },
            body: JSON.stringify(body),
          })
        ).json();
      const store = (await post("", { name: "s", file_ids: [file.id] })) as { id: string };
      const found = await waitFor("the document to be found", async () => {
        const { data } = (await post(`/${store.id}/search`, { query: "lighthouse" })) as {
          data: { filename: string }[];
        };
        return data[0]?.filename;
      });
      expect(found).toBe("lamp.txt");

      expect(image.config.Healthcheck.Test).toEqual(["CMD", "/usr/bin/lectern", "health"]);
      expect(await container.exec(image.config.Healthcheck.Test.slice(1))).toEqual({
        status: 0,
        out: expect.stringContaining("is ready"),
      });
      const doctor = await container.exec(["/usr/bin/lectern", "doctor"]);
      expect([doctor.status, doctor.out]).toEqual([0, expect.stringMatching(/^ok +data +\/data$/m)]);

      expect(await container.stop()).toBe(0);
      expect(existsSync(join(data, "meta.sqlite"))).toBe(true);
      expect(statSync(join(data, "meta.sqlite")).uid).toBe(10001);
    }, 240_000);

    test("uses a volume as Kubernetes' fsGroup leaves it: of root, for the group to write", async () => {
      const data = volume("group-volume", [0, 10001], 0o2775);
      await using container = await runContainer({ root, volume: data, image, args: ["--port", "0"], env: ENV });
      await ready(container);
      const folder = statSync(join(data, "lectern"));
      expect([folder.uid, folder.mode & 0o7777 & ~0o2000, readdirSync(data)]).toEqual([10001, 0o700, ["lectern"]]);
      expect((await container.exec(["/usr/bin/lectern", "health"])).status).toBe(0);
      expect(await container.stop()).toBe(0);
      // As the next mount leaves it where `fsGroup` is applied to everything in the volume again.
      await Bun.$`chmod -R g+rwX ${data} && find ${data} -type d -exec chmod g+s {} +`;
      await using again = await runContainer({ root, volume: data, image, args: ["--port", "0"], env: ENV });
      await ready(again);
      expect(statSync(join(data, "lectern")).mode & 0o077).toBe(0);
      expect(await again.stop()).toBe(0);
    }, 240_000);

    test("says in one line what is wrong where the volume cannot be written", async () => {
      const data = volume("foreign-volume", [0, 0], 0o755);
      writeFileSync(join(data, "of-root"), "");
      await using container = await runContainer({ root, volume: data, image, args: ["--port", "0"], env: ENV });
      expect((await container.line(/^lectern: (.*)$/m))[1]).toContain("/data");
    }, 240_000);
  },
);
