/** 2_Dense: config.json and model.safetensors of a projection after pooling. */
import type { DenseLayer } from "./pooling.ts";
import type { JsonFiles } from "./json-files.ts";
import type { ModelFiles } from "./model-files.ts";
import { numberOf, stringOf } from "./json-files.ts";
import { readSafetensors } from "./safetensors.ts";
import { messageOf } from "../../errors.ts";

const ACTIVATIONS: Readonly<Record<string, DenseLayer["activation"]>> = {
  Identity: "identity",
  Tanh: "tanh",
  ReLU: "relu",
};

/**
 * null where the layer cannot be computed here: with a problem noted, or, where its weights alone are missing, with that
 * put into `unread`: a graph may have the layer within.
 * @param path the module's folder with a slash at its end
 */
export async function readDense(
  { json, files, unread }: { json: JsonFiles; files: ModelFiles; unread: string[] },
  path: string,
): Promise<DenseLayer | null> {
  const config = await json.required(`${path}config.json`);
  const weights = `${path}model.safetensors`;
  if (!json.has(weights)) {
    const other = json.has(`${path}pytorch_model.bin`)
      ? " (pytorch_model.bin is not read: save it as safetensors)"
      : "";
    unread.push(`${weights} is missing${other}`);
    return null;
  }
  if (config === null) return null;
  const inputs = numberOf(config["in_features"]);
  const outputs = numberOf(config["out_features"]);
  const name = stringOf(config["activation_function"])?.split(".").at(-1) ?? "Tanh";
  const activation = ACTIVATIONS[name];
  if (inputs === null || outputs === null) json.problems.push(`${path}config.json lacks in_features or out_features`);
  if (activation === undefined) {
    json.problems.push(
      `${path}config.json: activation ${name} is not supported (${Object.keys(ACTIVATIONS).join(", ")} are)`,
    );
  }
  if (inputs === null || outputs === null || activation === undefined) return null;
  try {
    const tensors = readSafetensors(await files.bytes(weights));
    const weight = tensors.get("linear.weight");
    const bias = tensors.get("linear.bias");
    if (weight?.values.length !== inputs * outputs) throw new Error(`linear.weight is not ${outputs} x ${inputs}`);
    if (bias !== undefined && bias.values.length !== outputs) throw new Error(`linear.bias has not ${outputs} values`);
    return { inputs, outputs, activation, weight: weight.values, bias: bias?.values ?? null };
  } catch (error) {
    json.problems.push(`${weights}: ${messageOf(error)}`);
    return null;
  }
}
