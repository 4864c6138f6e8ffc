/** Shape arithmetic. */
import { check } from '../gpu/index.js';

/** Sizes of a tensor's dimensions, slowest first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements. */
export function numel(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** True for equal shapes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** `[2, 3]`. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Rejects shapes that no buffer can hold: zero, negative, fractional or absurdly large dimensions. */
export function checkShape(shape: Shape, what: string): void {
  check(
    shape.every((d) => Number.isSafeInteger(d) && d > 0),
    'shape',
    () => `${what}: shape ${showShape(shape)} has a dimension that is not a positive integer`,
  );
  check(Number.isSafeInteger(numel(shape)), 'shape', () => `${what}: shape ${showShape(shape)} is too large`);
}

/** Resolves one -1 in a target shape. */
export function inferShape(target: Shape, size: number, what: string): Shape {
  const holes = target.filter((d) => d === -1).length;
  check(holes <= 1, 'shape', () => `${what}: only one dimension may be -1 in ${showShape(target)}`);
  const known = target.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const shape = holes === 0 ? target : target.map((d) => (d === -1 ? size / known : d));
  check(numel(shape) === size && shape.every((d) => Number.isInteger(d) && d > 0), 'shape', () => {
    return `${what}: ${size} elements do not fit shape ${showShape(target)}`;
  });
  return shape;
}

/** The shape of an elementwise result under NumPy's broadcasting rules. */
export function broadcastShape(a: Shape, b: Shape, what: string): Shape {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const da = a[i - rank + a.length] ?? 1;
    const db = b[i - rank + b.length] ?? 1;
    check(da === db || da === 1 || db === 1, 'shape', () => {
      return `${what}: shapes ${showShape(a)} and ${showShape(b)} do not broadcast`;
    });
    out.push(Math.max(da, db));
  }
  return out;
}
