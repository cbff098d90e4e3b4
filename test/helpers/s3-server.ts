/**
 * A server that speaks S3 as far as objects go, with the faults that a real one has: errors, silence, a full disk, a
 * broken upload. Like a real one it shows an object only when all of it has come.
 */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly objects: ReadonlyMap<string, { bytes: Uint8Array; at: number }>;
  /** What it does with requests for objects from now on. */
  behave(how: Behaviour): void;
  /** Makes objects older, as time would. */
  age(seconds: number): void;
  requests: number;
}

/** `full`: what is put is refused for lack of room; `broken`: the connection ends in the middle; `silent`: no answer. */
export type Behaviour = "well" | "error" | "silent" | "full" | "forbidden" | "short";

interface Upload {
  key: string;
  parts: Map<number, Uint8Array>;
}

export function startS3Server(bucket = "docs"): S3Server {
  const objects = new Map<string, { bytes: Uint8Array; at: number }>();
  const uploads = new Map<string, Upload>();
  let behaviour: Behaviour = "well";
  let aged = 0;
  let serial = 0;
  const state = { requests: 0 };

  const failed = async (isPut: boolean): Promise<Response | null> => {
    switch (behaviour) {
      case "error":
        return problem(503, "SlowDown", "Please reduce your request rate.");
      case "forbidden":
        return problem(403, "AccessDenied", "Access Denied.");
      case "full":
        return isPut
          ? problem(507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.")
          : null;
      case "silent":
        await new Promise(() => {});
        return null;
      default:
        return null;
    }
  };

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      state.requests++;
      const url = new URL(request.url);
      const [, first = "", ...rest] = url.pathname.split("/");
      const key = decodeURIComponent(rest.join("/"));
      const { method } = request;
      const body = new Uint8Array(await request.arrayBuffer());
      const failure = await failed(method === "PUT" || method === "POST");
      if (failure !== null) return failure;
      if (!request.headers.get("authorization")?.includes("Credential=key/"))
        return problem(403, "InvalidAccessKeyId", "No such key.");
      if (first !== bucket) return problem(404, "NoSuchBucket", "The specified bucket does not exist.");
      if (method === "GET" && key === "") return listing(url, objects);
      const uploadId = url.searchParams.get("uploadId");
      if (method === "POST" && url.searchParams.has("uploads")) {
        const id = `upload-${++serial}`;
        uploads.set(id, { key, parts: new Map() });
        return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
      }
      if (uploadId !== null) {
        const upload = uploads.get(uploadId);
        if (upload === undefined) return problem(404, "NoSuchUpload", "The upload does not exist.");
        if (method === "PUT") {
          upload.parts.set(Number(url.searchParams.get("partNumber")), body);
          return new Response(null, { headers: { etag: `"${body.byteLength}"` } });
        }
        uploads.delete(uploadId);
        if (method === "DELETE") return new Response(null, { status: 204 });
        const parts = [...upload.parts].toSorted(([a], [b]) => a - b).map(([, part]) => part);
        objects.set(key, { bytes: new Uint8Array(Buffer.concat(parts)), at: Date.now() });
        return xml(`<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>`);
      }
      return single(
        { method, key, body, range: request.headers.get("range"), isShort: behaviour === "short" },
        objects,
      );
    },
  });
  return {
    endpoint: `http://127.0.0.1:${server.port}`,
    objects,
    get requests() {
      return state.requests;
    },
    behave: (how) => (behaviour = how),
    age(seconds) {
      aged += seconds;
      for (const object of objects.values()) object.at -= seconds * 1000;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  } satisfies S3Server;
}

type Objects = Map<string, { bytes: Uint8Array; at: number }>;
interface Single {
  method: string;
  key: string;
  body: Uint8Array;
  range: string | null;
  /** Keep less than what came, as a bucket that loses data would. */
  isShort: boolean;
}

function single({ method, key, body, range, isShort }: Single, objects: Objects): Response {
  if (method === "PUT") {
    objects.set(key, { bytes: isShort ? body.slice(0, body.byteLength >> 1) : body, at: Date.now() });
    return new Response(null, { headers: { etag: '"x"' } });
  }
  if (method === "DELETE") {
    objects.delete(key);
    return new Response(null, { status: 204 });
  }
  const object = objects.get(key);
  if (object === undefined) return problem(404, "NoSuchKey", "The specified key does not exist.");
  const headers = { etag: '"x"', "last-modified": new Date(object.at).toUTCString() };
  if (method === "HEAD")
    return new Response(null, { headers: { ...headers, "content-length": String(object.bytes.byteLength) } });
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? "");
  if (match === null) return new Response(object.bytes, { headers });
  const end = match[2] === "" ? object.bytes.byteLength : Number(match[2]) + 1;
  return new Response(object.bytes.slice(Number(match[1]), end), { status: 206, headers });
}

function listing(url: URL, objects: Objects): Response {
  const prefix = url.searchParams.get("prefix") ?? "";
  const after = url.searchParams.get("start-after") ?? "";
  const most = Number(url.searchParams.get("max-keys") ?? 1000);
  const all = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted();
  const rows = all.slice(0, most).map((key) => {
    const { bytes, at } = objects.get(key)!;
    return `<Contents><Key>${key}</Key><LastModified>${new Date(at).toISOString()}</LastModified><Size>${bytes.byteLength}</Size></Contents>`;
  });
  return xml(
    `<ListBucketResult><Name>x</Name><Prefix>${prefix}</Prefix><KeyCount>${rows.length}</KeyCount><MaxKeys>${most}</MaxKeys>` +
      `<IsTruncated>${all.length > most}</IsTruncated>${rows.join("")}</ListBucketResult>`,
  );
}

function xml(body: string): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>${body}`, {
    headers: { "content-type": "application/xml" },
  });
}

function problem(status: number, code: string, message: string): Response {
  return new Response(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    {
      status,
      headers: { "content-type": "application/xml" },
    },
  );
}
