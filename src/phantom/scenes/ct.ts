/** Axial computed tomography: Hounsfield units, a little correlated noise, a display window. */
import type { Random } from '../../data/random.js';
import { type At, Field, fractal, grain } from '../field.js';
import { type Channels, windowed } from '../picture.js';
import type { Composition, Finding, Look, Scene } from '../scene.js';
import { blob, ellipse, ellipseDepth, near, stroke, union, within, without } from '../shapes.js';

const SIGNS = 'a slice of the body with tissues in clean shades of grey, white bone and black air';

/** The slice's body before the organs: air, table, skin, fat and muscle. */
function body(size: number, x: number, y: number, rx: number, ry: number, fat: number): Field {
  const field = new Field(size, -1000);
  const tableY = y + ry + 0.035;
  field.cover(-250, (px, py) => arc(px, py, x, tableY - 1.1, 1.1, 0.008));
  field.cover(40, ellipse(x, y, rx, ry));
  field.cover(-105, ellipse(x, y, rx - 0.008, ry - 0.008));
  field.cover(55, ellipse(x, y, rx - fat, ry - fat));
  return field;
}

/** Coverage of a thin circular arc below its centre. */
function arc(px: number, py: number, x: number, y: number, radius: number, width: number): number {
  if (py < y || Math.abs(px - x) > 0.42) return 0;
  return Math.max(0, 1 - Math.abs(Math.hypot(px - x, py - y) - radius) / width);
}

/** A vertebra seen from below: body with a dense rim, canal, and three processes. */
function vertebra(field: Field, x: number, y: number): void {
  const processes = union(
    stroke(
      [
        [x, y + 0.05],
        [x, y + 0.125],
      ],
      0.022,
      0.014,
    ),
    stroke(
      [
        [x - 0.03, y + 0.04],
        [x - 0.085, y + 0.06],
      ],
      0.02,
      0.012,
    ),
    stroke(
      [
        [x + 0.03, y + 0.04],
        [x + 0.085, y + 0.06],
      ],
      0.02,
      0.012,
    ),
    ellipse(x, y + 0.05, 0.036, 0.034),
  );
  field.cover(480, processes);
  field.cover(620, ellipse(x, y, 0.058, 0.046));
  field.cover(230, ellipse(x, y - 0.002, 0.049, 0.037, 0, 0.012));
  field.cover(25, ellipse(x, y + 0.052, 0.021, 0.018));
}

/** Sections of ribs around the chest wall. */
function ribs(field: Field, x: number, y: number, rx: number, ry: number, tilt: number): void {
  for (let k = 0; k < 12; k++) {
    const angle = ((k + 0.5) / 12) * 2 * Math.PI + tilt;
    if (Math.sin(angle) > 0.9) continue;
    const [cx, cy] = [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
    const along = Math.atan2(ry * Math.cos(angle), -rx * Math.sin(angle));
    field.cover(650, ellipse(cx, cy, 0.034, 0.0095, along));
    field.cover(280, ellipse(cx, cy, 0.026, 0.0045, along));
  }
}

function display(
  field: Field,
  random: Random,
  look: Look,
  noise: number,
  low: number,
  high: number,
): Channels {
  // Reconstruction smooths the detectors' noise, so that neighbouring pixels vary together.
  const spots = new Field(field.size, () => grain(random)).blur(0.0035);
  const gain = noise * look.noise;
  field.blur(0.0022);
  for (let i = 0; i < field.values.length; i++) {
    field.values[i] = (field.values[i] as number) + gain * 1.6 * (spots.values[i] as number);
  }
  return windowed(field.grain(random, 0.35 * gain), low, high);
}

const NODULE: Finding = {
  name: 'Pulmonary nodule',
  looks: 'round grey tissue within the black lung',
  kind: 'focal',
};
const EFFUSION: Finding = {
  name: 'Pleural effusion',
  looks: 'a grey crescent of fluid behind the lung',
  kind: 'diffuse',
  sided: true,
  scale: 'mild: less than a quarter of the lung is covered; moderate: up to a half; severe: more',
};

const chest: Scene = {
  modality: 'CT',
  anatomy: 'Chest',
  region: 'torso',
  modalitySigns: SIGNS,
  anatomySigns: 'two air-filled lungs beside the heart',
  findings: [NODULE, EFFUSION],
  compose(random): Composition {
    const x = 0.5 + random.uniform(-0.015, 0.015);
    const y = 0.47 + random.uniform(-0.015, 0.015);
    const scale = random.uniform(0.95, 1.03);
    const [rx, ry] = [0.44 * scale, 0.35 * scale];
    const lungs = [
      ellipseDepth(x - 0.2 * scale, y - 0.01, 0.145 * scale, 0.235 * scale, 0.14),
      ellipseDepth(x + 0.2 * scale, y - 0.01, 0.145 * scale, 0.235 * scale, -0.14),
    ];
    const heart = ellipseDepth(x + 0.06, y - 0.03, 0.115 * scale, 0.13 * scale, -0.6);
    const tilt = random.uniform(-0.2, 0.2);
    return {
      attributes: {},
      fits: (_, px, py, radius) =>
        lungs.some((lung) => lung(px, py) > radius * 0.85) && heart(px, py) < -radius * 0.9,
      paint(size, { finding, lesions, grade, side }, look, texture) {
        const field = body(size, x, y, rx, ry, 0.045);
        ribs(field, x, y, rx - 0.052, ry - 0.052, tilt);
        field.cover(-40, ellipse(x, y - 0.02, 0.1, 0.2));
        const air = union(
          ...lungs.map(
            (lung): At =>
              (px, py) =>
                Math.min(1, Math.max(0, lung(px, py) / 0.008 + 0.5)),
          ),
        );
        const heartCover: At = (px, py) => Math.min(1, Math.max(0, heart(px, py) / 0.01 + 0.5));
        const mottle = fractal(texture, 24, 2);
        field.cover((px, py) => -860 + 25 * mottle(px, py), without(air, heartCover));
        vessels(field, texture, lungs, x, y);
        field.cover((px, py) => 150 + 8 * mottle(px, py), heartCover);
        field.cover(90, ellipse(x + 0.035, y + 0.0, 0.028, 0.075, -0.5, 0.015));
        field.cover(170, ellipse(x + 0.055, y + 0.165, 0.034, 0.034));
        field.cover(-990, ellipse(x - 0.01, y + 0.1, 0.02, 0.024));
        vertebra(field, x, y + 0.205);
        field.cover(420, ellipse(x, y - ry + 0.075, 0.055, 0.012));
        if (finding === EFFUSION) {
          const lung = lungs[side === 'left' ? 0 : 1] as At;
          const level = y - 0.01 + { mild: 0.13, moderate: 0.045, severe: -0.05 }[grade ?? 'mild'];
          field.cover(12, (px, py) => {
            const inLung = Math.min(1, Math.max(0, lung(px, py) / 0.008 + 0.5));
            const outward = Math.abs(px - x - (side === 'left' ? -0.2 : 0.2)) ** 2;
            return inLung * Math.min(1, Math.max(0, (py - level + 1.6 * outward) / 0.012 + 0.5));
          });
        }
        for (const { x: lx, y: ly, radius } of lesions) {
          const value = -820 + 880 * (0.55 + 0.45 * look.contrast);
          field.cover(value, blob(texture, lx, ly, radius, 0.06, 0.01));
        }
        return display(field, texture, look, 28, -1150, 400);
      },
    };
  },
};

/** Branches that thin out from the roots of the lungs. */
function vessels(field: Field, random: Random, lungs: readonly At[], x: number, y: number): void {
  for (const [i, lung] of lungs.entries()) {
    const towards = i === 0 ? Math.PI : 0;
    for (let k = 0; k < 9; k++) {
      const angle = towards + ((k - 4) / 4) * 1.25;
      const start: [number, number] = [x + (i === 0 ? -0.08 : 0.1), y + 0.01];
      const points: [number, number][] = [start];
      for (let step = 1, bend = angle; step <= 6; step++) {
        const [px, py] = points[step - 1] as [number, number];
        bend += random.uniform(-0.25, 0.25);
        points.push([px + 0.036 * Math.cos(bend), py + 0.036 * Math.sin(bend)]);
        // Vessels that leave the slice are cut across: small round dots.
        if (random.uniform() < 0.5) {
          const [dx, dy] = [px + random.uniform(-0.03, 0.03), py + random.uniform(-0.03, 0.03)];
          field.cover(
            -250,
            within(ellipse(dx, dy, 0.0045, 0.0045), (a, b) => (lung(a, b) > 0.01 ? 1 : 0)),
          );
        }
      }
      const line = stroke(points, 0.013, 0.003);
      field.cover(
        -120,
        near(x + (i === 0 ? -0.2 : 0.2), y, 0.26, (px, py) =>
          lung(px, py) > 0.012 ? 0.85 * line(px, py) : 0,
        ),
      );
    }
  }
}

const LIVER_CYST: Finding = {
  name: 'Hepatic cyst',
  looks: 'a sharply bounded, evenly dark area in the liver',
  kind: 'focal',
  most: 3,
};
const METASTASIS: Finding = {
  name: 'Hepatic metastasis',
  looks: 'a grey area with a bright rim in the liver',
  kind: 'focal',
  most: 3,
};

const abdomen: Scene = {
  modality: 'CT',
  anatomy: 'Abdomen',
  region: 'torso',
  modalitySigns: SIGNS,
  anatomySigns: 'the liver, the spleen and the kidneys around the spine',
  findings: [LIVER_CYST, METASTASIS],
  compose(random): Composition {
    const x = 0.5 + random.uniform(-0.015, 0.015);
    const y = 0.48 + random.uniform(-0.01, 0.01);
    const scale = random.uniform(0.95, 1.03);
    const [rx, ry] = [0.44 * scale, 0.34 * scale];
    const liverA = ellipseDepth(x - 0.2, y - 0.02, 0.19, 0.235, 0.1);
    const liverB = ellipseDepth(x - 0.05, y - 0.13, 0.2, 0.11, 0.25);
    const inner = ellipseDepth(x, y, rx - 0.062, ry - 0.062);
    const liver: At = (px, py) => Math.min(inner(px, py), Math.max(liverA(px, py), liverB(px, py)));
    const tilt = random.uniform(-0.2, 0.2);
    return {
      attributes: {},
      fits: (_, px, py, radius) => liver(px, py) > radius * 0.95,
      paint(size, { finding, lesions }, look, texture) {
        const field = body(size, x, y, rx, ry, 0.04);
        ribs(field, x, y, rx - 0.048, ry - 0.048, tilt);
        field.cover(-95, (px, py) => Math.min(1, Math.max(0, inner(px, py) / 0.008 + 0.5)));
        bowel(field, texture, x, y, inner);
        for (const side of [-1, 1]) kidney(field, x + side * 0.17, y + 0.15, side);
        const mottle = fractal(texture, 30, 2);
        field.cover(
          (px, py) => 108 + 5 * mottle(px, py),
          (px, py) => Math.min(1, Math.max(0, liver(px, py) / 0.008 + 0.5)),
        );
        hepaticVeins(field, texture, x - 0.17, y - 0.03, liver);
        field.cover(
          (px, py) => 122 + 5 * mottle(px, py),
          within(ellipse(x + 0.27, y + 0.06, 0.07, 0.13, -0.4), (px, py) => (inner(px, py) > 0.008 ? 1 : 0)),
        );
        stomach(field, x + 0.16, y - 0.11);
        field.cover(185, ellipse(x + 0.03, y + 0.105, 0.03, 0.03));
        field.cover(150, ellipse(x - 0.05, y + 0.095, 0.034, 0.024));
        vertebra(field, x, y + 0.185);
        for (const { x: lx, y: ly, radius } of lesions) {
          if (finding === LIVER_CYST) {
            const value = 108 - 106 * look.contrast;
            field.cover(value, blob(texture, lx, ly, radius, 0.03, 0.006));
          } else {
            field.cover(108 + 62 * look.contrast, blob(texture, lx, ly, radius, 0.1, 0.008));
            field.cover(108 - 62 * look.contrast, blob(texture, lx, ly, radius * 0.74, 0.12, 0.014));
          }
        }
        return display(field, texture, look, 13, -140, 240);
      },
    };
  },
};

function kidney(field: Field, x: number, y: number, side: number): void {
  field.cover(170, ellipse(x, y, 0.062, 0.085, side * 0.35));
  field.cover(120, ellipse(x - side * 0.01, y, 0.034, 0.055, side * 0.35, 0.02));
  field.cover(-90, ellipse(x - side * 0.045, y, 0.032, 0.026, 0, 0.012));
}

function stomach(field: Field, x: number, y: number): void {
  field.cover(70, ellipse(x, y, 0.115, 0.085, 0.5));
  const lumen = ellipse(x, y, 0.102, 0.072, 0.5);
  field.cover(15, lumen);
  // The patient lies on the back, so that gas is in front with a level below it.
  field.cover(
    -950,
    within(lumen, (_, py) => Math.min(1, Math.max(0, (y - 0.012 - py) / 0.006 + 0.5))),
  );
}

function bowel(field: Field, random: Random, x: number, y: number, inner: At): void {
  for (let k = 0; k < 9; k++) {
    const [bx, by] = [x + random.uniform(-0.02, 0.3), y + random.uniform(-0.04, 0.12)];
    if (inner(bx, by) < 0.05) continue;
    const radius = random.uniform(0.026, 0.04);
    field.cover(60, blob(random, bx, by, radius, 0.12));
    field.cover(random.uniform() < 0.3 ? -700 : 25, blob(random, bx, by, radius * 0.6, 0.15, 0.012));
  }
}

function hepaticVeins(field: Field, random: Random, x: number, y: number, liver: At): void {
  for (let k = 0; k < 6; k++) {
    let [px, py, angle] = [x + 0.08, y + 0.05, Math.PI + (k - 2.5) * 0.62];
    const points: [number, number][] = [[px, py]];
    for (let step = 0; step < 6; step++) {
      angle += random.uniform(-0.25, 0.25);
      px += 0.032 * Math.cos(angle);
      py += 0.032 * Math.sin(angle);
      points.push([px, py]);
    }
    const vein = stroke(points, 0.017, 0.005, 0.008);
    field.cover(
      148,
      near(x, y, 0.3, (a, b) => (liver(a, b) > 0.012 ? 0.8 * vein(a, b) : 0)),
    );
  }
}

const HAEMORRHAGE: Finding = {
  name: 'Intracerebral haemorrhage',
  looks: 'bright fresh blood within the brain',
  kind: 'focal',
  most: 3,
};
const INFARCT: Finding = {
  name: 'Ischaemic infarct',
  looks: 'a dark, swollen area of brain',
  kind: 'focal',
  most: 3,
};

const head: Scene = {
  modality: 'CT',
  anatomy: 'Brain',
  region: 'head',
  modalitySigns: SIGNS,
  anatomySigns: 'the brain within a white ring of skull',
  findings: [HAEMORRHAGE, INFARCT],
  compose(random): Composition {
    const x = 0.5 + random.uniform(-0.015, 0.015);
    const y = 0.48 + random.uniform(-0.01, 0.01);
    const scale = random.uniform(0.94, 1.02);
    const [rx, ry] = [0.335 * scale, 0.4 * scale];
    const brain = ellipseDepth(x, y, rx - 0.05, ry - 0.05);
    const ventricles = union(
      ...[-1, 1].flatMap((side) => [
        ellipse(x + side * 0.034, y - 0.075, 0.019, 0.07, side * -0.28, 0.012),
        ellipse(x + side * 0.05, y + 0.075, 0.018, 0.06, side * 0.5, 0.012),
      ]),
    );
    return {
      attributes: {},
      fits: (_, px, py, radius) => brain(px, py) > radius + 0.03 && Math.abs(px - x) > radius * 0.7 + 0.03,
      paint(size, { finding, lesions }, look, texture) {
        const field = new Field(size, -1000);
        field.cover(-250, (px, py) => arc(px, py, x, y - 0.15, ry + 0.2, 0.008));
        field.cover(30, ellipse(x, y, rx, ry));
        field.cover(1000, ellipse(x, y, rx - 0.016, ry - 0.016));
        field.cover(15, (px, py) => Math.min(1, Math.max(0, brain(px, py) / 0.006 + 0.5)));
        const folds = fractal(texture, 16, 2);
        const warp = fractal(texture, 9, 2);
        field.cover(
          (px, py) => {
            const depth = brain(px, py);
            const white = Math.min(1, Math.max(0, (depth - 0.045 + 0.03 * warp(px, py)) / 0.02));
            return 39 - 8 * white + 1.5 * folds(px, py);
          },
          (px, py) => {
            const depth = brain(px, py);
            const sulcus = Math.max(0, 1 - Math.abs(folds(px, py) * 7)) * Math.max(0, 1 - depth / 0.07);
            return Math.min(1, Math.max(0, (depth - 0.006) / 0.008)) * (1 - 0.75 * sulcus);
          },
        );
        for (const side of [-1, 1]) {
          field.cover(38, ellipse(x + side * 0.09, y + 0.005, 0.03, 0.055, side * -0.35, 0.02));
        }
        field.cover(6, ventricles);
        field.cover(
          48,
          stroke(
            [
              [x, y - ry + 0.06],
              [x, y - 0.15],
            ],
            0.007,
          ),
        );
        field.cover(
          48,
          stroke(
            [
              [x, y + 0.16],
              [x, y + ry - 0.06],
            ],
            0.007,
          ),
        );
        for (const { x: lx, y: ly, radius } of lesions) {
          if (finding === HAEMORRHAGE) {
            field.cover(26, blob(texture, lx, ly, radius * 1.12, 0.1, 0.015));
            field.cover(36 + 42 * look.contrast, blob(texture, lx, ly, radius, 0.12, 0.008));
          } else {
            field.cover(36 - 22 * look.contrast, blob(texture, lx, ly, radius, 0.14, 0.014));
          }
        }
        return display(field, texture, look, 3.4, -5, 85);
      },
    };
  },
};

/** Computed tomography of chest, abdomen and head. */
export const CT_SCENES: readonly Scene[] = [chest, abdomen, head];
