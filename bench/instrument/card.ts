/** A GRPO step phase by phase: as predicted for cards, and as measured on the machine's own adapter beside it. */
import { existsSync, readFileSync } from 'node:fs';
import { measureRoofline } from '#osler/kernels/roofline.js';
import { PUBLISHED } from '#osler/models/init/init.js';
import { openGpu } from '#osler/platform/launcher/open.js';
import { CARDS } from './cards.js';
import type { Launches } from './launches.js';
import { measureStep, type StepPhase } from './measure-step.js';
import { type HostCost, type PredictedPhase, predict, shareOnMatrixUnits } from './predict.js';
import { recordStep } from './record.js';
import { PHASES, SMALL_STEP, STEP, type StepShape } from './step.js';

/** A predicted step. */
export interface CardPrediction {
  readonly card: string;
  /** Of the whole step. */
  readonly seconds: number;
  readonly phases: readonly PredictedPhase[];
  /** Part of the arithmetic of the training passes' matrix products that is done on matrix units. */
  readonly onMatrixUnits: number;
}

/** A measured step beside its prediction from the adapter's own measured roofline. */
export interface CardMeasurement {
  readonly model: string;
  readonly shape: StepShape;
  readonly adapter: { readonly name: string; readonly driver: string; readonly tier: string };
  readonly phases: readonly StepPhase[];
}

/** Predictions for all cards of the table. */
export async function predictCards(model: string): Promise<CardPrediction[]> {
  const host = committedHostCost();
  const predictions: CardPrediction[] = [];
  for (const card of CARDS) {
    const recorded = await recordStep(model, { traits: card.traits });
    const phases = predict(recorded, STEP, card, host);
    const onMatrixUnits = shareOnMatrixUnits(recorded);
    predictions.push({ card: card.name, seconds: secondsOf(phases), phases, onMatrixUnits });
  }
  return predictions;
}

/** Measures on the adapter of this machine, which `ensureDriver` has found: the second of two steps. */
export async function measureCard(model: string): Promise<CardMeasurement> {
  const shape = Object.hasOwn(PUBLISHED, model) ? STEP : SMALL_STEP;
  const gpu = await openGpu();
  const phases = await measureStep(gpu, { model, shape, roofline: await measureRoofline(gpu) });
  const { info, tier } = gpu;
  await gpu.destroy();
  return { model, shape, adapter: { name: info.name, driver: info.driver, tier }, phases };
}

/** What launches cost the host where the committed table was made. */
function committedHostCost(): HostCost | undefined {
  const file = new URL('../../../bench/results/isa/launches.json', import.meta.url);
  if (!existsSync(file)) return undefined;
  const { decode, training } = JSON.parse(readFileSync(file, 'utf8')) as Launches;
  const step = decode.find(({ batch, lora }) => batch === 32 && lora);
  const pass = training.find(({ lora }) => lora);
  if (!step || !pass?.hostMs) return undefined;
  return { encoded: pass.hostMs / 1000 / pass.launches, replayed: step.hostMs / 1000 / step.total };
}

function secondsOf(phases: readonly PredictedPhase[]): number {
  return phases.reduce((sum, { seconds }) => sum + seconds, 0);
}

const seconds = (value: number) => `${value.toFixed(value < 1 ? 3 : 1)} s`.padStart(9);

/** For people. */
export function predictionText(model: string, predictions: readonly CardPrediction[]): string {
  const { prompts, completions, tokens } = STEP;
  const lines = [
    `PREDICTION, not a measurement: a LoRA GRPO step of ${model}, ${prompts} prompts x ${completions} completions x ${tokens} tokens, if kernels`,
    "reached the makers' peaks; what bounds each phase stands behind it. `osler bench --card` measures. Last: part of the arithmetic of",
    "the training passes' matrix products that is done on matrix units.",
    '',
    `${'card'.padEnd(14)}${PHASES.map((phase) => phase.padEnd(18)).join('')}${'step'.padEnd(9)}products on matrix units`,
  ];
  for (const { card, phases, seconds: all, onMatrixUnits } of predictions) {
    const cells = phases.map((phase) => `${seconds(phase.seconds).trim()} ${phase.bound}`.padEnd(18));
    lines.push(
      `${card.padEnd(14)}${cells.join('')}${seconds(all).trim().padEnd(9)}${(100 * onMatrixUnits).toFixed(1)} %`,
    );
  }
  return lines.join('\n');
}

/** For people. */
export function measurementText({ model, shape, adapter, phases }: CardMeasurement): string {
  const { prompts, completions, tokens } = shape;
  const measured = phases.reduce((sum, { measuredSeconds }) => sum + measuredSeconds, 0);
  const row = (name: string, predicted: number, bound: string, own: number) =>
    `${name.padEnd(10)}${seconds(predicted)}  ${bound.padEnd(10)}${seconds(own)}${(own / predicted).toFixed(1).padStart(8)}x`;
  return [
    `${adapter.name}, ${adapter.driver}, tier ${adapter.tier}: a LoRA GRPO step of ${model}, ${prompts} prompts x ${completions} completions x ${tokens} tokens`,
    '',
    'phase     predicted  bound      measured   ratio',
    ...phases.map((p) => row(p.phase, p.seconds, p.bound, p.measuredSeconds)),
    row('step', secondsOf(phases), '', measured),
    '',
    "Predicted: from the adapter's own measured roofline, which no kernel reaches.",
  ].join('\n');
}
