/** Dermoscopy: skin that loses light to melanin and blood by Beer and Lambert's law, seen through oil and a round lens. */
import type { Random } from '../../data/random.js';
import { type At, Field, fractal, grain, mix, type Shape, smooth } from '../field.js';
import { aperture, type Channels, colourField } from '../picture.js';
import type { Composition, Finding, Lesion, Look, Region, Scene } from '../scene.js';
import { blob, ellipse, stroke, union, wander } from '../shapes.js';

const SIGNS = 'magnified skin in colour through a round lens';

/** How strongly red, green and blue light are absorbed. */
const MELANIN = [0.55, 1.0, 1.5] as const;
const BLOOD = [0.22, 1.5, 1.25] as const;
const BARE_SKIN = [0.95, 0.86, 0.79] as const;

/** What gives a patch of skin its colour. */
interface Skin {
  readonly melanin: Field;
  readonly blood: Field;
  /** Light scattered before it reaches a pigment: scars, keratin, milia. */
  readonly white: Field;
}

const NAEVUS: Finding = { name: 'Melanocytic naevus', looks: 'an even, symmetric brown spot', kind: 'focal' };
const MELANOMA: Finding = {
  name: 'Melanoma',
  looks: 'a ragged, uneven spot in brown, black and blue-white',
  kind: 'focal',
};
const ANGIOMA: Finding = {
  name: 'Haemangioma',
  looks: 'a spot of sharply bounded red lagoons',
  kind: 'focal',
};
const KERATOSIS: Finding = {
  name: 'Seborrhoeic keratosis',
  looks: 'a dull brown plaque with white, bead-like cysts',
  kind: 'focal',
};

/** Draws one lesion into the skin. */
function lesionOf(finding: Finding, skin: Skin, { x, y, radius }: Lesion, look: Look, random: Random): void {
  const { melanin, blood, white } = skin;
  const strength = 0.45 + 0.55 * look.contrast;
  const add = (field: Field, amount: number | At, shape: Shape) => field.add(amount, shape);
  if (finding === NAEVUS) {
    const mesh = honeycomb(random, 0.018);
    const shape = blob(random, x, y, radius, 0.05, 0.22 * radius);
    add(melanin, (px, py) => strength * (0.75 + 0.35 * mesh(px, py)), shape);
    return;
  }
  if (finding === MELANOMA) {
    const patches = fractal(random, Math.round(1.4 / radius), 2);
    const mesh = honeycomb(random, 0.022);
    const shape = blob(random, x, y, radius, 0.26, 0.006);
    const dx = random.uniform(-0.4, 0.4) * radius;
    add(melanin, (px, py) => strength * (1.15 + 1.05 * patches(px, py) + 0.5 * mesh(px, py)), shape);
    const veil = blob(random, x + dx, y - dx, radius * 0.42, 0.25, 0.2 * radius);
    add(white, 0.4 * strength, veil);
    add(blood, -0.12, veil);
    for (let k = 0; k < 6; k++) {
      const angle = random.uniform(0, 6.28);
      const [gx, gy] = [x + 0.88 * radius * Math.cos(angle), y + 0.88 * radius * Math.sin(angle)];
      add(melanin, 1.6 * strength, ellipse(gx, gy, 0.07 * radius + 0.003, 0.07 * radius + 0.003));
    }
    return;
  }
  if (finding === ANGIOMA) {
    add(blood, 0.35 * strength, blob(random, x, y, radius, 0.05, 0.01));
    const lagoons = Array.from({ length: 16 }, () => {
      const [angle, far] = [random.uniform(0, 6.28), radius * 0.78 * Math.sqrt(random.uniform())];
      const size = radius * random.uniform(0.14, 0.26);
      return ellipse(x + far * Math.cos(angle), y + far * Math.sin(angle), size, size * 0.85, angle, 0.005);
    });
    add(blood, 1.0 * strength, union(...lagoons));
    return;
  }
  const shape = blob(random, x, y, radius, 0.08, 0.004);
  const furrows = fractal(random, Math.round(1.6 / radius), 3);
  add(melanin, (px, py) => strength * (0.62 + 0.5 * furrows(px, py)), shape);
  add(white, 0.1, shape);
  for (let k = 0; k < 9; k++) {
    const [angle, far] = [random.uniform(0, 6.28), radius * 0.75 * Math.sqrt(random.uniform())];
    const size = Math.max(0.005, radius * random.uniform(0.05, 0.09));
    add(white, 0.6, ellipse(x + far * Math.cos(angle), y + far * Math.sin(angle), size, size, 0, 0.004));
  }
}

/** A net of lines around holes, as pigment lies around the papillae: 1 on the lines. */
function honeycomb(random: Random, pitch: number): At {
  const [sx, sy] = [random.uniform(0, 1), random.uniform(0, 1)];
  const bend = fractal(random, 7, 2);
  const third = (2 * Math.PI) / 3;
  return (x, y) => {
    const shift = 0.6 * pitch * bend(x, y);
    const [u, v] = [(2 * Math.PI * (x + sx + shift)) / pitch, (2 * Math.PI * (y + sy - shift)) / pitch];
    const sum =
      Math.cos(v) +
      Math.cos(u * Math.sin(third) + v * Math.cos(third)) +
      Math.cos(-u * Math.sin(third) + v * Math.cos(third));
    return 1 - smooth(-1.2, 0.6, sum);
  };
}

/** The three kinds of skin by their relief and pigment. */
type Relief = 'trunk' | 'acral' | 'face';

function compose(relief: Relief, random: Random): Composition {
  const tone = random.uniform(0.1, 0.42);
  const angle = random.uniform(-0.6, 0.6);
  const hairs = relief === 'acral' ? 0 : random.below(relief === 'trunk' ? 7 : 4);
  const lens = 0.485;
  return {
    attributes: {},
    fits: (_, x, y, radius) => Math.hypot(x - 0.5, y - 0.5) + radius < lens - 0.05,
    paint(size, { finding, lesions }, look, texture) {
      const mottle = fractal(texture, 5, 3);
      const blood = new Field(size, (x, y) => 0.17 + 0.05 * mottle(x, y));
      const white = new Field(size, 0);
      const melanin = skinOf(size, relief, tone, angle, texture);
      const skin: Skin = { melanin, blood, white };
      for (let k = 0; k < 5; k++) {
        const points = wander(
          texture,
          texture.uniform(0.1, 0.9),
          texture.uniform(0.1, 0.9),
          texture.uniform(0, 6.28),
          0.16,
          0.5,
        );
        const vessel = stroke(points, 0.0035, 0.002, 0.006);
        blood.add(0.25, vessel);
      }
      for (const lesion of lesions) if (finding) lesionOf(finding, skin, lesion, look, texture);
      for (let k = 0; k < hairs; k++) {
        const points = wander(
          texture,
          texture.uniform(0.05, 0.95),
          texture.uniform(0.05, 0.95),
          texture.uniform(0, 6.28),
          texture.uniform(0.3, 0.6),
          0.13,
          16,
        );
        const hair = stroke(points, 0.0075, 0.004, 0.002);
        melanin.add(2.6, hair);
        white.cover(0, hair);
      }
      return develop(size, skin, lens, look, texture);
    },
  };
}

function skinOf(size: number, relief: Relief, tone: number, angle: number, random: Random): Field {
  const uneven = fractal(random, 4, 3);
  const fine = fractal(random, 40, 2);
  const base: At = (x, y) => tone + 0.05 * uneven(x, y) + 0.025 * fine(x, y);
  if (relief === 'acral') {
    const warp = fractal(random, 3, 2);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return new Field(size, (x, y) => {
      const across = x * sin + y * cos + 0.02 * warp(x, y);
      const along = x * cos - y * sin;
      const ridge = Math.sin((2 * Math.PI * across) / 0.055);
      // Sweat ducts open as a row of light dots on the ridges.
      const pore = ridge > 0.7 ? Math.max(0, Math.sin((2 * Math.PI * along) / 0.04)) ** 6 : 0;
      return base(x, y) - 0.12 + 0.11 * smooth(0.2, -0.9, ridge) - 0.1 * pore;
    });
  }
  if (relief === 'face') {
    const field = new Field(size, (x, y) => base(x, y) + 0.1);
    for (let row = 0; row < 15; row++) {
      for (let column = 0; column < 15; column++) {
        const x = (column + 0.5 + (row % 2) * 0.5 + random.uniform(-0.25, 0.25)) / 15;
        const y = (row + 0.5 + random.uniform(-0.25, 0.25)) / 15;
        const radius = random.uniform(0.008, 0.014);
        field.cover(tone - 0.07, ellipse(x, y, radius, radius, 0, 0.006));
      }
    }
    return field;
  }
  const mesh = honeycomb(random, 0.03);
  return new Field(size, (x, y) => base(x, y) + 0.045 * mesh(x, y));
}

/** Light that comes back from the skin, through the lens. */
function develop(
  size: number,
  { melanin, blood, white }: Skin,
  lens: number,
  look: Look,
  random: Random,
): Channels {
  melanin.blur(0.0012);
  const glass = aperture(lens);
  const noise = 0.011 * look.noise;
  const column = (x: number) => Math.min(size - 1, Math.floor(x * size));
  return colourField(size, (x, y) => {
    const i = column(y) * size + column(x);
    const light = glass(x, y);
    const shine = Math.min(0.85, Math.max(0, white.values[i] as number));
    const colour = (k: 0 | 1 | 2) => {
      const lost =
        MELANIN[k] * Math.max(0, melanin.values[i] as number) +
        BLOOD[k] * Math.max(0, blood.values[i] as number);
      const back = BARE_SKIN[k] * Math.exp(-lost);
      const veil = [0.72, 0.76, 0.84][k] as number;
      return light * mix(back, veil, shine) + (light > 0 ? noise * grain(random) : 0.01);
    };
    return [colour(0), colour(1), colour(2)];
  });
}

const FINDINGS = [NAEVUS, MELANOMA, ANGIOMA, KERATOSIS];

function scene(anatomy: string, region: Region, anatomySigns: string, relief: Relief): Scene {
  return {
    modality: 'Dermoscopy',
    anatomy,
    region,
    modalitySigns: SIGNS,
    anatomySigns,
    findings: FINDINGS,
    compose: (random) => compose(relief, random),
  };
}

/** Dermoscopy of trunk, palm or sole, and face. */
export const DERMOSCOPY_SCENES: readonly Scene[] = [
  scene('Skin of the trunk', 'torso', 'a faint net of pigment lines', 'trunk'),
  scene('Skin of the palm or sole', 'leg', 'parallel ridges with rows of sweat pores', 'acral'),
  scene('Skin of the face', 'head', 'many round, light follicle openings', 'face'),
];
