/** Fundus photography: the retina's pigment and blood in front of the choroid, optic disc, macula and branching vessels. */
import type { Random } from '../../data/random.js';
import { Field, fractal, grain, mix } from '../field.js';
import { aperture, type Channels, colourField } from '../picture.js';
import type { Composition, Finding, Look, Plan, Scene } from '../scene.js';
import { around, blob, ellipse, stroke } from '../shapes.js';

const SIGNS = 'an orange-red disc-shaped field with branching vessels';

/** Absorption of light by blood and by the macula's pigment, in red, green and blue. */
const BLOOD = [0.3, 1.5, 1.2] as const;
const PIGMENT = [0.55, 0.95, 0.9] as const;
const CHOROID = [0.86, 0.44, 0.2] as const;

const HAEMORRHAGE: Finding = {
  name: 'Retinal haemorrhage',
  looks: 'a dark red blot of blood in the retina',
  kind: 'focal',
};
const EXUDATE: Finding = {
  name: 'Hard exudate',
  looks: 'a pale yellow, sharply bounded patch',
  kind: 'focal',
};
const GLAUCOMA: Finding = {
  name: 'Glaucoma',
  looks: 'a wide pale cup that leaves a thin rim of the optic disc',
  kind: 'diffuse',
  scale: 'mild: the cup is 0.6 of the disc wide; moderate: 0.75; severe: 0.9',
};

/** Where disc and macula are; the disc is on the side of the nose. */
interface Eye {
  readonly disc: readonly [number, number];
  readonly macula: readonly [number, number];
  /** Direction from the macula to the disc: 1 to the right, which is a right eye. */
  readonly nasal: 1 | -1;
}

const LENS = 0.485;
const DISC = 0.074;

/** Vessels as a width at each place (arteries and veins apart), grown from the disc by branching. */
function vessels(
  size: number,
  { disc, macula, nasal }: Eye,
  random: Random,
): { arteries: Field; veins: Field } {
  const fields = { arteries: new Field(size), veins: new Field(size) };
  const grow = (
    field: Field,
    x: number,
    y: number,
    direction: number,
    width: number,
    length: number,
    curve: number,
  ): void => {
    const points: [number, number][] = [[x, y]];
    let [px, py, angle, drift] = [x, y, direction, 0];
    const step = 0.02;
    for (let gone = 0; gone < length; gone += step) {
      drift = 0.55 * drift + random.uniform(-0.11, 0.11);
      angle += drift + curve * step;
      px += step * Math.cos(angle);
      py += step * Math.sin(angle);
      // The centre of the macula has no vessels.
      if (Math.hypot(px - macula[0], py - macula[1]) < 0.085) break;
      points.push([px, py]);
      const thin = width * (1 - (0.55 * gone) / length);
      if (gone > 0.06 && width > 0.0035 && random.uniform() < 0.17) {
        const turn = random.pick([-1, 1]) * random.uniform(0.45, 0.95);
        grow(field, px, py, angle + turn, thin * 0.66, (length - gone) * random.uniform(0.5, 0.8) + 0.04, 0);
      }
    }
    if (points.length < 3) return;
    // In pieces, since each is looked up only near itself.
    const last = points.length - 1;
    const widthAt = (k: number) => width * (1 - (0.55 * k) / last);
    for (let k = 0; k < last; k += 4) {
      const end = Math.min(last, k + 4);
      const piece = stroke(points.slice(k, end + 1), widthAt(k), widthAt(end), 0.0025);
      field.paintIn(piece.box, (value, a, b) => Math.max(value, piece(a, b)));
    }
  };
  for (const up of [-1, 1]) {
    for (const [field, width, offset] of [
      [fields.veins, 0.0145, 0.1],
      [fields.arteries, 0.0105, -0.1],
    ] as const) {
      // The temporal arcades bend around the macula, the nasal branches run straight out.
      const start = up * (Math.PI / 2 + offset);
      const temporal = nasal > 0 ? Math.PI : 0;
      const heading = start + (nasal > 0 ? -up : up) * -0.25;
      grow(field, disc[0], disc[1] + up * 0.01, heading, width, 0.62, (nasal > 0 ? up : -up) * 2.35);
      grow(
        field,
        disc[0],
        disc[1] + up * 0.01,
        temporal + Math.PI + up * random.uniform(0.45, 0.8),
        width * 0.72,
        0.42,
        up * 0.3,
      );
      grow(field, disc[0], disc[1], start, width * 0.6, 0.5, 0);
    }
  }
  return fields;
}

function paint(
  size: number,
  eye: Eye,
  { finding, lesions, grade }: Plan,
  look: Look,
  random: Random,
): Channels {
  const { disc, macula, nasal } = eye;
  const tree = vessels(size, eye, random);
  const choroid = fractal(random, 9, 3);
  const cloud = fractal(random, 3, 2);
  const stripes = fractal(random, 26, 1);
  const blood = new Field(size, (x, y) => 0.1 + 0.07 * choroid(x, y) + 0.05 * cloud(x, y));
  blood.paint((value, x, y) => value + 0.42 * tree.arteries.sample(x, y) + 0.62 * tree.veins.sample(x, y));
  const pigment = new Field(size, (x, y) => {
    const far = Math.hypot(x - macula[0], y - macula[1]);
    return (
      0.1 +
      0.42 * Math.exp(-((far / 0.055) ** 2)) +
      0.16 * Math.exp(-((far / 0.13) ** 2)) +
      0.03 * stripes(x * 0.7, y)
    );
  });
  const reflex = ellipse(macula[0], macula[1], 0.006, 0.006, 0, 0.005);
  // Pale things in front of the retina: nerve head, exudates.
  const pale = new Field(size, (x, y) => 0.5 * reflex(x, y));
  const cup = finding === GLAUCOMA ? { mild: 0.6, moderate: 0.75, severe: 0.9 }[grade ?? 'mild'] : 0.33;
  const head = ellipse(disc[0], disc[1], DISC * 0.92, DISC, 0, 0.007);
  const hollow = ellipse(disc[0] - nasal * 0.004, disc[1], DISC * 0.92 * cup, DISC * cup, 0, 0.009);
  const halo = ellipse(disc[0] - nasal * 0.008, disc[1], DISC * 1.1, DISC * 1.12, 0, 0.014);
  pale.paintIn(around(disc[0], disc[1], 0.12), (value, x, y) => {
    const vessel = Math.max(tree.arteries.sample(x, y), tree.veins.sample(x, y));
    return value + (0.15 * halo(x, y) + 0.42 * head(x, y) + 0.5 * hollow(x, y)) * (1 - 0.6 * vessel);
  });
  const strength = 0.5 + 0.5 * look.contrast;
  for (const { x, y, radius } of lesions) {
    const shape = blob(random, x, y, radius, 0.13, 0.006);
    if (finding === HAEMORRHAGE)
      blood.paintIn(around(x, y, 2 * radius), (value, a, b) => mix(value, 1.5 * strength, shape(a, b)));
    else {
      const crumbs = fractal(random, 60, 1);
      pale.paintIn(around(x, y, 2 * radius), (value, a, b) =>
        Math.max(value, strength * shape(a, b) * (0.95 + 0.1 * crumbs(a, b))),
      );
      blood.paintIn(around(x, y, 2 * radius), (value, a, b) => value * (1 - 0.7 * shape(a, b)));
    }
  }
  const glass = aperture(LENS);
  const noise = 0.012 * look.noise;
  const flare = random.uniform(-0.12, 0.12);
  return colourField(size, (x, y) => {
    const i = Math.min(size - 1, Math.floor(y * size)) * size + Math.min(size - 1, Math.floor(x * size));
    const light = glass(x, y) * (1.04 + flare * (x - 0.5));
    const front = Math.min(1, Math.max(0, pale.values[i] as number));
    const colour = (k: 0 | 1 | 2) => {
      const lost = BLOOD[k] * (blood.values[i] as number) + PIGMENT[k] * (pigment.values[i] as number);
      const back = CHOROID[k] * Math.exp(-lost) * 1.12;
      const white = [1, 0.88, 0.6][k] as number;
      const veil = white * Math.exp(-0.55 * BLOOD[k] * Math.max(0, (blood.values[i] as number) - 0.2));
      return light <= 0 ? 0.008 : light * mix(back, veil, front * 0.92) + noise * grain(random);
    };
    return [colour(0), colour(1), colour(2)];
  });
}

function scene(
  centre: 'macula' | 'disc',
  anatomy: string,
  anatomySigns: string,
  findings: readonly Finding[],
): Scene {
  return {
    modality: 'Fundus',
    anatomy,
    region: 'eye',
    modalitySigns: SIGNS,
    anatomySigns,
    findings,
    compose(random): Composition {
      const nasal = random.pick([1, -1] as const);
      const [jx, jy] = [random.uniform(-0.025, 0.025), random.uniform(-0.025, 0.025)];
      const distance = 0.3;
      const eye: Eye =
        centre === 'macula'
          ? { nasal, macula: [0.5 + jx, 0.5 + jy], disc: [0.5 + jx + nasal * distance, 0.485 + jy] }
          : { nasal, disc: [0.5 + jx, 0.5 + jy], macula: [0.5 + jx - nasal * distance, 0.52 + jy] };
      return {
        attributes: { eye: nasal > 0 ? 'right' : 'left' },
        fits: (_, x, y, radius) =>
          Math.hypot(x - 0.5, y - 0.5) + radius < LENS - 0.045 &&
          Math.hypot(x - eye.disc[0], y - eye.disc[1]) > radius + DISC + 0.02 &&
          Math.hypot(x - eye.macula[0], y - eye.macula[1]) > Math.min(radius, 0.08) + 0.035,
        paint: (size, plan, look, texture) => paint(size, eye, plan, look, texture),
      };
    },
  };
}

/** Fundus photographs centred on the macula and on the optic disc. */
export const FUNDUS_SCENES: readonly Scene[] = [
  scene('macula', 'Macula', 'the dark, vessel-free macula in the middle', [HAEMORRHAGE, EXUDATE]),
  scene('disc', 'Optic disc', 'the pale optic disc in the middle, where the vessels meet', [
    HAEMORRHAGE,
    EXUDATE,
    GLAUCOMA,
  ]),
];
