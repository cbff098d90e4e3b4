/** Names of models at a hub, and the addresses that they have there: Hugging Face's, which mirrors speak too. */

/** The public hub, where no other is named. */
export const PUBLIC_HUB = "https://huggingface.co";

export interface HubName {
  /** `owner/name`, or `name` for the oldest models. */
  name: string;
  /** A branch, a tag or a commit. */
  revision: string;
}

const USUAL_REVISION = "main";
const PART = /^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/;
const REVISION = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;

/** What `NAME[@REVISION]` says; null where it is no name that a hub could have. */
export function parseHubName(text: string): HubName | null {
  const at = text.indexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? USUAL_REVISION : text.slice(at + 1);
  const parts = name.split("/");
  if (parts.length > 2 || !parts.every((part) => PART.test(part))) return null;
  if (!REVISION.test(revision) || revision.includes("..") || revision.includes("//")) return null;
  return { name, revision };
}

/** Where a hub lists a model's files, with their sizes and hashes. */
export function listingAddress(endpoint: URL, { name, revision }: HubName): URL {
  return below(endpoint, `api/models/${name}/revision/${encodeURIComponent(revision)}?blobs=true`);
}

export function fileAddress(endpoint: URL, { name, revision }: HubName, file: string): URL {
  const path = file.split("/").map(encodeURIComponent).join("/");
  return below(endpoint, `${name}/resolve/${encodeURIComponent(revision)}/${path}`);
}

/** Where people read about the model. */
export function cardAddress(endpoint: URL, name: string): string {
  return below(endpoint, name).href;
}

/** A mirror may have a path of its own before the hub's. */
function below(endpoint: URL, path: string): URL {
  return new URL(path, endpoint.href.endsWith("/") ? endpoint.href : `${endpoint.href}/`);
}
