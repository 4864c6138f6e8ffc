/** Projection radiography: path lengths through tissues, exponential attenuation, a logarithmic detector. */
import type { Random } from '../../data/random.js';
import { type At, Field, fractal, grain, type Shape, smooth } from '../field.js';
import type { Channels } from '../picture.js';
import type { Composition, Finding, Look, Scene } from '../scene.js';
import { around, blob, ellipseDepth, near, stroke, within } from '../shapes.js';

const SIGNS =
  'overlapping shadows, with bone bright and air dark, as rays that pass through the whole body leave';

/** Exposes a film: what is left of the rays after `optical depth` of tissue, with quantum noise, shown on a log scale. */
function expose(depth: Field, black: number, white: number, look: Look, random: Random): Channels {
  depth.blur(0.0028);
  const noise = 0.014 * look.noise;
  return [
    depth.paint((value) => {
      const rays = Math.exp(-Math.max(0, value));
      const counted = Math.max(1e-4, rays + noise * Math.sqrt(rays) * grain(random));
      return (-Math.log(counted) - black) / (white - black);
    }),
  ];
}

/** Thickness of an ellipsoid that rays cross at a place, 1 in the middle. */
function dome(x: number, y: number, rx: number, ry: number, angle = 0): Shape {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return near(x, y, Math.max(rx, ry), (px, py) => {
    const [dx, dy] = [px - x, py - y];
    const rest = 1 - ((dx * cos + dy * sin) / rx) ** 2 - ((dy * cos - dx * sin) / ry) ** 2;
    return rest <= 0 ? 0 : Math.sqrt(rest);
  });
}

/** Optical depth of a tube seen from the side: its cortex is crossed longest at the rims. */
function tube(along: readonly (readonly [number, number])[], width: number, strength: number): Shape {
  const outer = stroke(along, width, width, 0.003);
  const inner = stroke(along, width * 0.62, width * 0.62, 0.004);
  return within(outer, (px, py) => strength * (1 - (0.55 * inner(px, py)) / outer(px, py)));
}

const MASS: Finding = { name: 'Pulmonary mass', looks: 'a round white shadow over the lung', kind: 'focal' };
const EFFUSION: Finding = {
  name: 'Pleural effusion',
  looks: 'a white shadow at the base of the lung that hides the diaphragm',
  kind: 'diffuse',
  sided: true,
  scale: 'mild: below a quarter of the lung is covered; moderate: up to a half; severe: more',
};
const PNEUMOTHORAX: Finding = {
  name: 'Pneumothorax',
  looks: 'a black rim without vessels beside the edge of a collapsed lung',
  kind: 'diffuse',
  sided: true,
  scale: 'mild: the rim is narrower than a quarter of the lung; moderate: up to a half; severe: wider',
};

const chest: Scene = {
  modality: 'X-Ray',
  anatomy: 'Chest',
  region: 'torso',
  modalitySigns: SIGNS,
  anatomySigns: 'ribs that curve over two dark lungs and the heart between them',
  findings: [MASS, EFFUSION, PNEUMOTHORAX],
  compose(random): Composition {
    const x = 0.5 + random.uniform(-0.02, 0.02);
    const y = 0.5 + random.uniform(-0.02, 0.02);
    const scale = random.uniform(0.95, 1.03);
    const lungX = 0.2 * scale;
    const lung = (side: number): At => {
      const upper = ellipseDepth(x + side * lungX, y + 0.02, 0.155 * scale, 0.4 * scale, side * 0.07);
      const floor = (px: number) =>
        y + 0.26 - 0.1 * (1 - ((px - x - side * lungX) / 0.17) ** 2) + (side > 0 ? 0.015 : 0);
      return (px, py) => Math.min(upper(px, py), floor(px) - py);
    };
    const lungs = [lung(-1), lung(1)];
    const heart = ellipseDepth(x + 0.055, y + 0.13, 0.155 * scale, 0.12 * scale, 0.5);
    return {
      attributes: {},
      fits: (_, px, py, radius) =>
        lungs.some((each) => each(px, py) > radius * 0.8 + 0.012) && heart(px, py) < -0.7 * radius,
      paint(size, { finding, lesions, grade, side }, look, texture) {
        const field = new Field(size, 0);
        const torso = fractal(texture, 4, 2);
        // Shoulders, chest and neck.
        const outline: At = (px, py) => {
          const half = 0.42 * scale + 0.07 * smooth(0.3, 0.12, py) - 0.36 * smooth(0.2, 0.02, py);
          return Math.min(1, Math.max(0, (half - Math.abs(px - x)) / 0.03));
        };
        field.paint((_, px, py) => outline(px, py) * (1.05 + 0.12 * py + 0.05 * torso(px, py)));
        const mottle = fractal(texture, 30, 3);
        const shadow = (amount: number, shape: Shape) => field.add(amount, shape);
        const air = (px: number, py: number) => {
          let share = 0;
          for (const each of lungs) share = Math.max(share, smooth(-0.006, 0.05, each(px, py)));
          return share;
        };
        field.paint((value, px, py) => value - air(px, py) * (0.72 - 0.05 * mottle(px, py)));
        // Lung markings fan out from the hila and thin out.
        for (const sign of [-1, 1]) {
          for (let k = 0; k < 13; k++) {
            let [px, py, angle] = [
              x + sign * 0.075,
              y - 0.01,
              (sign > 0 ? 0 : Math.PI) + ((k - 6) / 6) * 1.35,
            ];
            const points: [number, number][] = [[px, py]];
            for (let step = 0; step < 6; step++) {
              angle += texture.uniform(-0.25, 0.25);
              px += 0.036 * Math.cos(angle);
              py += 0.042 * Math.sin(angle);
              points.push([px, py]);
            }
            const mark = stroke(points, 0.014, 0.003, 0.007);
            const collapsed = finding === PNEUMOTHORAX && (side === 'left' ? -1 : 1) === sign;
            if (!collapsed) field.add((a, b) => 0.17 * air(a, b), mark);
          }
          shadow(0.12, dome(x + sign * 0.085, y - 0.01, 0.045, 0.075));
        }
        // Heart, great vessels, spine.
        shadow(1, (px, py) => {
          const muscle = smooth(-0.006, 0.05, heart(px, py));
          // Where there is no lung to replace, the heart takes the place of other tissue.
          return muscle <= 0 ? 0 : muscle * (0.08 + 0.6 * air(px, py));
        });
        shadow(0.3, dome(x + 0.045, y - 0.15, 0.06, 0.06));
        shadow(0.28, (px, py) => smooth(0.075, 0.05, Math.abs(px - x)) * smooth(0.02, 0.1, py));
        shadow(
          0.13,
          (px, py) => smooth(0.035, 0.028, Math.abs(px - x)) * (0.75 + 0.25 * Math.sin((py - y) * 95)),
        );
        shadow(-0.12, (px, py) => smooth(0.016, 0.01, Math.abs(px - x)) * smooth(0.34, 0.28, py));
        // Ribs: behind they fall gently outwards, in front they fall steeply inwards.
        for (let k = 0; k < 9; k++) {
          for (const sign of [-1, 1]) {
            const top = y - 0.36 + 0.075 * k;
            const wide = (0.2 + 0.17 * Math.sin(Math.min(1.57, 0.35 + k * 0.25))) * scale;
            const behind = Array.from({ length: 9 }, (_, i): [number, number] => {
              const t = i / 8;
              return [
                x + sign * (0.03 + (wide - 0.03) * Math.sin(t * 1.57)),
                top - 0.025 * Math.sin(t * 2.2) + 0.1 * t * t,
              ];
            });
            const [ex, ey] = behind.at(-1) as [number, number];
            const front = Array.from({ length: 7 }, (_, i): [number, number] => {
              const t = i / 6;
              return [ex - sign * (0.2 * t * t + 0.02 * t), ey + 0.02 + 0.11 * t];
            });
            const bones: [readonly [number, number][], number][] = [
              [behind, 0.17],
              [[...behind.slice(-1), ...front], 0.085],
            ];
            for (const [points, strength] of bones) {
              const bone = tube(points, 0.026, strength);
              field.add(1, bone);
            }
          }
        }
        for (const sign of [-1, 1]) {
          const collar = tube(
            [
              [x + sign * 0.035, y - 0.315],
              [x + sign * 0.13, y - 0.345],
              [x + sign * 0.24, y - 0.4],
              [x + sign * 0.34, y - 0.395],
            ],
            0.03,
            0.3,
          );
          shadow(1, collar);
          shadow(0.1, dome(x + sign * 0.4, y - 0.26, 0.09, 0.2, sign * 0.3));
        }
        shadow(-0.35, dome(x + 0.2, y + 0.29, 0.055, 0.03));
        if (finding === EFFUSION) {
          const each = lungs[side === 'left' ? 0 : 1] as At;
          const middle = x + (side === 'left' ? -lungX : lungX);
          const level = y + { mild: 0.09, moderate: 0.0, severe: -0.15 }[grade ?? 'mild'];
          shadow(0.85, (px, py) => {
            const meniscus = 2.2 * (px - middle) ** 2;
            return smooth(-0.01, 0.04, each(px, py)) * smooth(-0.02, 0.03, py - level + meniscus);
          });
        }
        if (finding === PNEUMOTHORAX) {
          const sign = side === 'left' ? -1 : 1;
          const each = lungs[side === 'left' ? 0 : 1] as At;
          const width = { mild: 0.055, moderate: 0.115, severe: 0.19 }[grade ?? 'mild'];
          const root = [x + sign * 0.06, y + 0.02] as const;
          const rest = ellipseDepth(
            root[0] + sign * 0.055,
            root[1] + 0.01,
            0.25 - width,
            0.38 - 1.15 * width,
          );
          field.paint((value, px, py) => {
            const inLung = smooth(-0.004, 0.012, each(px, py));
            if (inLung <= 0) return value;
            const collapsed = rest(px, py);
            const line = Math.max(0, 1 - Math.abs(collapsed) / 0.006);
            return value + inLung * (0.16 * line + (collapsed > 0 ? 0.03 + width * 1.3 : -0.2));
          });
        }
        for (const { x: lx, y: ly, radius } of lesions) {
          const shape = blob(texture, lx, ly, radius, 0.07, 0.012);
          const strength = 0.28 + 0.36 * look.contrast;
          field.add(strength, shape);
        }
        return expose(field, 0.18, 1.95, look, texture);
      },
    };
  },
};

const FRACTURE: Finding = {
  name: 'Fracture',
  looks: 'a dark line across the shaft with its ends out of step',
  kind: 'diffuse',
  scale:
    'mild: the ends are in line; moderate: shifted by less than half the width of the bone; severe: shifted by more',
};
const LYTIC: Finding = {
  name: 'Lytic bone lesion',
  looks: 'a dark hole in the bone',
  kind: 'focal',
  sizes: ['small', 'medium'],
};

const leg: Scene = {
  modality: 'X-Ray',
  anatomy: 'Lower leg',
  region: 'leg',
  modalitySigns: SIGNS,
  anatomySigns: 'two long bones side by side, the thick tibia and the thin fibula',
  findings: [FRACTURE, LYTIC],
  compose(random): Composition {
    const x = 0.5 + random.uniform(-0.04, 0.04);
    const breakY = 0.5 + random.uniform(-0.2, 0.2);
    const flip = random.pick([-1, 1]);
    const tibia = (py: number) => ({
      middle: x - flip * 0.05,
      half: 0.085 + 0.07 * smooth(0.28, 0, py) + 0.045 * smooth(0.75, 1, py),
    });
    return {
      attributes: {},
      fits: (_, px, py, radius) => {
        const { middle, half } = tibia(py);
        return (
          Math.abs(px - middle) < Math.max(0.02, half + 0.008 - radius) &&
          py > radius + 0.05 &&
          py < 0.95 - radius
        );
      },
      paint(size, { finding, lesions, grade }, look, texture) {
        const shift =
          finding === FRACTURE ? { mild: 0.006, moderate: 0.055, severe: 0.12 }[grade ?? 'mild'] : 0;
        const trabecular = fractal(texture, 48, 2);
        const flesh = fractal(texture, 4, 2);
        const crack = fractal(texture, 24, 1);
        const field = new Field(size, (px, py) => {
          const width = 0.3 + 0.035 * Math.sin(py * 4 + 0.6) + 0.01 * flesh(px, py);
          const rest = 1 - ((px - x) / width) ** 2;
          return rest <= 0 ? 0 : 0.62 * Math.sqrt(rest) + 0.03 * flesh(px, py);
        });
        const bone = (px: number, py: number, middle: number, half: number, strength: number) => {
          const across = Math.abs(px - middle) / half;
          if (across >= 1.04) return 0;
          const wall = smooth(0.6, 0.9, across);
          const spongy =
            0.34 + 0.09 * trabecular(px, py) * (smooth(0.3, 0.05, py) + smooth(0.75, 0.95, py) + 0.35);
          return strength * smooth(1.04, 0.97, across) * (spongy + 0.75 * wall);
        };
        field.paint((value, px, py) => {
          const jag = 0.018 * crack(px, py) + 0.32 * (px - x);
          const below = py - breakY - jag;
          const broken = finding === FRACTURE;
          const moved = px + (broken && below > 0 ? shift : 0);
          const gap = broken ? smooth(0.004, 0.013, Math.abs(below)) : 1;
          const { middle, half } = tibia(py);
          const fibula = x + flip * 0.16;
          const thin = 0.03 + 0.022 * smooth(0.2, 0, py) + 0.02 * smooth(0.8, 1, py);
          return value + gap * bone(moved, py, middle, half, 1.15) + bone(px, py, fibula, thin, 0.8);
        });
        for (const { x: lx, y: ly, radius } of lesions) {
          const shape = blob(texture, lx, ly, radius, 0.1, 0.008);
          const rim = blob(texture, lx, ly, radius * 1.12, 0.08, 0.01);
          const strength = 0.22 + 0.38 * look.contrast;
          field.paintIn(around(lx, ly, 2 * radius), (value, a, b) => {
            const { middle, half } = tibia(b);
            const inBone = smooth(1.02, 0.95, Math.abs(a - middle) / half);
            return value + inBone * (0.12 * rim(a, b) - strength * shape(a, b));
          });
        }
        return expose(field, 0.05, 1.85, look, texture);
      },
    };
  },
};

/** Radiographs of chest and lower leg. */
export const XRAY_SCENES: readonly Scene[] = [chest, leg];
