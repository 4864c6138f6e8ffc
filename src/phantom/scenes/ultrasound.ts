/** Ultrasound: echoes of random scatterers in beam coordinates, log compression, and a sector as the screen shows it. */
import type { Random } from '../../data/random.js';
import { type At, Field, fractal, grain, smooth } from '../field.js';
import type { Channels } from '../picture.js';
import type { Composition, Finding, Lesion, Look, Scene } from '../scene.js';
import { blob, ellipseDepth } from '../shapes.js';

const SIGNS = 'grainy speckle in a fan that opens from the probe at the top';

/** A fan: beams leave a curved probe above the picture. */
interface Fan {
  readonly x: number;
  readonly y: number;
  readonly near: number;
  readonly far: number;
  /** Half of the opening angle. */
  readonly spread: number;
}

const FAN: Fan = { x: 0.5, y: -0.2, near: 0.25, far: 1.16, spread: 0.66 };

/** Beam coordinates of a place: 0 to 1 across the fan and along the depth; outside of [0, 1] there is no echo. */
function beam(fan: Fan, x: number, y: number): { across: number; along: number } {
  const [dx, dy] = [x - fan.x, y - fan.y];
  return {
    across: 0.5 + Math.atan2(dx, dy) / (2 * fan.spread),
    along: (Math.hypot(dx, dy) - fan.near) / (fan.far - fan.near),
  };
}

/** The place of beam coordinates. */
function place(fan: Fan, across: number, along: number): [number, number] {
  const angle = (across - 0.5) * 2 * fan.spread;
  const depth = fan.near + along * (fan.far - fan.near);
  return [fan.x + depth * Math.sin(angle), fan.y + depth * Math.cos(angle)];
}

/** What tissue does to sound. */
interface Tissue {
  /** Echo strength in decibels. */
  readonly echo: At;
  /** Loss per unit of depth in decibels, relative to soft tissue; negative where the set's gain overcompensates. */
  readonly loss: At;
}

/** Sends a beam along each line and shows the echoes in a fan. */
function scan(size: number, tissue: Tissue, look: Look, random: Random): Channels {
  const lines = Math.max(96, size);
  const echoes = new Field(lines);
  const lost = new Float32Array(lines);
  for (let row = 0, i = 0; row < lines; row++) {
    for (let column = 0; column < lines; column++, i++) {
      const [x, y] = place(FAN, (column + 0.5) / lines, (row + 0.5) / lines);
      echoes.values[i] = tissue.echo(x, y) - (lost[column] as number);
      lost[column] = (lost[column] as number) + tissue.loss(x, y) / lines;
    }
  }
  // Speckle: the magnitude of a sum of many echoes with random phases, as wide as the pulse is long and the beam is broad.
  const [real, imaginary] = [0, 1].map(() => new Field(lines, () => grain(random)).blur(0.008, 0.0034)) as [
    Field,
    Field,
  ];
  const scale = 1 / rms(real);
  const depth = 0.75 * Math.min(1.25, look.noise);
  const shown = new Field(lines);
  for (let i = 0; i < shown.values.length; i++) {
    const magnitude = Math.hypot(real.values[i] as number, imaginary.values[i] as number) * scale;
    const decibels = 20 * Math.log10(Math.max(0.03, magnitude / 1.25));
    shown.values[i] = (echoes.values[i] as number) + depth * decibels;
  }
  const dynamic = 62;
  return [
    new Field(size, (x, y) => {
      const { across, along } = beam(FAN, x, y);
      if (across < 0 || across > 1 || along < 0 || along > 1) return 0;
      const rim =
        smooth(0, 0.006, Math.min(across, 1 - across)) * smooth(0, 0.006, Math.min(along, 1 - along));
      return rim * Math.max(0.015, (shown.sample(across, along) + dynamic) / dynamic);
    }),
  ];
}

function rms(field: Field): number {
  let sum = 0;
  for (const value of field.values) sum += value * value;
  return Math.sqrt(sum / field.values.length);
}

/** Whether a lesion lies in the fan with room around it. */
function inFan(x: number, y: number, radius: number): boolean {
  const { across, along } = beam(FAN, x, y);
  const depth = FAN.near + along * (FAN.far - FAN.near);
  const side = radius / (2 * FAN.spread * depth);
  return across - side > 0.06 && across + side < 0.94 && along > 0.12 && along + radius < 0.9;
}

/** Adds lesions to tissue, each with its own echo and loss, changed by `contrast`. */
function withLesions(
  tissue: Tissue,
  lesions: readonly Lesion[],
  random: Random,
  kind: { readonly echo: number; readonly loss: number; readonly roughness: number; readonly edge: number },
): Tissue {
  const shapes = lesions.map(({ x, y, radius }) => blob(random, x, y, radius, kind.roughness, kind.edge));
  const cover: At = (x, y) => {
    let most = 0;
    for (const shape of shapes) most = Math.max(most, shape(x, y));
    return most;
  };
  return {
    echo: (x, y) => {
      const share = cover(x, y);
      const around = tissue.echo(x, y);
      return around + share * (kind.echo - around);
    },
    loss: (x, y) => tissue.loss(x, y) + cover(x, y) * kind.loss,
  };
}

const RENAL_CYST: Finding = {
  name: 'Renal cyst',
  looks: 'a black round area with brighter echoes behind it',
  kind: 'focal',
  most: 3,
};
const STONE: Finding = {
  name: 'Kidney stone',
  looks: 'a bright echo with a black shadow behind it',
  kind: 'focal',
  sizes: ['small', 'medium'],
  most: 2,
};
const HYDRO: Finding = {
  name: 'Hydronephrosis',
  looks: 'a renal pelvis wide with black urine',
  kind: 'diffuse',
  scale: 'mild: the black pelvis is thinner than the tissue around it; moderate: as thick; severe: thicker',
};

const kidney: Scene = {
  modality: 'Ultrasound',
  anatomy: 'Kidney',
  region: 'torso',
  modalitySigns: SIGNS,
  anatomySigns: 'an oval of dark cortex around a bright centre',
  findings: [RENAL_CYST, STONE, HYDRO],
  compose(random): Composition {
    const x = 0.5 + random.uniform(-0.03, 0.03);
    const y = 0.53 + random.uniform(-0.03, 0.03);
    const angle = random.uniform(-0.3, 0.3);
    const organ = ellipseDepth(x, y, 0.33, 0.2, angle);
    const sinus = ellipseDepth(x, y, 0.19, 0.075, angle);
    return {
      attributes: {},
      fits: (finding, px, py, radius) =>
        inFan(px, py, radius) &&
        (finding === STONE ? sinus(px, py) > 0.01 : organ(px, py) > Math.min(0.75 * radius, 0.09) + 0.01),
      paint(size, { finding, lesions, grade }, look, texture) {
        const liver = fractal(texture, 9, 3);
        const wavy = fractal(texture, 5, 2);
        const rough = fractal(texture, 14, 2);
        const pelvis = finding === HYDRO ? { mild: 0.03, moderate: 0.058, severe: 0.1 }[grade ?? 'mild'] : 0;
        const cavity = ellipseDepth(x, y, 0.1 + 1.15 * pelvis, Math.max(0.001, pelvis), angle);
        const base: Tissue = {
          echo: (px, py) => {
            const along = beam(FAN, px, py).along;
            let echo = -27 + 5 * liver(px, py);
            if (along < 0.13) echo = -20 + 9 * Math.sin(along * 130 + 3 * wavy(px, py));
            const inside = organ(px, py) + 0.012 * wavy(px, py);
            echo += smooth(-0.016, 0, inside) * (-6 - echo);
            echo += smooth(0, 0.014, inside) * (-33 + 2.5 * rough(px, py) - echo);
            echo +=
              smooth(-0.02, 0.02, sinus(px, py) + 0.035 * rough(px, py)) * (-11 + 5 * rough(px, py) - echo);
            if (pelvis > 0)
              echo += smooth(-0.006, 0.006, cavity(px, py) + 0.006 * rough(px, py)) * (-75 - echo);
            return echo;
          },
          loss: (px, py) => 9 - (pelvis > 0 && cavity(px, py) > 0 ? 20 : 0),
        };
        if (finding === STONE) return scan(size, stones(base, lesions, texture, look), look, texture);
        const kind = { echo: -33 - 45 * look.contrast, loss: -34, roughness: 0.03, edge: 0.006 };
        return scan(
          size,
          finding === RENAL_CYST ? withLesions(base, lesions, texture, kind) : base,
          look,
          texture,
        );
      },
    };
  },
};

/** Stones reflect at their near face and let nothing through. */
function stones(tissue: Tissue, lesions: readonly Lesion[], random: Random, look: Look): Tissue {
  return withLesions(tissue, lesions, random, {
    echo: -18 + 22 * look.contrast,
    loss: 330,
    roughness: 0.08,
    edge: 0.006,
  });
}

const BREAST_CYST: Finding = {
  name: 'Breast cyst',
  looks: 'a black area with a smooth wall and brighter echoes behind it',
  kind: 'focal',
};
const CARCINOMA: Finding = {
  name: 'Breast carcinoma',
  looks: 'a dark, ragged mass with a shadow behind it',
  kind: 'focal',
};

const breast: Scene = {
  modality: 'Ultrasound',
  anatomy: 'Breast',
  region: 'torso',
  modalitySigns: SIGNS,
  anatomySigns: 'layers of skin, fat lobules and bright glandular tissue over the chest muscle',
  findings: [BREAST_CYST, CARCINOMA],
  compose(random): Composition {
    const fat = 0.2 + random.uniform(-0.02, 0.04);
    const muscle = 0.76 + random.uniform(-0.03, 0.04);
    return {
      attributes: {},
      fits: (_, px, py, radius) =>
        inFan(px, py, radius) && py - 0.8 * radius > fat - 0.03 && py + radius < muscle - 0.01,
      paint(size, { finding, lesions }, look, texture) {
        const lobules = fractal(texture, 7, 2);
        const strands = fractal(texture, 11, 3);
        const wave = fractal(texture, 3, 1);
        const base: Tissue = {
          echo: (px, py) => {
            const bent = py + 0.04 * wave(px, 0.5) + 0.02 * lobules(px, py);
            const skin = smooth(0.115, 0.1, bent) * 14;
            const septa = Math.max(0, 1 - Math.abs(lobules(px, py)) * 8) * 11;
            const fatty = -34 + septa;
            const gland = -19 + 8 * strands(px * 0.8, py * 2.2);
            const flesh = -30 + 7 * Math.sin((bent + 0.15 * px) * 120 + 4 * strands(px, py));
            let echo = fatty + smooth(fat - 0.012, fat + 0.012, bent) * (gland - fatty);
            echo += Math.max(0, 1 - Math.abs(bent - fat) / 0.01) * 8;
            echo += smooth(muscle - 0.01, muscle + 0.01, bent) * (flesh - echo);
            echo += Math.max(0, 1 - Math.abs(bent - muscle) / 0.008) * 16;
            return echo + skin;
          },
          loss: () => 12,
        };
        const kinds = new Map([
          [BREAST_CYST, { echo: -22 - 55 * look.contrast, loss: -30, roughness: 0.05, edge: 0.006 }],
          [CARCINOMA, { echo: -25 - 21 * look.contrast, loss: 75, roughness: 0.22, edge: 0.012 }],
        ]);
        const kind = finding && kinds.get(finding);
        return scan(size, kind ? withLesions(base, lesions, texture, kind) : base, look, texture);
      },
    };
  },
};

/** Ultrasound of kidney and breast. */
export const ULTRASOUND_SCENES: readonly Scene[] = [kidney, breast];
