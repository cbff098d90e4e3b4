import css from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import bundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import preset from "swagger-ui-dist/swagger-ui-standalone-preset.js" with { type: "file" };
import favicon16 from "swagger-ui-dist/favicon-16x16.png" with { type: "file" };
import favicon32 from "swagger-ui-dist/favicon-32x32.png" with { type: "file" };

export interface DocsAsset {
  /** For Bun.file(); inside the compiled binary where there is one. */
  readonly path: string;
  readonly contentType: string;
}

/** Everything that the API explorer's page loads, by the name it has under /docs/assets/: it must work with no network. */
export const docsAssets: Readonly<Record<string, DocsAsset>> = {
  "swagger-ui.css": { path: css, contentType: "text/css; charset=utf-8" },
  "swagger-ui-bundle.js": { path: bundle, contentType: "text/javascript; charset=utf-8" },
  "swagger-ui-standalone-preset.js": { path: preset, contentType: "text/javascript; charset=utf-8" },
  "favicon-16x16.png": { path: favicon16, contentType: "image/png" },
  "favicon-32x32.png": { path: favicon32, contentType: "image/png" },
};
