import { swagger } from "@elysiajs/swagger";
import type { ElysiaSwaggerConfig } from "@elysiajs/swagger";
import { Elysia } from "elysia";
import { docsAssets } from "./assets.ts";
import { unknownUrl } from "../plugins/errors.ts";
import type { ApiDocument } from "./document.ts";

/**
 * The API explorer: Swagger UI's page and the document that it shows. Everything the page loads comes from this
 * process; the policy below makes the browser refuse anything else.
 */
const PAGE_PATH = "/docs";
const SPEC_PATH = "/docs/json";
const CDN = /https:\/\/unpkg\.com\/swagger-ui-dist@[^/"]+\//g;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE_HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

type Documentation = NonNullable<ElysiaSwaggerConfig["documentation"]>;

const PLUGIN = {
  provider: "swagger-ui",
  path: PAGE_PATH,
  specPath: SPEC_PATH,
  theme: "/docs/assets/swagger-ui.css",
  autoDarkMode: false,
  // The plug-in would set a relative address; the badge of an outside validator is switched off.
  swaggerOptions: {
    url: SPEC_PATH,
    // A key that the browser kept would be there for whoever sits at it next.
    persistAuthorization: false,
    docExpansion: "list",
    validatorUrl: "none",
  } as ElysiaSwaggerConfig["swaggerOptions"] & object,
} satisfies ElysiaSwaggerConfig<string>;

export function docsPlugin(document: ApiDocument) {
  let page: Promise<{ html: string; script: string }> | null = null;
  const loadPage = () => (page ??= buildPage());
  return (
    new Elysia({ name: "docs" })
      .use(swagger({ ...PLUGIN, documentation: document.frame as Documentation }))
      // Takes the place of the plug-in's own page, which loads from a content delivery network.
      .get(PAGE_PATH, async () => html((await loadPage()).html), { detail: { hide: true } })
      .get("/docs/init.js", async () => script((await loadPage()).script), { detail: { hide: true } })
      .get("/docs/assets/:name", ({ params, request }) => asset(params.name) ?? missing(request), {
        detail: { hide: true },
      })
  );
}

/** The plug-in's page, turned towards our own assets, its inline script taken out into a file. */
async function buildPage(): Promise<{ html: string; script: string }> {
  const maker = swagger({
    ...PLUGIN,
    documentation: { info: { title: "Lectern", version: "", description: "API explorer" } },
  });
  const response = await maker.handle(new Request(`http://localhost${PAGE_PATH}`));
  const text = (await response.text()).replaceAll(CDN, "/docs/assets/").replaceAll(" crossorigin", "");
  let inline = "";
  const page = text
    .replace(/<script>([\s\S]*?)<\/script>/, (_, code: string) => {
      inline = code.trim();
      return '<script src="/docs/init.js"></script>';
    })
    .replace("</head>", '    <link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png" />\n</head>');
  return { html: page, script: `${inline}\n` };
}

function html(text: string): Response {
  return new Response(text, { headers: { ...PAGE_HEADERS, "content-type": "text/html; charset=utf-8" } });
}

function script(text: string): Response {
  return new Response(text, { headers: { ...PAGE_HEADERS, "content-type": "text/javascript; charset=utf-8" } });
}

function asset(name: string): Response | null {
  const known = Object.hasOwn(docsAssets, name) ? docsAssets[name] : undefined;
  if (known === undefined) return null;
  return new Response(Bun.file(known.path), {
    headers: {
      "content-type": known.contentType,
      "cache-control": "public, max-age=86400",
      "x-content-type-options": "nosniff",
    },
  });
}

function missing(request: Request): never {
  throw unknownUrl(request.method, new URL(request.url).pathname);
}
