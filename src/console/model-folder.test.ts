import { expect, test } from "bun:test";
import { filesFor, modelFolder } from "./model-folder.ts";

const dropped = (...paths: string[]) => paths.map((path) => ({ file: new File(["x"], path), path }));
const pathsOf = (files: readonly { path: string }[]) => files.map(({ path }) => path);

test("the folder's name is the model's first, and paths begin inside it", () => {
  const folder = modelFolder(dropped("house/config.json", "house/onnx/model.onnx"));
  expect([folder.name, pathsOf(folder.files), folder.graphs]).toEqual([
    "house",
    ["config.json", "onnx/model.onnx"],
    ["onnx/model.onnx"],
  ]);
  const loose = modelFolder(dropped("config.json", "model.onnx"));
  expect([loose.name, pathsOf(loose.files)]).toEqual(["", ["config.json", "model.onnx"]]);
});

test("weights that are not read are not sent, those of a step after pooling are", () => {
  const { files } = modelFolder(
    dropped("h/model.safetensors", "h/pytorch_model.bin", "h/2_Dense/model.safetensors", "h/2_Dense/config.json"),
  );
  expect(pathsOf(files)).toEqual(["2_Dense/model.safetensors", "2_Dense/config.json"]);
});

test("of several graphs the likely one comes first, and is sent with its own weights alone", () => {
  const folder = modelFolder(
    dropped(
      "h/a.json",
      "h/onnx/model_int8.onnx",
      "h/onnx/model.onnx",
      "h/onnx/model.onnx_data",
      "h/onnx/model_int8.onnx.data",
    ),
  );
  expect(folder.graphs).toEqual(["onnx/model.onnx", "onnx/model_int8.onnx"]);
  expect(pathsOf(filesFor(folder, "onnx/model.onnx"))).toEqual(["a.json", "onnx/model.onnx", "onnx/model.onnx_data"]);
  expect(pathsOf(filesFor(folder, "onnx/model_int8.onnx"))).toEqual([
    "a.json",
    "onnx/model_int8.onnx",
    "onnx/model_int8.onnx.data",
  ]);
});

test("a folder without a graph, or nothing at all, has none", () => {
  expect(modelFolder(dropped("h/config.json")).graphs).toEqual([]);
  expect(modelFolder([])).toEqual({ name: "", files: [], graphs: [] });
});
