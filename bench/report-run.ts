/** Makes the folder of a training run that never happened, as large as asked, for the report's tests and benchmark. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';

/** Size of a made-up run. */
export interface RunShape {
  readonly steps: number;
  readonly prompts: number;
  readonly generations: number;
  /** Different pictures; questions take them in turn. */
  readonly pictures: number;
  /** Longest side of a picture. */
  readonly side: number;
  /** Replaces the text of the first completion of the first group. */
  readonly firstText?: string;
}

const MODALITIES = ['CT', 'MRI', 'X-Ray', 'Ultrasound', 'Dermoscopy', 'Fundus', 'OCT', 'Microscopy'] as const;
const TYPES: Readonly<Record<string, readonly [string, readonly string[]]>> = {
  'Modality Recognition': [
    'What imaging modality was used to take this picture?',
    ['CT', 'MRI', 'X-ray', 'Ultrasound'],
  ],
  'Anatomy Identification': [
    'Which organ is seen in the middle?',
    ['Liver', 'Left kidney', 'Spleen', 'Heart'],
  ],
  'Disease Diagnosis': [
    'What is the most likely finding?',
    ['No abnormality', 'A cyst', 'A solid mass', 'An abscess'],
  ],
  'Lesion Grading': ['How severe is the lesion?', ['Mild', 'Moderate', 'Severe', 'None']],
  'Other Biological Attributes': [
    'How many lesions can be counted?',
    ['None', 'One', 'Two', 'Three or more'],
  ],
};
const WORDS =
  'the image shows a round region of low attenuation with a sharp border next to the vessel and no sign of invasion ' +
  'its density is close to water which argues for a benign cyst rather than a solid mass however the wall appears ' +
  'slightly thick and there is a faint rim that takes up contrast in comparison with the opposite side the contour is ' +
  'smooth and symmetric so that the most plausible reading among the given options follows from size place and texture';

/** Writes config.yaml, metrics.jsonl, completions.jsonl, images and two evaluations into a folder. */
export async function makeRun(folder: string, shape: RunShape, seed = 1): Promise<void> {
  const random = generator(seed);
  mkdirSync(path.join(folder, 'data', 'images'), { recursive: true });
  for (let i = 0; i < shape.pictures; i++)
    await drawPicture(path.join(folder, 'data', picture(i)), shape.side, random);
  const metrics: string[] = [];
  const completions: string[] = [];
  for (let step = 1; step <= shape.steps; step++) {
    const skill = 0.3 + 0.5 * (1 - Math.exp((-3 * step) / shape.steps));
    let reward = 0;
    let tokens = 0;
    for (let prompt = 0; prompt < shape.prompts; prompt++) {
      const lines = group(step, prompt, skill, shape, random);
      for (const line of lines) {
        reward += line.reward / (shape.prompts * shape.generations);
        tokens += line.token_count / (shape.prompts * shape.generations);
        completions.push(JSON.stringify(line));
      }
    }
    metrics.push(JSON.stringify(metricRow(step, shape.steps, reward, tokens, random)));
  }
  writeFileSync(path.join(folder, 'metrics.jsonl'), `${metrics.join('\n')}\n`);
  writeFileSync(path.join(folder, 'completions.jsonl'), `${completions.join('\n')}\n`);
  writeFileSync(path.join(folder, 'config.yaml'), config(path.resolve(folder), shape));
  writeEvaluation(path.join(folder, 'eval', 'start'), 0.34, random);
  writeEvaluation(path.join(folder, 'eval', 'end'), 0.68, random);
}

function group(step: number, prompt: number, skill: number, shape: RunShape, random: () => number) {
  const number = (step - 1) * shape.prompts + prompt;
  const modality = MODALITIES[number % MODALITIES.length] as string;
  const names = Object.keys(TYPES);
  const type = names[Math.floor(number / MODALITIES.length) % names.length] as string;
  const [question, options] = TYPES[type] as readonly [string, readonly string[]];
  const letters = options.map((_, i) => String.fromCharCode(65 + i));
  const answer = letters[Math.floor(random() * letters.length)] as string;
  const drawn = Array.from({ length: shape.generations }, (_, sample) => {
    const right = random() < skill;
    const formed = random() < 0.6 + 0.4 * skill;
    const said = right
      ? answer
      : (letters[(letters.indexOf(answer) + 1 + Math.floor(3 * random())) % 4] as string);
    const length = Math.round(40 + 110 * random());
    const text = formed
      ? `<think>${prose(length, random)}</think>\n<answer> ${said} </answer>`
      : prose(length, random);
    const first = step === 1 && prompt === 0 && sample === 0;
    return {
      sample,
      right: right && formed,
      formed,
      said,
      text: first ? (shape.firstText ?? text) : text,
      length,
    };
  });
  const totals = drawn.map(({ right, formed }) => Number(right) + 0.5 * Number(formed));
  const mean = totals.reduce((sum, total) => sum + total, 0) / totals.length;
  const std = Math.sqrt(
    totals.reduce((sum, total) => sum + (total - mean) ** 2, 0) / (totals.length - 1 || 1),
  );
  return drawn.map(({ sample, right, formed, said, text, length }, i) => ({
    step,
    prompt_id: `${modality.toLowerCase()}-${number}`,
    group: prompt,
    sample,
    images: [picture(number % shape.pictures)],
    question,
    options: Object.fromEntries(options.map((option, k) => [letters[k], option])),
    answer,
    modality,
    question_type: type,
    dataset: 'made-up',
    prompt: `<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>${question} ${options.map((o, k) => `${letters[k]})${o}`).join(', ')}<|im_end|>\n<|im_start|>assistant\n`,
    completion: text,
    token_count: length + 18,
    finish_reason: length > 145 ? 'length' : 'stop',
    rewards: {
      accuracy: {
        value: Number(right),
        weight: 1,
        reason: right ? `letter ${said} is right` : `answered ${said}, not ${answer}`,
      },
      think_format: {
        value: Number(formed),
        weight: 0.5,
        reason: formed ? 'one pair of each tag' : 'no answer tags',
      },
    },
    reward: totals[i] as number,
    advantage: ((totals[i] as number) - mean) / (std + 1e-4),
    logp_mean: -0.4 - 0.3 * random(),
    correct: right,
  }));
}

function metricRow(step: number, steps: number, reward: number, tokens: number, random: () => number) {
  const at = step / steps;
  const noise = (scale: number) => scale * (random() - 0.5);
  return {
    step,
    loss: noise(0.02) + 0.002 * at,
    grad_norm: 0.6 + noise(0.4),
    learning_rate: 1e-5 * (1 - at),
    epoch: at,
    num_tokens: 14_000 * step,
    reward,
    reward_std: 0.55 - 0.3 * at + noise(0.05),
    'rewards/accuracy/mean': reward / 1.5 + noise(0.02),
    'rewards/accuracy/std': 0.4,
    'rewards/think_format/mean': Math.min(1, 0.7 + 0.3 * at + noise(0.04)),
    'rewards/think_format/std': 0.2,
    frac_reward_zero_std: 0.1 + 0.25 * at + noise(0.08),
    kl: 0.05 * at ** 1.5 + Math.abs(noise(0.006)),
    entropy: 1.3 - 0.8 * at + noise(0.08),
    'completions/mean_length': tokens,
    'completions/min_length': tokens * 0.5,
    'completions/max_length': tokens * 1.6,
    'completions/mean_terminated_length': tokens * 0.97,
    'completions/clipped_ratio': Math.max(0, 0.06 - 0.05 * at + noise(0.03)),
    nonfinite_steps: 0,
    'sampling/logp_diff_max': 2e-5 * random(),
    'time/rollout': 4.1 + noise(0.5),
    'time/reward': 0.05,
    'time/forward': 1.1 + noise(0.2),
    'time/backward': 2.3 + noise(0.3),
    'time/update': 0.2,
    step_time: 7.8 + noise(0.6),
    ...(step % 50 === 0 && { 'eval/accuracy': 0.34 + 0.3 * at }),
  };
}

function config(folder: string, shape: RunShape): string {
  return [
    'model_name_or_path: Qwen/Qwen2-VL-2B-Instruct',
    `train_dataset: ${folder}/data/train.jsonl`,
    `output_dir: ${folder}`,
    `num_generations: ${shape.generations}`,
    `max_steps: ${shape.steps}`,
    'max_completion_length: 256',
    'learning_rate: 1.0e-5',
    'beta: 0.04',
    'loss_type: dapo',
    'seed: 42',
    'rewards:',
    '  - name: accuracy',
    '    weight: 1',
    '  - name: think_format',
    '    weight: 0.5',
    '',
  ].join('\n');
}

function writeEvaluation(folder: string, skill: number, random: () => number): void {
  const cells = MODALITIES.flatMap((modality, m) =>
    Object.keys(TYPES).flatMap((question_type, t) => {
      // Not every modality has every type, as in OmniMedVQA.
      if ((m + 2 * t) % 7 === 6) return [];
      const n = 30 + Math.floor(random() * 200);
      const share = Math.min(0.97, Math.max(0.05, skill + 0.35 * (random() - 0.5)));
      const correct = Math.round(n * share);
      const accuracy = { n, correct, accuracy: correct / n, low: 0, high: 1 };
      const paper = { ...accuracy, correct: Math.round(correct * 0.9) };
      return [
        {
          modality,
          question_type,
          dataset: 'made-up',
          robust: accuracy,
          paper,
          random: 0.25,
          majority: 0.3,
          majority_letter: 'A',
        },
      ];
    }),
  );
  mkdirSync(folder, { recursive: true });
  const summary = {
    format: 'osler-eval/1',
    model: 'Qwen/Qwen2-VL-2B-Instruct',
    data: 'data/test.jsonl',
    settings: { style: 'think' },
    cells,
  };
  writeFileSync(path.join(folder, 'summary.json'), JSON.stringify(summary));
}

/** Speckle, a bright ring and a blob: as hard to compress as an ultrasound picture. */
async function drawPicture(file: string, side: number, random: () => number): Promise<void> {
  const pixels = new Uint8Array(side * side);
  const [x0, y0, r0] = [
    side * (0.3 + 0.4 * random()),
    side * (0.3 + 0.4 * random()),
    side * (0.05 + 0.15 * random()),
  ];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const body = Math.hypot((x - side / 2) / 0.46, (y - side / 2) / 0.4) / side;
      const inside = body < 1 ? 70 + 30 * Math.sin(x / 17) * Math.cos(y / 23) : 4;
      const ring = body > 0.96 && body < 1 ? 110 : 0;
      const blob = Math.hypot(x - x0, y - y0) < r0 ? 80 : 0;
      pixels[y * side + x] = Math.min(255, (inside + ring + blob) * (0.6 + 0.8 * random()));
    }
  }
  await sharp(pixels, { raw: { width: side, height: side, channels: 1 } })
    .blur(0.8)
    .jpeg({ quality: 90 })
    .toFile(file);
}

function picture(index: number): string {
  return `images/${String(index).padStart(5, '0')}.jpg`;
}

function prose(words: number, random: () => number): string {
  const list = WORDS.split(' ');
  return Array.from({ length: words }, () => list[Math.floor(random() * list.length)]).join(' ');
}

/** Mulberry32: small and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
