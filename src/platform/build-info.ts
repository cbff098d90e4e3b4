import packageJson from "../../package.json" with { type: "json" };

/** Replaced by src/build/compile.ts; not defined when run from source. */
declare const LECTERN_BUILD_COMMIT: string;

/** The release, as in package.json. */
export const version: string = packageJson.version;

/** The commit the binary was built from, with a + when files differed from it; "source" when run from source. */
export const commit: string = typeof LECTERN_BUILD_COMMIT === "string" ? LECTERN_BUILD_COMMIT : "source";

/** For `lectern version` and bug reports. */
export const versionText: string = `${version} (${commit}, Bun ${Bun.version}, ${process.platform}-${process.arch})`;
