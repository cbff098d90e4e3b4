import { Type } from "@sinclair/typebox";
import type { Static, TSchema } from "@sinclair/typebox";

/** One row of the table of settings, and short ways to write its type. */

/** What a default may depend on. */
export interface Machine {
  /** CPUs that this process may use, after affinity and cgroup quota. */
  cpus: number;
}

export interface Setting<S extends TSchema> {
  schema: S;
  /** A value, or how it follows from the machine (then `defaultText` says so in words). */
  default: Static<S> | ((machine: Machine) => Static<S>);
  defaultText?: string;
  option: string;
  help: string;
  group: string;
  /** Environment names accepted beside `LECTERN_<OPTION>`, which wins over them. */
  otherEnv?: readonly string[];
  /** Never shown, neither in logs nor in error texts. */
  secret?: boolean;
  /** May be given more than once; the values are joined with commas. */
  many?: boolean;
  /** Taken over when the configuration is read again, without a restart. */
  reload?: boolean;
}

export const text = () => Type.String({ minLength: 1 });
export const textOrNone = () => Type.Union([Type.String({ minLength: 1 }), Type.Null()]);
export const integer = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum });
export const integerOrNone = (minimum: number, maximum: number) =>
  Type.Union([Type.Integer({ minimum, maximum }), Type.Null()]);
export const number = (minimum: number, maximum: number) => Type.Number({ minimum, maximum });
export const numberOrNone = (minimum: number, maximum: number) =>
  Type.Union([Type.Number({ minimum, maximum }), Type.Null()]);
export const choice = <const T extends readonly string[]>(values: T) =>
  Type.Union(values.map((value) => Type.Literal(value as T[number])));

export function setting<S extends TSchema>(
  group: string,
  option: string,
  schema: S,
  fallback: Setting<S>["default"],
  help: string,
  more: Partial<Pick<Setting<S>, "defaultText" | "otherEnv" | "secret" | "many" | "reload">> = {},
): Setting<S> {
  return { group, option, schema, default: fallback, help, ...more };
}

/** A key, which other users of the machine see where it is given as a flag; {@link keyFile} is its other half. */
export const key = (group: string, option: string, help: string) =>
  setting(group, option, textOrNone(), null, help, { secret: true });
/** The file that holds the key of the option of the same name without `-file`. */
export const keyFile = (group: string, option: string) =>
  setting(
    group,
    `${option}-file`,
    textOrNone(),
    null,
    `file that holds ${option}, which other users cannot see in \`ps\``,
  );

/** Stands for "no upper bound" in the table. */
export const MAX = Number.MAX_SAFE_INTEGER;

/** The settings cannot be used; the message is one line that names the option and the way out. */
export class ConfigError extends Error {
  override name = "ConfigError";
}
