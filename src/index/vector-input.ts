/** A vector that may not enter an index: of the wrong length, or with a component that is not a finite number. */
export class VectorRejectedError extends Error {
  override name = "VectorRejectedError";
  readonly reason: "dimensions" | "not-finite";

  constructor(reason: "dimensions" | "not-finite", message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * A copy of the vectors in `flat`, each scaled to unit length. A vector of zeros stays one: it is similar to nothing.
 * Throws VectorRejectedError; then nothing has been taken in.
 */
export function unitVectors(flat: Float32Array, dimensions: number): Float32Array {
  if (flat.length % dimensions !== 0) {
    throw new VectorRejectedError("dimensions", `${flat.length} numbers are no whole vectors of ${dimensions}`);
  }
  const unit = new Float32Array(flat.length);
  for (let start = 0; start < flat.length; start += dimensions) {
    let squares = 0;
    for (let i = start; i < start + dimensions; i++) squares += flat[i]! * flat[i]!;
    // Squares of finite 32-bit floats stay finite in 64 bits, so this one test sees every NaN and infinity.
    if (!Number.isFinite(squares)) {
      throw new VectorRejectedError("not-finite", `vector ${start / dimensions} has a component that is not finite`);
    }
    const factor = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let i = start; i < start + dimensions; i++) unit[i] = flat[i]! * factor;
  }
  return unit;
}

/** A query as one unit vector. Throws VectorRejectedError. */
export function unitQuery(query: Float32Array, dimensions: number): Float32Array {
  if (query.length !== dimensions) {
    throw new VectorRejectedError("dimensions", `a query of ${query.length} dimensions, expected ${dimensions}`);
  }
  return unitVectors(query, dimensions);
}
