/** The kinds of machine that a release is made for. */
export interface Target {
  /** As in the name of an archive. */
  name: "linux-x64" | "linux-arm64";
  arch: "x64" | "arm64";
  /** As Debian and container registries call the architecture. */
  platform: "amd64" | "arm64";
  /**
   * The package with Bun for it, and the hash by which the registry has to give it. A new version of Bun needs new ones:
   * `make release` says so. On x86-64 it is the build that asks for no AVX2, as the addon does not.
   */
  runtime: { name: string; integrity: string };
}

/** The version of Bun whose hashes stand below. */
export const RUNTIME_VERSION = "1.4.5";

export const TARGETS: readonly Target[] = [
  {
    name: "linux-x64",
    arch: "x64",
    platform: "amd64",
    runtime: {
      name: "@oven/bun-linux-x64-baseline",
      integrity: "sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==",
    },
  },
  {
    name: "linux-arm64",
    arch: "arm64",
    platform: "arm64",
    runtime: {
      name: "@oven/bun-linux-aarch64",
      integrity: "sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==",
    },
  },
];

export function targetOf(name: string): Target {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) throw new Error(`there is no target ${name}: ${TARGETS.map((one) => one.name).join(", ")}`);
  return target;
}
