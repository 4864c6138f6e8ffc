/** How far numbers are from what a reference says. */

/** Verdict on one tensor. */
export interface TensorReport {
  readonly name: string;
  /** ||a - b|| / ||b||; null when it is not a number. */
  readonly rel: number | null;
  readonly maxAbs: number | null;
  readonly pass: boolean;
}

/** Tolerances: either is enough. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Adds up differences piece by piece, so that no tensor needs to be in memory whole. */
export class Difference {
  #squares = 0;
  #reference = 0;
  #most = 0;

  /** Adds a piece. */
  add(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
    for (let i = 0; i < expected.length; i++) {
      const d = Math.abs(actual[i] - expected[i]);
      this.#squares += d * d;
      this.#reference += expected[i] * expected[i];
      // Once NaN, always NaN.
      if (!(d <= this.#most) && !Number.isNaN(this.#most)) this.#most = d;
    }
  }

  /** The verdict. */
  report(name: string, { rtol, atol }: Tolerance): TensorReport {
    const error = Math.sqrt(this.#squares);
    const norm = Math.sqrt(this.#reference);
    const rel = error === 0 ? 0 : error / norm;
    const pass = error <= rtol * norm || this.#most <= atol;
    const number = (x: number) => (Number.isFinite(x) ? x : null);
    return { name, rel: number(rel), maxAbs: number(this.#most), pass };
  }
}
