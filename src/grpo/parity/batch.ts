/** Reading fixtures of kind `grpo`. */
import { z } from 'zod';
import { SafetensorsError } from '../../formats/errors.js';
import { gridPatches, patchValues } from '../../models/core/grid.js';
import type { Model } from '../../models/index.js';
import { readSequences } from '../../models/inputs.js';
import type { Fixture } from '../../models/parity/fixture.js';
import type { LossSequence } from '../loss/policy-loss.js';
import {
  IMPORTANCE_LEVELS,
  LOSS_DEFAULTS,
  LOSS_TYPES,
  type LossSettings,
  type LossWindow,
} from '../loss/settings.js';
import type { PassGroup } from '../pass.js';

/** `__metadata__.grpo`; what a fixture does not say is as in TRL. */
const settingsSchema = z.object({
  loss_type: z.enum(LOSS_TYPES),
  epsilon: z.number().default(LOSS_DEFAULTS.epsilon),
  epsilon_high: z.number().nullish(),
  delta: z.number().nullish(),
  beta: z.number().default(0),
  temperature: z.number().positive().default(1),
  importance_sampling_level: z.enum(IMPORTANCE_LEVELS).default('token'),
  max_completion_length: z.int().positive().nullish(),
  prompt_length: z.int().positive().nullish(),
  top_entropy_quantile: z.number().default(1),
  entropy_coef: z.number().default(0),
  sapo_temperature_pos: z.number().positive().default(LOSS_DEFAULTS.sapoTemperaturePos),
  sapo_temperature_neg: z.number().positive().default(LOSS_DEFAULTS.sapoTemperatureNeg),
});

type FixtureSettings = z.output<typeof settingsSchema>;

/** One row of the padded batch: a prompt, one completion, and what its loss needs besides log-probabilities. */
export interface FixtureRow extends PassGroup, Omit<LossSequence, 'logps' | 'entropies'> {
  /** Column of each completion token in the [B, C] tensors. */
  readonly columns: readonly number[];
  readonly mask: readonly number[];
}

/** A batch with the settings of its loss. */
export interface FixtureBatch {
  readonly rows: readonly FixtureRow[];
  /** Columns of the [B, C] tensors. */
  readonly columns: number;
  readonly temperature: number;
  readonly loss: LossSettings;
  readonly window: LossWindow;
}

/** Reads the inputs of a fixture. */
export async function readBatch(fixture: Fixture, model: Model): Promise<FixtureBatch> {
  const settings = readSettings(fixture);
  const inputs = await readSequences(fixture, model);
  const mask = await fixture.integers('completion_mask');
  const prompt = settings.prompt_length ?? inputs.columns - mask.columns;
  if (mask.rows !== inputs.rows || prompt + mask.columns !== inputs.columns || prompt < 1) {
    throw fixture.wrong(
      'completion_mask',
      `has shape [${mask.rows}, ${mask.columns}]; with a prompt_length of ${prompt} the inputs make it [${inputs.rows}, ${inputs.columns - prompt}]`,
    );
  }
  fixture.checkShape('advantages', [inputs.rows]);
  const advantages = await fixture.floats('advantages');
  const tokenValues = async (name: string) => {
    if (!fixture.has(name)) return null;
    fixture.checkShape(name, [mask.rows, mask.columns]);
    return fixture.floats(name);
  };
  const old = await tokenValues('old_logps');
  const ref = await tokenValues('ref_logps');
  if (settings.beta !== 0 && !ref) throw fixture.wrong('ref_logps', 'is missing, though beta is not 0');
  const width = model.config.vision ? patchValues(model.config.vision) : 0;
  let token = 0;
  let patch = 0;
  const rows = inputs.sequences.map(({ ids, images = [] }, b): FixtureRow => {
    const all = Array.from(ids);
    const places = all.map((_, i) => inputs.places[token + i] - b * inputs.columns - prompt);
    token += all.length;
    const cut = places.filter((column) => column < 0).length;
    if (cut === 0) throw fixture.wrong('attention_mask', `masks all of the prompt of row ${b}`);
    const columns = places.slice(cut);
    const at = (column: number) => b * mask.columns + column;
    for (let c = 0; c < mask.columns; c++) {
      if (mask.values[at(c)] === 0 || columns.includes(c)) continue;
      throw fixture.wrong(
        'completion_mask',
        `counts token ${c} of row ${b}, which attention_mask leaves out`,
      );
    }
    const patches = images.reduce((sum, grid) => sum + gridPatches(grid), 0);
    patch += patches;
    const pick = (values: Float32Array | null) => values && columns.map((column) => values[at(column)]);
    return {
      prompt: { ids: all.slice(0, cut), images },
      pixels: patches > 0 ? inputs.pixels!.subarray((patch - patches) * width, patch * width) : null,
      completions: [all.slice(cut)],
      columns,
      mask: columns.map((column) => mask.values[at(column)]),
      oldLogps: pick(old),
      refLogps: pick(ref),
      advantage: advantages[b],
    };
  });
  return {
    rows,
    columns: mask.columns,
    temperature: settings.temperature,
    loss: lossSettings(settings),
    window: {
      accumulation: 1,
      tokens: mask.values.reduce((sum, value) => sum + value, 0),
      maxCompletionLength: settings.max_completion_length ?? mask.columns,
    },
  };
}

function readSettings(fixture: Fixture): FixtureSettings {
  const bad = (problem: string) =>
    new SafetensorsError(
      fixture.path,
      `has ${problem} in __metadata__.grpo; see reference/make_grpo_fixture.py`,
    );
  let raw: unknown;
  try {
    raw = JSON.parse(fixture.metadata.grpo ?? '');
  } catch {
    throw bad('no JSON');
  }
  const parsed = settingsSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw bad(`a bad "${issue.path.join('.')}" (${issue.message})`);
}

function lossSettings(settings: FixtureSettings): LossSettings {
  return {
    ...LOSS_DEFAULTS,
    lossType: settings.loss_type,
    importanceSamplingLevel: settings.importance_sampling_level,
    epsilon: settings.epsilon,
    epsilonHigh: settings.epsilon_high ?? settings.epsilon,
    delta: settings.delta ?? null,
    beta: settings.beta,
    // TRL does not hold it back.
    klClamp: Number.POSITIVE_INFINITY,
    entropyCoef: settings.entropy_coef,
    topEntropyQuantile: settings.top_entropy_quantile,
    sapoTemperaturePos: settings.sapo_temperature_pos,
    sapoTemperatureNeg: settings.sapo_temperature_neg,
  };
}
