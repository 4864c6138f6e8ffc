/**
 * Whether GRPO learns: pictures of digits, four options, a tiny model that fine-tuning has taught the form of an answer but
 * hardly its content. Held-out accuracy before and after, for several seeds; and for a control whose answers, and so whose
 * rewards, are dealt out at random.
 *
 *     npm run build && node dist/bench/grpo-learning.js [--family qwen2-vl] [--seeds 3] [--steps 140] [--control 1] [--json]
 *
 * Families are qwen2-vl and qwen3-vl.
 */
import '#osler/platform/node/install.js';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { problemText, Random } from '#osler/data/index.js';
import type { Gpu } from '#osler/gpu/index.js';
import { makeGrpoTask, parseGrpoConfig } from '#osler/grpo/index.js';
import { type InitOptions, initModel } from '#osler/models/index.js';
import { ensureDriver } from '#osler/platform/launcher/launch.js';
import { openGpu } from '#osler/platform/launcher/open.js';
import { importModule } from '#osler/platform/node/import-module.js';
import { makeSftTask, parseSftConfig } from '#osler/sft/index.js';
import { launchTraining } from '#osler/train/launch.js';

const { values: args } = parseArgs({
  options: {
    family: { type: 'string', default: 'qwen2-vl' },
    seeds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '140' },
    control: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const TRAIN = 400;
const HELD_OUT = 200;
/** One token of a Qwen2-VL. */
const SIDE = 28;
const SFT_STEPS = 160;

/** Narrow, but with weights large enough at the start that a picture of one token reaches the answer within seconds. */
const DECODER = {
  hidden_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 256,
  tie_word_embeddings: true,
  max_position_embeddings: 1024,
  rms_norm_eps: 1e-6,
};
const FAMILIES: Readonly<Record<string, InitOptions['arch']>> = {
  'qwen2-vl': {
    architectures: ['Qwen2VLForConditionalGeneration'],
    model_type: 'qwen2_vl',
    ...DECODER,
    hidden_act: 'silu',
    initializer_range: 0.06,
    rope_theta: 10000,
    torch_dtype: 'float32',
    use_sliding_window: false,
    rope_scaling: { type: 'mrope', mrope_section: [4, 4, 4] },
    vision_config: {
      depth: 2,
      embed_dim: 64,
      mlp_ratio: 2,
      num_heads: 4,
      hidden_size: 96,
      in_chans: 3,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
    },
  },
  'qwen3-vl': {
    architectures: ['Qwen3VLForConditionalGeneration'],
    model_type: 'qwen3_vl',
    initializer_range: 0.06,
    tie_word_embeddings: true,
    torch_dtype: 'float32',
    text_config: {
      model_type: 'qwen3_vl_text',
      ...DECODER,
      head_dim: 32,
      attention_bias: false,
      hidden_act: 'silu',
      rope_theta: 10000,
      rope_scaling: { rope_type: 'default', mrope_interleaved: true, mrope_section: [6, 5, 5] },
    },
    vision_config: {
      model_type: 'qwen3_vl',
      depth: 2,
      hidden_size: 64,
      intermediate_size: 128,
      num_heads: 4,
      in_channels: 3,
      out_hidden_size: 96,
      patch_size: 14,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      num_position_embeddings: 16,
      deepstack_visual_indexes: [0, 1],
      hidden_act: 'gelu_pytorch_tanh',
    },
  },
};
const MODEL = FAMILIES[args.family];
if (!MODEL) throw new Error(`--family ${args.family} is none of ${Object.keys(FAMILIES).join(', ')}`);

/** Five columns of seven rows. */
const GLYPHS: Readonly<Record<string, readonly string[]>> = {
  '1': ['..#..', '.##..', '..#..', '..#..', '..#..', '..#..', '.###.'],
  '2': ['.###.', '#...#', '....#', '..##.', '.#...', '#....', '#####'],
  '4': ['...#.', '..##.', '.#.#.', '#..#.', '#####', '...#.', '...#.'],
  '8': ['.###.', '#...#', '#...#', '.###.', '#...#', '#...#', '.###.'],
};
const DIGITS = Object.keys(GLYPHS);

/** A digit somewhere in a noisy picture, dark on light or light on dark. */
function draw(digit: string, random: Random): Buffer {
  const pixels = Buffer.alloc(SIDE * SIDE * 3);
  const cell = 3;
  const left = 4 + random.below(6);
  const top = 1 + random.below(6);
  const [ink, paper] = [random.uniform(150, 250), random.uniform(10, 90)];
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [column, row] = [Math.floor((x - left) / cell), Math.floor((y - top) / cell)];
      const shade = (GLYPHS[digit][row]?.[column] === '#' ? ink : paper) + 12 * random.normal();
      pixels.fill(Math.max(0, Math.min(255, Math.round(shade))), 3 * (y * SIDE + x), 3 * (y * SIDE + x + 1));
    }
  }
  return pixels;
}

const OPTIONS = Object.fromEntries(DIGITS.map((digit, i) => ['ABCD'[i], digit]));
const QUESTION = 'Digit?';

/** What a dataset is for. */
interface Writing {
  readonly name: string;
  readonly count: number;
  readonly seed: number;
  /** Share of the answers that are dealt out at random, whatever the picture; 0 by default. */
  readonly dealt?: number;
  /** Conversations that end with the answer, to fine-tune on, in the place of questions. */
  readonly taught?: boolean;
}

/** Writes samples and their pictures. */
async function writeSamples(dir: string, { name, count, seed, dealt = 0, taught }: Writing): Promise<void> {
  const random = new Random(seed, `digits ${name}`);
  const lines: string[] = [];
  mkdirSync(join(dir, name), { recursive: true });
  for (let i = 0; i < count; i++) {
    const index = random.below(4);
    const image = `${name}/${i}.png`;
    const raw = { width: SIDE, height: SIDE, channels: 3 as const };
    await sharp(draw(DIGITS[index], random), { raw }).png().toFile(join(dir, image));
    const deal = new Random(seed, 'dealt', i);
    const answer = 'ABCD'[deal.uniform() < dealt ? deal.below(4) : index];
    const question = { question: QUESTION, options: OPTIONS };
    const content = [
      { type: 'image', image },
      { type: 'text', text: problemText(question) },
    ];
    const messages = [
      { role: 'user', content },
      { role: 'assistant', content: `<answer> ${answer} </answer>` },
    ];
    const id = `${name}-${i}`;
    lines.push(JSON.stringify(taught ? { id, messages } : { id, image, ...question, answer }));
  }
  writeFileSync(join(dir, `${name}.jsonl`), `${lines.join('\n')}\n`);
}

const output = {
  live: false,
  write: (text: string) => void (args.verbose && process.stderr.write(text)),
};

/** What a run found. */
interface Outcome {
  readonly seed: number;
  readonly control: boolean;
  /** Held-out accuracy after fine-tuning, and after GRPO. */
  readonly before: number;
  readonly after: number;
  /** Rewards of the first and the last five steps. */
  readonly firstReward: number;
  readonly lastReward: number;
  readonly sftSeconds: number;
  readonly grpoSeconds: number;
  readonly logpDifference: number;
}

async function run(gpu: Gpu, seed: number, control: boolean): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'osler-learning-'));
  try {
    await initModel(join(dir, 'model'), { arch: MODEL, seed });
    // Fine-tuning teaches the form, but most of its answers are dealt out at random.
    await writeSamples(dir, { name: 'form', count: 400, seed, dealt: 0.7, taught: true });
    await writeSamples(dir, { name: 'train', count: TRAIN, seed: seed + 1000, dealt: control ? 1 : 0 });
    await writeSamples(dir, { name: 'test', count: HELD_OUT, seed: seed + 2000 });
    const common = {
      system_prompt: 'x',
      min_pixels: SIDE * SIDE,
      seed,
      save_strategy: 'no',
      logging_steps: 10,
    };
    const source = (settings: object) => ({
      file: 'bench',
      text: JSON.stringify({ ...common, ...settings }),
    });
    const start = performance.now();
    await launchTraining({
      gpu,
      config: parseSftConfig(
        source({
          model_name_or_path: join(dir, 'model'),
          train_dataset: join(dir, 'form.jsonl'),
          output_dir: join(dir, 'sft'),
          learning_rate: 1e-3,
          per_device_train_batch_size: 2,
          max_steps: SFT_STEPS,
          packing: true,
          lr_scheduler_type: 'cosine',
        }),
      ),
      makeTask: makeSftTask,
      resume: false,
      console: output,
    });
    const middle = performance.now();
    await launchTraining({
      gpu,
      config: parseGrpoConfig(
        source({
          model_name_or_path: join(dir, `sft/checkpoints/step-${String(SFT_STEPS).padStart(6, '0')}`),
          train_dataset: join(dir, 'train.jsonl'),
          eval_dataset: join(dir, 'test.jsonl'),
          output_dir: join(dir, 'grpo'),
          prompt_template: '{Question}',
          rewards: ['accuracy'],
          learning_rate: 3e-4,
          lr_scheduler_type: 'constant',
          num_generations: 8,
          per_device_train_batch_size: 64,
          max_completion_length: 32,
          max_steps: Number(args.steps),
          eval_strategy: 'steps',
          eval_steps: Number(args.steps),
          eval_on_start: true,
        }),
      ),
      makeTask: (setting) => makeGrpoTask(setting, { folder: dir, importModule }),
      resume: false,
      console: output,
    });
    const end = performance.now();
    const metrics = readFileSync(join(dir, 'grpo/metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, number>);
    const rewards = metrics.flatMap(({ reward }) => (reward === undefined ? [] : [reward]));
    const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    return {
      seed,
      control,
      before: metrics[0]['eval/accuracy'],
      after: metrics.at(-1)?.['eval/accuracy'] ?? Number.NaN,
      firstReward: mean(rewards.slice(0, 5)),
      lastReward: mean(rewards.slice(-5)),
      sftSeconds: (middle - start) / 1000,
      grpoSeconds: (end - middle) / 1000,
      logpDifference: Math.max(...metrics.map((line) => line['sampling/logp_diff_max'] ?? 0)),
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

await ensureDriver();
const gpu = await openGpu();
const outcomes: Outcome[] = [];
for (const control of [false, true]) {
  for (let seed = 1; seed <= Number(control ? args.control : args.seeds); seed++) {
    const outcome = await run(gpu, seed, control);
    outcomes.push(outcome);
    const points = (100 * (outcome.after - outcome.before)).toFixed(1);
    if (!args.json) {
      console.log(
        `${control ? 'control' : 'GRPO   '} seed ${seed}: held-out accuracy ${(100 * outcome.before).toFixed(1)}% -> ${(100 * outcome.after).toFixed(1)}% (${points} points); ` +
          `reward ${outcome.firstReward.toFixed(2)} -> ${outcome.lastReward.toFixed(2)}; SFT ${outcome.sftSeconds.toFixed(0)} s, GRPO ${outcome.grpoSeconds.toFixed(0)} s; logp difference ${outcome.logpDifference.toExponential(1)}`,
      );
    }
  }
}
if (args.json)
  console.log(
    JSON.stringify(
      { adapter: gpu.info.name, family: args.family, steps: Number(args.steps), outcomes },
      null,
      2,
    ),
  );
await gpu.destroy();
