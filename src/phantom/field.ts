/** A square grid of numbers over the unit square: what phantom pictures are painted on before they become grey or colour. */
import type { Random } from '../data/random.js';

/** A function of a place; x runs right and y down, both from 0 to 1. */
export type At = (x: number, y: number) => number;

/** Edges of a rectangle: left, top, right, bottom. */
export type Box = readonly [number, number, number, number];

/** Coverage of a shape, which is 0 outside of its box. */
export type Shape = At & { readonly box?: Box };

/** A square field of physical values: Hounsfield units, echo strength, optical density. */
export class Field {
  readonly size: number;
  readonly values: Float32Array;

  constructor(size: number, fill: number | At = 0) {
    this.size = size;
    this.values = new Float32Array(size * size);
    if (typeof fill === 'number') this.values.fill(fill);
    else this.paint((_, x, y) => fill(x, y));
  }

  /** Replaces each value by a function of it and its place. */
  paint(next: (value: number, x: number, y: number) => number): this {
    const { size, values } = this;
    for (let row = 0, i = 0; row < size; row++) {
      const y = (row + 0.5) / size;
      for (let column = 0; column < size; column++, i++) {
        values[i] = next(values[i] as number, (column + 0.5) / size, y);
      }
    }
    return this;
  }

  /** Like {@link paint} within a box, for things smaller than the picture. */
  paintIn(box: Box | undefined, next: (value: number, x: number, y: number) => number): this {
    if (box === undefined) return this.paint(next);
    const { size, values } = this;
    const clamp = (at: number) => Math.min(size, Math.max(0, at));
    const [left, right] = [clamp(Math.floor(box[0] * size)), clamp(Math.ceil(box[2] * size))];
    const [top, bottom] = [clamp(Math.floor(box[1] * size)), clamp(Math.ceil(box[3] * size))];
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const i = row * size + column;
        values[i] = next(values[i] as number, (column + 0.5) / size, (row + 0.5) / size);
      }
    }
    return this;
  }

  /** Moves values towards `value` by as much as a shape covers (0 to 1) at each place. */
  cover(value: number | At, shape: Shape): this {
    return this.paintIn(shape.box, (old, x, y) => {
      const share = shape(x, y);
      if (share <= 0) return old;
      return old + share * ((typeof value === 'number' ? value : value(x, y)) - old);
    });
  }

  /** Adds an amount where a shape covers. */
  add(amount: number | At, shape: Shape): this {
    return this.paintIn(shape.box, (old, x, y) => {
      const share = shape(x, y);
      return share <= 0 ? old : old + share * (typeof amount === 'number' ? amount : amount(x, y));
    });
  }

  /** The value at a place, between the pixels. */
  sample(x: number, y: number): number {
    const { size, values } = this;
    const px = Math.min(size - 1.001, Math.max(0, x * size - 0.5));
    const py = Math.min(size - 1.001, Math.max(0, y * size - 0.5));
    const [column, row] = [Math.floor(px), Math.floor(py)];
    const [u, v] = [px - column, py - row];
    const i = row * size + column;
    const top = (values[i] as number) * (1 - u) + (values[i + 1] as number) * u;
    const bottom = (values[i + size] as number) * (1 - u) + (values[i + size + 1] as number) * u;
    return top * (1 - v) + bottom * v;
  }

  /** Blurs by about a Gaussian (three box filters); widths are standard deviations as shares of the side. */
  blur(width: number, height = width): this {
    for (let pass = 0; pass < 3; pass++) {
      this.boxBlur(width, true);
      this.boxBlur(height, false);
    }
    return this;
  }

  private boxBlur(deviation: number, along: boolean): void {
    const { size, values } = this;
    // The variance of a box of 2r+1 is r(r+1)/3; three of them add up.
    const variance = (deviation * size) ** 2;
    const radius = Math.round((Math.sqrt(1 + 4 * variance) - 1) / 2);
    if (radius < 1) return;
    const line = new Float32Array(size);
    const [step, jump] = along ? [1, size] : [size, 1];
    for (let k = 0; k < size; k++) {
      const start = k * jump;
      for (let i = 0; i < size; i++) line[i] = values[start + i * step] as number;
      const at = (i: number) => line[Math.min(size - 1, Math.max(0, i))] as number;
      let sum = 0;
      for (let i = -radius; i <= radius; i++) sum += at(i);
      for (let i = 0; i < size; i++) {
        values[start + i * step] = sum / (2 * radius + 1);
        sum += at(i + radius + 1) - at(i - radius);
      }
    }
  }

  /** Adds noise of its own at each pixel, about normal. */
  grain(random: Random, deviation: number | At): this {
    return this.paint((value, x, y) => {
      const amount = typeof deviation === 'number' ? deviation : deviation(x, y);
      return value + amount * grain(random);
    });
  }
}

/** About normal with variance 1: the sum of four bytes, at a quarter of the cost of an exact draw. */
export function grain(random: Random): number {
  const word = random.word();
  const sum = (word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24);
  return (sum - 510) / 147.8;
}

/** 0 below `low`, 1 above `high`, smooth between. */
export function smooth(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

/** A linear step between two values. */
export function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

/** Smooth random variation in about [-1, 1]: value noise over a grid of `cells` to the side, halved and doubled in octaves. */
export function fractal(random: Random, cells: number, octaves = 1): At {
  const layers = Array.from({ length: octaves }, (_, k) => lattice(random, cells * 2 ** k));
  let total = 0;
  for (let k = 0; k < octaves; k++) total += 0.5 ** k;
  return (x, y) => {
    let sum = 0;
    for (let k = 0; k < octaves; k++) sum += 0.5 ** k * (layers[k] as At)(x, y);
    return sum / total;
  };
}

function lattice(random: Random, cells: number): At {
  const side = cells + 2;
  const knots = Float32Array.from({ length: side * side }, () => random.uniform(-1, 1));
  return (x, y) => {
    const px = Math.min(cells, Math.max(0, x * cells));
    const py = Math.min(cells, Math.max(0, y * cells));
    const [column, row] = [Math.floor(px), Math.floor(py)];
    const [u, v] = [fade(px - column), fade(py - row)];
    const i = row * side + column;
    const top = mix(knots[i] as number, knots[i + 1] as number, u);
    const bottom = mix(knots[i + side] as number, knots[i + side + 1] as number, u);
    return mix(top, bottom, v);
  };
}

function fade(t: number): number {
  return t * t * (3 - 2 * t);
}
