/** Magnetic resonance: tissues by proton density, T1 and T2, spin-echo contrast, a coil's bias field, Rician noise. */
import type { Random } from '../../data/random.js';
import { type At, Field, fractal, grain } from '../field.js';
import type { Channels } from '../picture.js';
import type { Composition, Finding, Look, Scene } from '../scene.js';
import { blob, ellipse, ellipseDepth, stroke, union } from '../shapes.js';

const SIGNS =
  'soft tissues in strong contrast, no signal from bone cortex, and brightness that drifts with the coil';

/** Proton density, T1 and T2 in milliseconds, at 1.5 tesla. */
interface Tissue {
  readonly density: number;
  readonly t1: number;
  readonly t2: number;
}

const TISSUES = {
  fat: { density: 0.95, t1: 260, t2: 70 },
  cortical: { density: 0.05, t1: 1000, t2: 10 },
  fluid: { density: 1, t1: 4000, t2: 2000 },
  grey: { density: 0.84, t1: 1150, t2: 98 },
  white: { density: 0.7, t1: 680, t2: 74 },
  muscle: { density: 0.78, t1: 870, t2: 45 },
  marrow: { density: 0.88, t1: 320, t2: 68 },
  oedema: { density: 0.9, t1: 1700, t2: 170 },
  tumour: { density: 0.88, t1: 1500, t2: 140 },
  plaque: { density: 0.9, t1: 1500, t2: 190 },
} as const satisfies Record<string, Tissue>;

const WEIGHTINGS = {
  T1: { repetition: 520, echo: 14, gain: 1.55 },
  T2: { repetition: 4200, echo: 98, gain: 1.75 },
} as const;
type Weighting = keyof typeof WEIGHTINGS;

/** Signal of a spin-echo sequence. */
function signal({ density, t1, t2 }: Tissue, weighting: Weighting): number {
  const { repetition, echo, gain } = WEIGHTINGS[weighting];
  return gain * density * (1 - Math.exp(-repetition / t1)) * Math.exp(-echo / t2);
}

/** Weights and coil of one examination. */
function examine(random: Random) {
  const weighting: Weighting = random.pick(['T1', 'T2']);
  const [tiltX, tiltY] = [random.uniform(-0.22, 0.22), random.uniform(-0.22, 0.22)];
  return {
    weighting,
    of: (tissue: Tissue) => signal(tissue, weighting),
    bias: (x: number, y: number) =>
      1 + tiltX * (x - 0.5) + tiltY * (y - 0.5) - 0.25 * Math.hypot(x - 0.5, y - 0.5),
  };
}

/** What the scanner makes of the signal: bias, point spread, and the magnitude of complex noise. */
function scan(field: Field, bias: At, look: Look, random: Random): Channels {
  field.blur(0.0026);
  const noise = 0.026 * look.noise;
  return [
    field.paint((value, x, y) =>
      Math.hypot(Math.max(0, value) * bias(x, y) + noise * grain(random), noise * grain(random)),
    ),
  ];
}

/** A lesion's signal, drawn closer to that of the tissue around it where contrast is low. */
function faded(lesion: number, around: number, contrast: number): number {
  return around + (lesion - around) * (0.4 + 0.6 * contrast);
}

const GLIOMA: Finding = {
  name: 'Brain tumour',
  looks: 'an irregular mass with a ring of swelling around it',
  kind: 'focal',
  most: 3,
};
const SCLEROSIS: Finding = {
  name: 'Multiple sclerosis',
  looks: 'a smooth oval plaque in the white matter',
  kind: 'focal',
};
const ATROPHY: Finding = {
  name: 'Hydrocephalus',
  looks: 'wide ventricles full of fluid',
  kind: 'diffuse',
  scale: 'mild: the ventricles span less than a third of the brain; moderate: up to a half; severe: more',
};

const brain: Scene = {
  modality: 'MRI',
  anatomy: 'Brain',
  region: 'head',
  modalitySigns: SIGNS,
  anatomySigns: 'folded cortex around white matter and two ventricles',
  findings: [GLIOMA, SCLEROSIS, ATROPHY],
  compose(random): Composition {
    const x = 0.5 + random.uniform(-0.015, 0.015);
    const y = 0.5 + random.uniform(-0.015, 0.015);
    const scale = random.uniform(0.96, 1.03);
    const [rx, ry] = [0.355 * scale, 0.43 * scale];
    const depth = ellipseDepth(x, y, rx - 0.06, ry - 0.06);
    const coil = examine(random);
    return {
      attributes: { weighting: coil.weighting },
      fits: (_, px, py, radius) => depth(px, py) > radius + 0.035 && Math.abs(px - x) > 0.6 * radius + 0.03,
      paint(size, { finding, lesions, grade }, look, texture) {
        const { of } = coil;
        const field = new Field(size, 0);
        field.cover(of(TISSUES.fat), ellipse(x, y, rx, ry));
        field.cover(of(TISSUES.cortical), ellipse(x, y, rx - 0.026, ry - 0.026));
        field.cover(of(TISSUES.fluid), ellipse(x, y, rx - 0.048, ry - 0.048));
        const folds = fractal(texture, 13, 2);
        const warp = fractal(texture, 10, 2);
        const texturing = fractal(texture, 40, 1);
        field.cover(
          (px, py) => {
            // White matter reaches into the folds: its border follows the same noise as the furrows.
            const white = Math.min(
              1,
              Math.max(
                0,
                (depth(px, py) - 0.05 + 0.055 * Math.abs(folds(px, py)) * 2 - 0.03 + 0.02 * warp(px, py)) /
                  0.012,
              ),
            );
            return (
              (of(TISSUES.grey) * (1 - white) + of(TISSUES.white) * white) * (1 + 0.03 * texturing(px, py))
            );
          },
          (px, py) => {
            const inside = depth(px, py);
            const furrow = Math.max(0, 1 - Math.abs(folds(px, py)) * 9) * Math.max(0, 1 - inside / 0.085);
            return Math.min(1, Math.max(0, inside / 0.008)) * (1 - furrow);
          },
        );
        for (const side of [-1, 1]) {
          field.cover(of(TISSUES.grey), ellipse(x + side * 0.1, y + 0.0, 0.03, 0.06, side * -0.35, 0.012));
          field.cover(of(TISSUES.grey), ellipse(x + side * 0.04, y + 0.035, 0.03, 0.045, side * 0.3, 0.012));
        }
        field.cover(of(TISSUES.white), ellipse(x, y - 0.1, 0.06, 0.018, 0, 0.01));
        const wide = finding === ATROPHY ? { mild: 2.2, moderate: 3.6, severe: 5 }[grade ?? 'mild'] : 1;
        const horn = (side: number, dy: number, tall: number, turn: number) =>
          ellipse(
            x + side * (0.022 + 0.014 * wide),
            y + dy,
            0.015 * wide,
            tall * Math.sqrt(wide),
            side * turn,
            0.008,
          );
        field.cover(
          of(TISSUES.fluid),
          union(
            ...[-1, 1].flatMap((side) => [horn(side, -0.06, 0.062, -0.25), horn(side, 0.075, 0.058, 0.35)]),
          ),
        );
        field.cover(
          of(TISSUES.fluid),
          stroke(
            [
              [x, y - ry + 0.07],
              [x, y - 0.15],
            ],
            0.008,
          ),
        );
        field.cover(
          of(TISSUES.fluid),
          stroke(
            [
              [x, y + 0.17],
              [x, y + ry - 0.07],
            ],
            0.008,
          ),
        );
        const around = of(TISSUES.white);
        for (const { x: lx, y: ly, radius } of lesions) {
          if (finding === GLIOMA) {
            field.cover(
              faded(of(TISSUES.oedema), around, 0.6),
              blob(texture, lx, ly, radius * 1.15, 0.12, 0.012),
            );
            field.cover(
              faded(of(TISSUES.cortical), around, look.contrast),
              blob(texture, lx, ly, radius * 0.98, 0.12, 0.006),
            );
            field.cover(
              faded(of(TISSUES.fluid), around, look.contrast),
              blob(texture, lx, ly, radius * 0.78, 0.16, 0.008),
            );
          } else {
            const value = faded(
              of(coil.weighting === 'T1' ? TISSUES.fluid : TISSUES.plaque),
              around,
              look.contrast,
            );
            field.cover(value, ellipse(lx, ly, radius * 1.12, radius * 0.9, texture.uniform(0, 3), 0.008));
          }
        }
        return scan(field, coil.bias, look, texture);
      },
    };
  },
};

const EFFUSION: Finding = {
  name: 'Joint effusion',
  looks: 'fluid that swells the joint above the kneecap',
  kind: 'diffuse',
  scale: 'mild: a thin film; moderate: as thick as half the kneecap is long; severe: thicker',
};
const MARROW: Finding = {
  name: 'Bone marrow lesion',
  looks: 'a spot that replaces the marrow of the bone',
  kind: 'focal',
  most: 3,
};

const knee: Scene = {
  modality: 'MRI',
  anatomy: 'Knee',
  region: 'leg',
  modalitySigns: SIGNS,
  anatomySigns: 'femur, tibia and kneecap in a side view',
  findings: [EFFUSION, MARROW],
  compose(random): Composition {
    const x = 0.52 + random.uniform(-0.02, 0.02);
    const y = 0.5 + random.uniform(-0.02, 0.02);
    const coil = examine(random);
    const shaft =
      (cx: number, top: number, bottom: number, half: number): At =>
      (px, py) =>
        Math.min(half - Math.abs(px - cx), py - top, bottom - py);
    const condyle = ellipseDepth(x, y - 0.13, 0.185, 0.13);
    const femurShaft = shaft(x + 0.0, -1, y - 0.12, 0.1);
    const plateau = ellipseDepth(x + 0.005, y + 0.115, 0.19, 0.075);
    const tibiaShaft = shaft(x + 0.02, y + 0.1, 2, 0.11);
    const femur: At = (px, py) => Math.max(condyle(px, py), femurShaft(px, py));
    const tibia: At = (px, py) => Math.max(plateau(px, py), tibiaShaft(px, py));
    const bone: At = (px, py) => Math.max(femur(px, py), tibia(px, py));
    return {
      attributes: { weighting: coil.weighting },
      fits: (_, px, py, radius) =>
        bone(px, py) > Math.min(radius * 0.9, 0.095) + 0.008 && py > 0.06 + radius && py < 0.94 - radius,
      paint(size, { finding, lesions, grade }, look, texture) {
        const { of } = coil;
        const field = new Field(size, 0);
        const edge = fractal(texture, 5, 1);
        field.cover(of(TISSUES.fat), (px, py) => {
          const half = 0.36 - 0.04 * Math.cos((py - y) * 7) + 0.01 * edge(px, py);
          return Math.min(1, Math.max(0, (half - Math.abs(px - 0.5)) / 0.008));
        });
        const strands = fractal(texture, 8, 3);
        field.cover(
          (px, py) => of(TISSUES.muscle) * (1 + 0.15 * strands(px * 3, py * 0.6)),
          (px, py) => {
            const half = 0.31 - 0.05 * Math.cos((py - y) * 7);
            const back = px > x + 0.05 ? 1 : 0.75 * Math.min(1, Math.max(0, Math.abs(py - y) / 0.2 - 0.4));
            return back * Math.min(1, Math.max(0, (half - Math.abs(px - 0.5)) / 0.01));
          },
        );
        const swelling =
          finding === EFFUSION ? { mild: 0.022, moderate: 0.05, severe: 0.09 }[grade ?? 'mild'] : 0.006;
        const [kx, ky] = [x - 0.245, y - 0.16];
        field.cover(
          of(TISSUES.cortical),
          stroke(
            [
              [kx + 0.02, 0],
              [kx, ky],
              [kx + 0.06, y + 0.15],
              [x - 0.12, y + 0.24],
            ],
            0.026,
          ),
        );
        if (finding === EFFUSION) {
          field.cover(
            of(TISSUES.fluid),
            ellipse(x - 0.135 - swelling * 0.4, y - 0.31, swelling, 0.14, 0.1, 0.01),
          );
          field.cover(of(TISSUES.fluid), ellipse(x - 0.19, y - 0.1, swelling * 0.55, 0.1, -0.1, 0.01));
        }
        const grains = fractal(texture, 60, 1);
        const paintBone = (shape: At) => {
          field.cover(
            of(TISSUES.grey) * 0.9,
            (px, py) =>
              Math.min(1, Math.max(0, (shape(px, py) + 0.022) / 0.006)) * (Math.abs(py - y) < 0.16 ? 1 : 0),
          );
          field.cover(of(TISSUES.cortical), (px, py) =>
            Math.min(1, Math.max(0, (shape(px, py) + 0.009) / 0.006)),
          );
          field.cover(
            (px, py) => of(TISSUES.marrow) * (1 + 0.06 * grains(px, py)),
            (px, py) => Math.min(1, Math.max(0, (shape(px, py) - 0.002) / 0.006)),
          );
        };
        paintBone(femur);
        paintBone(tibia);
        paintBone(ellipseDepth(kx + 0.012, ky, 0.038, 0.095, 0.12));
        for (const side of [-1, 1]) {
          // Menisci: dark wedges, thick outside.
          field.cover(of(TISSUES.cortical), (px, py) => {
            const along = side * (px - x) - 0.07;
            return along > 0 && along < 0.115
              ? Math.min(1, Math.max(0, (0.006 + 0.17 * along - Math.abs(py - y - 0.02)) / 0.006))
              : 0;
          });
        }
        for (const { x: lx, y: ly, radius } of lesions) {
          const value =
            faded(of(TISSUES.plaque), of(TISSUES.marrow), look.contrast) *
            (coil.weighting === 'T1' ? 0.8 : 1.25);
          field.cover(value, blob(texture, lx, ly, radius, 0.1, 0.012));
        }
        return scan(field, coil.bias, look, texture);
      },
    };
  },
};

/** Magnetic resonance of brain and knee. */
export const MRI_SCENES: readonly Scene[] = [brain, knee];
