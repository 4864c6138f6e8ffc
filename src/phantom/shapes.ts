/** Shapes as coverage: 1 inside, 0 outside, smooth over the width of an edge. */
import type { Random } from '../data/random.js';
import { type At, type Box, type Shape, smooth } from './field.js';

/** Width of an edge that looks sharp. */
const SHARP = 0.008;

function bounded(box: Box, shape: At): Shape {
  return Object.assign(shape, { box });
}

/** The square around a place. */
export function around(x: number, y: number, reach: number): Box {
  return [x - reach, y - reach, x + reach, y + reach];
}

/** The part of a shape in the square around a place. */
export function near(x: number, y: number, reach: number, shape: At): Shape {
  return bounded(around(x, y, reach), (px, py) => shape(px, py));
}

/** An ellipse, turned by `angle` radians clockwise. */
export function ellipse(x: number, y: number, rx: number, ry: number, angle = 0, edge = SHARP): Shape {
  const depth = ellipseDepth(x, y, rx, ry, angle);
  // Depth is measured along the short half axis, so that the edge is wider along the long one.
  const reach = Math.max(rx, ry) * (1 + edge / Math.min(rx, ry));
  return bounded(around(x, y, reach), (px, py) => smooth(-edge, edge, depth(px, py)));
}

/** How deep a place lies inside an ellipse: about the distance to its outline, negative outside. */
export function ellipseDepth(x: number, y: number, rx: number, ry: number, angle = 0): At {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const small = Math.min(rx, ry);
  return (px, py) => {
    const [dx, dy] = [px - x, py - y];
    return (1 - Math.hypot((dx * cos + dy * sin) / rx, (dy * cos - dx * sin) / ry)) * small;
  };
}

/** A round outline with bumps; `roughness` 0 is a circle, 0.3 a star. Its mean radius is `radius`. */
export function blob(
  random: Random,
  x: number,
  y: number,
  radius: number,
  roughness: number,
  edge = SHARP,
): Shape {
  const waves = [2, 3, 4, 5, 7].map((k) => ({
    k,
    size: (roughness * random.uniform(0.3, 1)) / Math.sqrt(k),
    phase: random.uniform(0, 2 * Math.PI),
  }));
  const reach = radius * (1 + waves.reduce((sum, { size }) => sum + size, 0)) + edge;
  return bounded(around(x, y, reach), (px, py) => {
    const [dx, dy] = [px - x, py - y];
    const distance = Math.hypot(dx, dy);
    if (distance > reach) return 0;
    const angle = Math.atan2(dy, dx);
    let bound = 1;
    for (const { k, size, phase } of waves) bound += size * Math.cos(k * angle + phase);
    return smooth(-edge, edge, radius * bound - distance);
  });
}

/** A line through points with round ends; its width may change from the first point to the last. */
export function stroke(
  points: readonly (readonly [number, number])[],
  width: number,
  endWidth = width,
  edge = SHARP / 2,
): Shape {
  const count = points.length - 1;
  const reach = Math.max(width, endWidth) / 2 + edge;
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, right] = [Math.min(...xs) - reach, Math.max(...xs) + reach];
  const [top, bottom] = [Math.min(...ys) - reach, Math.max(...ys) + reach];
  return bounded([left, top, right, bottom], (px, py) => {
    if (px < left || px > right || py < top || py > bottom) return 0;
    let depth = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const [ax, ay] = points[i] as readonly [number, number];
      const [bx, by] = points[i + 1] as readonly [number, number];
      const [ex, ey] = [bx - ax, by - ay];
      const along = ((px - ax) * ex + (py - ay) * ey) / (ex * ex + ey * ey || 1);
      const t = Math.min(1, Math.max(0, along));
      const half = (width + (endWidth - width) * ((i + t) / count)) / 2;
      depth = Math.max(depth, half - Math.hypot(px - ax - t * ex, py - ay - t * ey));
    }
    return smooth(-edge, edge, depth);
  });
}

/** Points of a path that wanders from a start, `length` long, in a direction that drifts. */
export function wander(
  random: Random,
  x: number,
  y: number,
  direction: number,
  length: number,
  bend: number,
  steps = 10,
): [number, number][] {
  const points: [number, number][] = [[x, y]];
  let [px, py, angle] = [x, y, direction];
  let turn = 0;
  for (let i = 0; i < steps; i++) {
    turn = 0.6 * turn + random.uniform(-bend, bend);
    angle += turn;
    px += (Math.cos(angle) * length) / steps;
    py += (Math.sin(angle) * length) / steps;
    points.push([px, py]);
  }
  return points;
}

/** What one of several shapes covers. */
export function union(...shapes: readonly Shape[]): Shape {
  const cover: At = (x, y) => {
    let most = 0;
    for (const shape of shapes) {
      const share = shape(x, y);
      if (share >= 1) return 1;
      if (share > most) most = share;
    }
    return most;
  };
  const boxes = shapes.flatMap(({ box }) => (box === undefined ? [] : [box]));
  if (boxes.length < shapes.length) return cover;
  const edge = (k: 0 | 1 | 2 | 3, of: (...values: number[]) => number) => of(...boxes.map((box) => box[k]));
  return bounded([edge(0, Math.min), edge(1, Math.min), edge(2, Math.max), edge(3, Math.max)], cover);
}

/** What both cover. */
export function within(a: Shape, b: At): Shape {
  const cover: At = (x, y) => {
    const share = a(x, y);
    return share <= 0 ? 0 : share * b(x, y);
  };
  return a.box === undefined ? cover : bounded(a.box, cover);
}

/** What the first covers and the second does not. */
export function without(a: Shape, b: At): Shape {
  return within(a, (x, y) => 1 - b(x, y));
}
