import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../test/helpers/random.ts";
import { lieOf } from "./ocr-skew.ts";

/** Lines of ink as letters leave them, turned clockwise about the middle. */
function lines(degrees: number) {
  const [xs, ys]: number[][] = [[], []];
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const random = seededRandom(3);
  for (let i = 0; i < 20_000; i++) {
    const [dx, dy] = [500 * random() - 250, 20 * Math.floor(30 * random()) + 7 * random() - 300];
    xs?.push(400 + cos * dx - sin * dy);
    ys?.push(500 + sin * dx + cos * dy);
  }
  return { xs: Float32Array.from(xs ?? []), ys: Float32Array.from(ys ?? []) };
}

describe("lieOf", () => {
  test.each([0, 0.7, -1.5, 3, -6, 9])("finds the skew of lines at %p degrees", (degrees) => {
    const { isSideways, skew } = lieOf(lines(degrees));
    expect(isSideways).toBe(false);
    expect(Math.abs(skew - degrees)).toBeLessThan(0.21);
  });

  test.each([90, 92, 88.5, 270, -93])("finds lines that run up or down at %p degrees", (degrees) => {
    const { isSideways, skew } = lieOf(lines(degrees));
    expect(isSideways).toBe(true);
    const beside = ((((degrees % 180) + 180) % 180) - 90) as number;
    expect(Math.abs(skew - beside)).toBeLessThan(0.21);
  });

  test("takes next to nothing for an upright page", () => {
    expect(lieOf({ xs: Float32Array.of(1, 2), ys: Float32Array.of(1, 2) })).toEqual({ isSideways: false, skew: 0 });
  });
});
