/**
 * Text fields of a multipart form as one object: `a[b]=1` and `a.b=1` nest, `a[]=1` collects,
 * whole numbers in nested fields become numbers (a form has only text), an object may be sent as JSON.
 */
export function nestFields(fields: readonly [name: string, value: string][]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of fields) {
    const path = /^[^[\]]+(\[[^[\]]*\])*$/.test(name)
      ? name.split(/[[\]]+/).filter((part, i) => i === 0 || part !== "")
      : [name];
    const [first = name, second] = path;
    if (name.endsWith("[]")) result[first] = [...(Array.isArray(result[first]) ? result[first] : []), value];
    else if (second === undefined) define(result, first, asObject(value));
    else {
      const inner = Object.hasOwn(result, first) && isObject(result[first]) ? result[first] : {};
      define(inner, path.slice(1).join("."), /^-?\d{1,15}$/.test(value) ? Number(value) : value);
      define(result, first, inner);
    }
  }
  return result;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As an own property, whatever the key: `__proto__` is a key like any other. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function asObject(value: string): unknown {
  if (!value.trimStart().startsWith("{")) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
