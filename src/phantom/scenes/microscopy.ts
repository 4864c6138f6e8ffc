/** Bright-field microscopy: stains absorb light by Beer and Lambert's law; blood smear and tissue section. */
import type { Random } from '../../data/random.js';
import { Field, fractal, grain, smooth } from '../field.js';
import { type Channels, colourField } from '../picture.js';
import type { Composition, Finding, Lesion, Look, Plan, Scene } from '../scene.js';
import { blob, ellipse, near, stroke, union, wander } from '../shapes.js';

const SIGNS = 'stained cells in pink and violet on a light ground';

/** Optical density per unit of stain in red, green and blue: eosin, haematoxylin (or azure), and brown pigment. */
const EOSIN = [0.09, 0.95, 0.28] as const;
const VIOLET = [0.72, 0.95, 0.34] as const;

/** Amounts of stain. */
interface Slide {
  readonly eosin: Field;
  readonly violet: Field;
}

function develop(size: number, { eosin, violet }: Slide, look: Look, random: Random): Channels {
  eosin.blur(0.0016);
  violet.blur(0.0016);
  const noise = 0.014 * look.noise;
  const uneven = fractal(random, 2, 1);
  return colourField(size, (x, y) => {
    const i = Math.min(size - 1, Math.floor(y * size)) * size + Math.min(size - 1, Math.floor(x * size));
    const [pink, blue] = [Math.max(0, eosin.values[i] as number), Math.max(0, violet.values[i] as number)];
    const light = 0.95 + 0.02 * uneven(x, y) - 0.12 * Math.hypot(x - 0.5, y - 0.5) ** 2;
    const colour = (k: 0 | 1 | 2) =>
      light * Math.exp(-EOSIN[k] * pink - VIOLET[k] * blue) + noise * grain(random);
    return [colour(0), colour(1) * 0.985, colour(2)];
  });
}

/** Places at least `gap` apart, and away from what is taken. */
function scatter(random: Random, tries: number, gap: number, taken: readonly Lesion[]): [number, number][] {
  const out: [number, number][] = [];
  for (let k = 0; k < tries; k++) {
    const [x, y] = [random.uniform(-0.03, 1.03), random.uniform(-0.03, 1.03)];
    const free = taken.every((other) => Math.hypot(other.x - x, other.y - y) > other.radius + gap * 0.55);
    if (free && out.every(([a, b]) => Math.hypot(a - x, b - y) > gap)) out.push([x, y]);
  }
  return out;
}

const BLAST: Finding = {
  name: 'Acute leukaemia',
  looks: 'a round violet blast cell, nearly all nucleus',
  kind: 'focal',
};
const SICKLE: Finding = {
  name: 'Sickle cell anaemia',
  looks: 'sickle-shaped red cells',
  kind: 'diffuse',
  scale: 'mild: less than a quarter of the red cells are sickles; moderate: up to a half; severe: more',
};

const blood: Scene = {
  modality: 'Microscopy',
  anatomy: 'Blood',
  region: 'cells',
  modalitySigns: SIGNS,
  anatomySigns: 'single pink red cells with pale centres on a clear ground',
  findings: [BLAST, SICKLE],
  compose(random): Composition {
    const cell = random.uniform(0.034, 0.04);
    const [nx, ny] = [random.uniform(0.15, 0.85), random.uniform(0.15, 0.85)];
    return {
      attributes: {},
      fits: (_, x, y, radius) => Math.min(x, y, 1 - x, 1 - y) > radius + 0.01,
      paint(size, plan, look, texture) {
        const slide: Slide = { eosin: new Field(size, 0.02), violet: new Field(size, 0.015) };
        // One normal white cell, with a nucleus in lobes, unless a lesion is in its place.
        const white: Lesion = { x: nx, y: ny, radius: 0.062 };
        const free = plan.lesions.every(
          (other) => Math.hypot(other.x - nx, other.y - ny) > other.radius + 0.1,
        );
        const taken = free && plan.finding !== BLAST ? [...plan.lesions, white] : plan.lesions;
        redCells(slide, plan, cell, taken, texture);
        if (taken !== plan.lesions) neutrophil(slide, white, texture);
        for (const lesion of plan.lesions) blast(slide, lesion, look, texture);
        for (let k = 0; k < 7; k++) {
          const [px, py] = [texture.uniform(0, 1), texture.uniform(0, 1)];
          slide.violet.add(0.5, blob(texture, px, py, texture.uniform(0.006, 0.01), 0.2, 0.004));
        }
        return develop(size, slide, look, texture);
      },
    };
  },
};

function redCells(
  { eosin }: Slide,
  { finding, grade }: Plan,
  cell: number,
  taken: readonly Lesion[],
  random: Random,
): void {
  const share = finding === SICKLE ? { mild: 0.14, moderate: 0.38, severe: 0.7 }[grade ?? 'mild'] : 0;
  const places = scatter(random, 900, cell * 1.9, taken);
  const sickles = Math.round(share * places.length);
  for (const [k, [x, y]] of places.entries()) {
    const density = random.uniform(0.42, 0.52);
    if (k < sickles) {
      const angle = random.uniform(0, 6.28);
      const arc = Array.from({ length: 9 }, (_, i): [number, number] => {
        const t = (i / 8 - 0.5) * 2.5;
        const r = cell * 1.25;
        const [dx, dy] = [r * Math.sin(t), r * (Math.cos(t) - 0.75)];
        return [
          x + dx * Math.cos(angle) - dy * Math.sin(angle),
          y + dx * Math.sin(angle) + dy * Math.cos(angle),
        ];
      });
      const thin = union(
        stroke(arc.slice(0, 5), cell * 0.12, cell * 0.75),
        stroke(arc.slice(4), cell * 0.75, cell * 0.12),
      );
      eosin.add(density * 1.25, thin);
      continue;
    }
    const radius = cell * random.uniform(0.92, 1.05);
    const outline = blob(random, x, y, radius, 0.035, 0.005);
    // A disc that is hollow on both sides: thickest near its rim.
    eosin.add((px, py) => {
      const far = Math.hypot(px - x, py - y) / radius;
      return density * (1 - 0.72 * Math.exp(-((far / 0.42) ** 2)));
    }, outline);
  }
}

function neutrophil({ eosin, violet }: Slide, { x, y, radius }: Lesion, random: Random): void {
  eosin.add(0.22, blob(random, x, y, radius, 0.05, 0.006));
  const turn = random.uniform(0, 6.28);
  for (let k = 0; k < 3; k++) {
    const angle = turn + k * 1.5;
    const [lx, ly] = [x + radius * 0.45 * Math.cos(angle), y + radius * 0.45 * Math.sin(angle)];
    violet.cover(1.15, blob(random, lx, ly, radius * 0.33, 0.12, 0.005));
  }
}

function blast({ eosin, violet }: Slide, { x, y, radius }: Lesion, look: Look, random: Random): void {
  const strength = 0.5 + 0.5 * look.contrast;
  const chromatin = fractal(random, 46, 2);
  eosin.cover(0.1, blob(random, x, y, radius, 0.04, 0.005));
  violet.add(0.3 * strength, blob(random, x, y, radius, 0.04, 0.005));
  const nucleus = blob(random, x + 0.05 * radius, y, radius * 0.86, 0.05, 0.006);
  violet.add((px, py) => strength * (0.75 + 0.22 * chromatin(px, py)), nucleus);
  for (let k = 0; k < 2; k++) {
    const [nx, ny] = [x + radius * random.uniform(-0.4, 0.4), y + radius * random.uniform(-0.4, 0.4)];
    violet.add(-0.35 * strength, ellipse(nx, ny, radius * 0.14, radius * 0.14, 0, 0.005));
  }
}

const CARCINOMA: Finding = {
  name: 'Adenocarcinoma',
  looks: 'a nest of crowded, dark, irregular nuclei',
  kind: 'focal',
};
const INFLAMMATION: Finding = {
  name: 'Colitis',
  looks: 'many small, dark inflammatory cells between the glands',
  kind: 'diffuse',
  scale: 'mild: single cells; moderate: loose groups; severe: the space between the glands is full',
};

const colon: Scene = {
  modality: 'Microscopy',
  anatomy: 'Colon',
  region: 'torso',
  modalitySigns: SIGNS,
  anatomySigns: 'round glands, rings of nuclei around a pale centre, in pink tissue',
  findings: [CARCINOMA, INFLAMMATION],
  compose(random): Composition {
    const gland = random.uniform(0.072, 0.084);
    return {
      attributes: {},
      fits: (_, x, y, radius) => Math.min(x, y, 1 - x, 1 - y) > radius + 0.02,
      paint(size, { finding, lesions, grade }, look, texture) {
        const fibres = fractal(texture, 22, 3);
        const slide: Slide = {
          eosin: new Field(size, (x, y) => 0.3 + 0.1 * fibres(x * 1.6, y * 0.7)),
          violet: new Field(size, (x, y) => 0.05 + 0.03 * fibres(y, x)),
        };
        const glands = scatter(texture, 500, gland * 2.3, lesions);
        const cells =
          finding === INFLAMMATION ? { mild: 130, moderate: 420, severe: 1300 }[grade ?? 'mild'] : 38;
        for (let k = 0; k < cells; k++) {
          const [x, y] = [texture.uniform(0, 1), texture.uniform(0, 1)];
          if (glands.some(([gx, gy]) => Math.hypot(gx - x, gy - y) < gland * 1.06)) continue;
          const round = finding === INFLAMMATION;
          const turn = texture.uniform(0, 3.14);
          slide.violet.cover(
            0.95,
            ellipse(x, y, round ? 0.0075 : 0.011, round ? 0.0075 : 0.0045, turn, 0.003),
          );
        }
        for (const [x, y] of glands) crypt(slide, x, y, gland, texture);
        for (let k = 0; k < 3; k++) {
          const line = stroke(
            wander(
              texture,
              texture.uniform(0, 1),
              texture.uniform(0, 1),
              texture.uniform(0, 6.28),
              0.25,
              0.3,
            ),
            0.004,
            0.002,
            0.004,
          );
          slide.eosin.add(0.22, line);
        }
        for (const lesion of lesions) nest(slide, lesion, look, texture);
        return develop(size, slide, look, texture);
      },
    };
  },
};

/** A gland cut across: nuclei at the rim, mucus in the cells, an open centre. */
function crypt({ eosin, violet }: Slide, x: number, y: number, radius: number, random: Random): void {
  const [rx, ry, turn] = [
    radius * random.uniform(0.85, 1.05),
    radius * random.uniform(0.85, 1.05),
    random.uniform(0, 3.14),
  ];
  eosin.cover(0.14, ellipse(x, y, rx, ry, turn, 0.006));
  violet.cover(0.06, ellipse(x, y, rx, ry, turn, 0.006));
  eosin.cover(0.01, ellipse(x, y, rx * 0.25, ry * 0.25, turn, 0.008));
  const count = 22;
  for (let k = 0; k < count; k++) {
    const angle = ((k + random.uniform(-0.2, 0.2)) / count) * 2 * Math.PI;
    const [dx, dy] = [rx * 0.88 * Math.cos(angle), ry * 0.88 * Math.sin(angle)];
    const [nx, ny] = [
      x + dx * Math.cos(turn) - dy * Math.sin(turn),
      y + dx * Math.sin(turn) + dy * Math.cos(turn),
    ];
    violet.cover(random.uniform(0.75, 0.95), ellipse(nx, ny, 0.0115, 0.0062, angle + turn, 0.003));
    // Walls between the cells.
    const wall = stroke(
      [
        [nx, ny],
        [x + 0.3 * (nx - x), y + 0.3 * (ny - y)],
      ],
      0.002,
      0.002,
      0.003,
    );
    eosin.add(0.12, wall);
  }
}

/** Tumour cells: crowded, large, dark, no two alike. */
function nest({ eosin, violet }: Slide, { x, y, radius }: Lesion, look: Look, random: Random): void {
  const strength = 0.5 + 0.5 * look.contrast;
  const outline = blob(random, x, y, radius, 0.1, 0.008);
  eosin.cover(0.42, outline);
  violet.cover(0.38 * strength, outline);
  const cells = Math.round((radius / 0.0125) ** 2);
  for (let k = 0; k < cells; k++) {
    const [angle, far] = [random.uniform(0, 6.28), radius * 0.95 * Math.sqrt(random.uniform())];
    const [cx, cy] = [x + far * Math.cos(angle), y + far * Math.sin(angle)];
    const size = random.uniform(0.008, 0.015);
    violet.cover(strength * random.uniform(0.9, 1.5), blob(random, cx, cy, size, 0.16, 0.003));
  }
  const rim = (px: number, py: number) =>
    smooth(0.012, 0, Math.abs(Math.hypot(px - x, py - y) - radius * 1.08));
  eosin.add(0.16, near(x, y, 2 * radius, rim));
}

/** Microscopy of blood and colon. */
export const MICROSCOPY_SCENES: readonly Scene[] = [blood, colon];
