/** Optical coherence tomography: layers of the retina by their reflectivity, speckle, and shadows of what blocks the beam. */
import type { Random } from '../../data/random.js';
import { type At, Field, fractal, grain, mix, smooth } from '../field.js';
import type { Channels } from '../picture.js';
import type { Composition, Finding, Look, Plan, Scene } from '../scene.js';
import { around, blob, ellipse } from '../shapes.js';

const SIGNS = 'a cross-section of bright and dark bands with speckle, black above';

/** Layers from the vitreous down: thickness away from the fovea, in shares of the height, and reflectivity. */
const LAYERS = [
  { name: 'nerve fibres', thick: 0.026, bright: 0.82 },
  { name: 'ganglion cells', thick: 0.04, bright: 0.5 },
  { name: 'inner plexiform', thick: 0.032, bright: 0.62 },
  { name: 'inner nuclear', thick: 0.034, bright: 0.36 },
  { name: 'outer plexiform', thick: 0.022, bright: 0.58 },
  { name: 'outer nuclear', thick: 0.062, bright: 0.27 },
  { name: 'photoreceptors', thick: 0.018, bright: 0.86 },
  { name: 'interdigitation', thick: 0.016, bright: 0.5 },
] as const;
const OUTER = 5;
const RETINA = LAYERS.reduce((sum, { thick }) => sum + thick, 0);
const EPITHELIUM = 0.024;

const OEDEMA: Finding = {
  name: 'Cystoid oedema',
  looks: 'a black, fluid-filled cyst within the retina',
  kind: 'focal',
};
const DRUSEN: Finding = {
  name: 'Drusen',
  looks: 'a bump under the bright bottom band of the retina',
  kind: 'focal',
  sizes: ['small', 'medium'],
};
const DETACHMENT: Finding = {
  name: 'Serous retinal detachment',
  looks: 'a black dome of fluid under the retina',
  kind: 'diffuse',
  scale: 'mild: the fluid is thinner than a third of the retina; moderate: up to two thirds; severe: more',
};

/** Shape of one eye's retina. */
interface Retina {
  /** Depth of the pigment epithelium. */
  readonly floor: (x: number) => number;
  /** Thickness of the retina relative to normal. */
  readonly thickness: (x: number) => number;
  /** Depth of the optic cup, where there is one. */
  readonly cup?: { readonly x: number; readonly width: number };
}

function reflect(
  size: number,
  retina: Retina,
  { finding, lesions, grade }: Plan,
  look: Look,
  random: Random,
): Channels {
  const ripple = fractal(random, 9, 2);
  const choroid = fractal(random, 16, 3);
  const streak = fractal(random, 22, 1);
  const rise = finding === DETACHMENT ? { mild: 0.07, moderate: 0.15, severe: 0.24 }[grade ?? 'mild'] : 0;
  const lift = (x: number) => rise * Math.max(0, 1 - ((x - 0.5) / 0.26) ** 2) ** 1.2;
  const bumps = finding === DRUSEN ? lesions : [];
  const bump = (x: number) => {
    let height = 0;
    for (const lesion of bumps)
      height = Math.max(height, 0.95 * Math.sqrt(Math.max(0, lesion.radius ** 2 - (x - lesion.x) ** 2)));
    return height;
  };
  const field = new Field(size, (x, y) => {
    const floor = retina.floor(x);
    const wave = 0.004 * ripple(x, 0.3);
    const epithelium = floor - bump(x);
    const bottom = epithelium - lift(x) + wave;
    const top = bottom - RETINA * retina.thickness(x);
    const cup = retina.cup;
    if (cup && Math.abs(x - cup.x) < cup.width) return nerveHead(x, y, cup, bottom, ripple);
    if (y < top) return 0.045;
    if (y < bottom) return layerAt((y - top) / (bottom - top), retina.thickness(x));
    if (y < epithelium - 0.002) return 0.05;
    if (y < epithelium + EPITHELIUM) return mix(1, 0.92, streak(x, y));
    if (y < floor + EPITHELIUM) return 0.62;
    const below = (y - floor) / 0.3;
    const vessel = smooth(0.05, 0.3, choroid(x * 1.2, y * 1.6)) * smooth(1.1, 0.2, below);
    return (0.66 - 0.38 * vessel) * Math.exp(-2.6 * Math.max(0, below));
  });
  if (finding === OEDEMA) {
    for (const { x, y, radius } of lesions) {
      const shape = blob(random, x, y, radius, 0.06, 0.006);
      field.cover(mix(0.35, 0.03, look.contrast), shape);
    }
  }
  shadows(field, random, retina);
  return speckle(field, look, random);
}

/** Reflectivity at a share of the retina's depth; a thin fovea has only the outer layers. */
function layerAt(share: number, thickness: number): number {
  // Inner layers give way first where the retina thins.
  const inner = Math.max(0, (thickness * RETINA - outerThickness()) / (RETINA - outerThickness()));
  let at = share * thickness * RETINA;
  for (const [i, { thick, bright }] of LAYERS.entries()) {
    const here =
      i < OUTER
        ? thick * Math.min(inner, 2)
        : thick * (inner <= 0 ? (thickness * RETINA) / outerThickness() : 1);
    if (at < here || i === LAYERS.length - 1) {
      const next = LAYERS[i + 1]?.bright ?? 0.5;
      return mix(bright, next, smooth(here - 0.006, here + 0.002, at) * 0.5);
    }
    at -= here;
  }
  return 0.5;
}

function outerThickness(): number {
  return LAYERS.slice(OUTER).reduce((sum, { thick }) => sum + thick, 0);
}

/** The optic nerve head: nerve fibres turn down into a bright, widening cup. */
function nerveHead(
  x: number,
  y: number,
  cup: { x: number; width: number },
  bottom: number,
  ripple: At,
): number {
  const across = (x - cup.x) / cup.width;
  const surface = bottom - RETINA * 1.1 + 0.36 * Math.max(0, 1 - across ** 2) ** 1.5;
  if (y < surface) return 0.045;
  const deep = y - surface;
  return (0.8 + 0.12 * ripple(x * 3, y)) * Math.exp(-3.4 * deep) * smooth(0, 0.01, deep + 0.008);
}

/** Vessels in the nerve fibre layer throw shadows down the picture. */
function shadows(field: Field, random: Random, retina: Retina): void {
  for (let k = 0; k < 5; k++) {
    const x = random.uniform(0.04, 0.96);
    if (retina.thickness(x) < 0.85 || (retina.cup && Math.abs(x - retina.cup.x) < retina.cup.width * 1.1))
      continue;
    const width = random.uniform(0.005, 0.011);
    const top = retina.floor(x) - RETINA * retina.thickness(x);
    field.paintIn(around(x, 0.5, 0.52), (value, px, py) => {
      const near = Math.max(0, 1 - Math.abs(px - x) / width);
      return near <= 0 || py < top + 0.02 ? value : value * (1 - 0.45 * near);
    });
    field.cover(0.75, ellipse(x, top + 0.022, width, 0.014, 0, 0.006));
  }
}

/** Interference of the light with itself: exponential intensity, shown on a compressed scale. */
function speckle(field: Field, look: Look, random: Random): Channels {
  const { size } = field;
  field.blur(0.002, 0.0016);
  const [real, imaginary] = [0, 1].map(() => new Field(size, () => grain(random)).blur(0.0024, 0.0016)) as [
    Field,
    Field,
  ];
  let power = 0;
  for (const value of real.values) power += value * value;
  const scale = 1 / Math.sqrt((2 * power) / real.values.length);
  const depth = 0.3 * Math.min(1.6, 0.4 + 0.6 * look.noise);
  for (let i = 0; i < field.values.length; i++) {
    const magnitude = Math.hypot(real.values[i] as number, imaginary.values[i] as number) * scale;
    field.values[i] =
      (field.values[i] as number) * (1 - depth + depth * 1.1 * magnitude) + 0.03 * look.noise * magnitude;
  }
  return [field];
}

function compose(view: 'macula' | 'disc', random: Random): Composition {
  const tilt = random.uniform(-0.09, 0.09);
  const bow = random.uniform(0.06, 0.13);
  const level = random.uniform(0.58, 0.63);
  const centre = 0.5 + random.uniform(-0.05, 0.05);
  const floor = (x: number) => level + tilt * (x - 0.5) + bow * ((x - 0.5) ** 2 - 0.08) * -1;
  const pit = (x: number) => Math.exp(-(((x - centre) / 0.085) ** 2));
  const rim = (x: number) => Math.exp(-((Math.abs(x - centre) - 0.16) ** 2) / 0.006);
  const retina: Retina =
    view === 'macula'
      ? { floor, thickness: (x) => 1.02 - 0.6 * pit(x) + 0.12 * rim(x) }
      : {
          floor,
          thickness: (x) => 1.0 + 0.3 * Math.exp(-(((x - centre) / 0.22) ** 2)),
          cup: { x: centre, width: 0.13 },
        };
  return {
    attributes: {},
    fits(finding, x, y, radius) {
      if (x < radius + 0.03 || x > 0.97 - radius) return false;
      if (retina.cup && Math.abs(x - retina.cup.x) < retina.cup.width + radius + 0.02) return false;
      const bottom = floor(x);
      if (finding === DRUSEN) return Math.abs(y - (bottom - 0.35 * radius)) < 0.012 && radius < 0.11;
      const top = bottom - RETINA * retina.thickness(x);
      return y - radius > top - 0.03 && y + radius < bottom + 0.02 && retina.thickness(x) > 0.6;
    },
    paint(size, plan, look, texture) {
      if (plan.finding !== OEDEMA) return reflect(size, retina, plan, look, texture);
      // Fluid swells the retina around each cyst.
      const swollen = (x: number) => {
        let more = 0;
        for (const lesion of plan.lesions) {
          more = Math.max(
            more,
            3.2 * lesion.radius * Math.exp(-(((x - lesion.x) / (lesion.radius * 2)) ** 2)) - 0.1,
          );
        }
        return Math.max(retina.thickness(x), retina.thickness(x) + more);
      };
      return reflect(size, { ...retina, thickness: swollen }, plan, look, texture);
    },
  };
}

/** Tomograms through the macula and through the optic nerve head. */
export const OCT_SCENES: readonly Scene[] = [
  {
    modality: 'OCT',
    anatomy: 'Macula',
    region: 'eye',
    modalitySigns: SIGNS,
    anatomySigns: 'the shallow pit of the fovea',
    findings: [OEDEMA, DRUSEN, DETACHMENT],
    compose: (random) => compose('macula', random),
  },
  {
    modality: 'OCT',
    anatomy: 'Optic disc',
    region: 'eye',
    modalitySigns: SIGNS,
    anatomySigns: 'a deep cup where the layers break off',
    findings: [OEDEMA, DRUSEN],
    compose: (random) => compose('disc', random),
  },
];
