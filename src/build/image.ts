/**
 * `make image`: the container image, as a file that container programs load: an OCI layout, which is `docker load`'s format
 * too. It has the executable of a release archive and, of Debian, the C and C++ libraries; no shell, no package manager.
 * No daemon is needed to make it. The same archive and the same Debian packages give the same bytes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { version } from "../platform/build-info.ts";
import { gzip, packTar, sha256, withFolders } from "./archive.ts";
import type { Packed } from "./archive.ts";
import { DEBIAN_PROGRAMS, filesOf, getPackages } from "./debian.ts";
import type { DebianPackage } from "./debian.ts";
import { unpackArchive } from "./unpack-archive.ts";
import { writeSums } from "./release.ts";
import { TARGETS, targetOf } from "./targets.ts";
import type { Target } from "./targets.ts";

const ROOT = resolve(import.meta.dir, "../..");

/** No user of a machine has it. */
const USER = 10001;
const DATA = "/data";

const PACKAGES = ["base-files", "ca-certificates", "libc6", "libgcc-s1", "libstdc++6"] as const;

/** Libraries, licences, and what says which system it is; no programs, no character sets for `iconv`. */
const WANTED =
  /^(usr\/)?lib(64)?\/([^/]+-linux-gnu\/)?[^/]+\.so[.0-9]*$|^usr\/share\/(doc\/[^/]+\/copyright|common-licenses\/.*)$|^(etc|usr\/lib)\/os-release$|^etc\/debian_version$/;

interface Release {
  target: Target;
  /** Path of the release's archive. */
  archive: string;
  packages: readonly DebianPackage[];
}

/** The image of a release as the bytes of a tar file. */
export async function makeImage({ target, archive, packages }: Release): Promise<Uint8Array> {
  const { files, mtime } = await unpackArchive(archive);
  const base = packTar(baseFiles(packages), mtime);
  const program = packTar(programFiles(files), mtime);
  const layers = [base, program].map((tar) => ({ diffId: `sha256:${sha256(tar)}`, blob: gzip(tar) }));
  const config = JSON.stringify(imageConfig(target, packages, { mtime, diffIds: layers.map(({ diffId }) => diffId) }));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: describe("application/vnd.oci.image.config.v1+json", config),
    layers: layers.map(({ blob }) => describe("application/vnd.oci.image.layer.v1.tar+gzip", blob)),
  });
  const blobs = [config, manifest, ...layers.map(({ blob }) => blob)];
  const entries = blobs.map((content) => ({ name: blobName(content), content }));
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        ...describe("application/vnd.oci.image.manifest.v1+json", manifest),
        platform: { architecture: target.platform, os: "linux" },
        annotations: { "org.opencontainers.image.ref.name": version },
      },
    ],
  };
  // What programs read that know Docker's own format only.
  const docker = [
    { Config: blobName(config), RepoTags: [`lectern:${version}`], Layers: layers.map(({ blob }) => blobName(blob)) },
  ];
  return packTar(
    withFolders([
      ...entries,
      { name: "oci-layout", content: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
      { name: "index.json", content: JSON.stringify(index) },
      { name: "manifest.json", content: JSON.stringify(docker) },
    ]),
    mtime,
  );
}

function baseFiles(packages: readonly DebianPackage[]): Packed[] {
  const own = packages.flatMap((one) => [
    ...filesOf(one, (path) => WANTED.test(path)),
    // Where programs that look for known faults in images expect it.
    { name: `var/lib/dpkg/status.d/${one.name}`, content: one.control },
  ]);
  const certificates = packages
    .flatMap((one) => filesOf(one, (path) => /^usr\/share\/ca-certificates\/mozilla\/.*\.crt$/.test(path)))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ content = "" }) => `${Buffer.from(content).toString().trim()}\n`);
  return withFolders([
    ...own,
    { name: "etc/ssl/certs/ca-certificates.crt", content: certificates.join("") },
    { name: "etc/nsswitch.conf", content: "hosts: files dns\n" },
    {
      name: "etc/passwd",
      content: `root:x:0:0:root:/:/sbin/nologin\nlectern:x:${USER}:${USER}:lectern:${DATA}:/sbin/nologin\n`,
    },
    { name: "etc/group", content: `root:x:0:\nlectern:x:${USER}:\n` },
    ...["dev/", "proc/", "sys/"].map((name) => ({ name })),
    { name: "tmp/", mode: 0o1777 },
    // A new volume takes over whose it is.
    { name: `${DATA.slice(1)}/`, mode: 0o700, owner: USER },
  ]);
}

/** The executable, and the texts that have to come with it. */
function programFiles(files: readonly Packed[]): Packed[] {
  return withFolders(
    files.flatMap((file): Packed[] => {
      if (file.name === "lectern") return [{ ...file, name: "usr/bin/lectern", mode: 0o755 }];
      const isText = /^(LICENSE|NOTICE|licences\/.+)$/.test(file.name);
      return isText ? [{ ...file, name: `usr/share/doc/lectern/${file.name}` }] : [];
    }),
  );
}

function imageConfig(
  target: Target,
  packages: readonly DebianPackage[],
  { mtime, diffIds }: { mtime: number; diffIds: string[] },
): object {
  const created = new Date(mtime * 1000).toISOString();
  return {
    created,
    architecture: target.platform,
    os: "linux",
    config: {
      User: `${USER}:${USER}`,
      ExposedPorts: { "8080/tcp": {} },
      Env: ["PATH=/usr/bin", "LECTERN_HOST=0.0.0.0", `LECTERN_DATA=${DATA}`],
      Entrypoint: ["/usr/bin/lectern"],
      Cmd: ["serve"],
      Volumes: { [DATA]: {} },
      WorkingDir: "/",
      StopSignal: "SIGTERM",
      // Nanoseconds.
      Healthcheck: {
        Test: ["CMD", "/usr/bin/lectern", "health"],
        Interval: 30e9,
        Timeout: 10e9,
        StartPeriod: 60e9,
        Retries: 3,
      },
      Labels: {
        "org.opencontainers.image.title": "Lectern",
        "org.opencontainers.image.description": "OpenAI's vector store APIs on your own machine",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.base.packages": packages.map((one) => `${one.name}=${one.version}`).join(" "),
      },
    },
    rootfs: { type: "layers", diff_ids: diffIds },
    history: ["libraries of Debian", "Lectern"].map((comment) => ({ created, created_by: "make image", comment })),
  };
}

function describe(mediaType: string, content: string | Uint8Array): object {
  const size = typeof content === "string" ? Buffer.byteLength(content) : content.byteLength;
  return { mediaType, digest: `sha256:${sha256(content)}`, size };
}

const blobName = (content: string | Uint8Array) => `blobs/sha256/${sha256(content)}`;

if (import.meta.main) {
  const directory = join(ROOT, "dist/release");
  const missing = DEBIAN_PROGRAMS.filter((program) => Bun.which(program) === null);
  if (missing.length > 0) {
    console.log(`skipped the image: ${missing.join(", ")} not installed (it is made on Debian or a relative)`);
    process.exit(0);
  }
  const named = process.argv.slice(2);
  for (const target of named.length > 0 ? named.map(targetOf) : TARGETS) {
    const archive = join(directory, `lectern-${version}-${target.name}.tar.gz`);
    if (!(await Bun.file(archive).exists())) {
      console.log(`skipped the image for ${target.name}: make release has not made ${basename(archive)}`);
      continue;
    }
    const packages = await getPackages(
      PACKAGES,
      target.platform,
      join(ROOT, "dist/parts", `debian-${target.platform}`),
    );
    const image = await makeImage({ target, archive, packages });
    mkdirSync(directory, { recursive: true });
    const path = join(directory, `lectern-${version}-${target.name}-image.tar`);
    writeFileSync(path, image);
    console.log(`dist/release/${basename(path)}  ${(image.byteLength / 1e6).toFixed(1)} MB`);
  }
  writeSums(directory);
}
