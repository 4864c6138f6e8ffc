/** What `osler bench` does in a checkout beyond timing kernels: the front end of the instrument. */
import { readFileSync, writeFileSync } from 'node:fs';
import { UsageError } from '#osler/cli/common.js';
import { ARCHITECTURES } from '#osler/models/index.js';
import { ensureDriver } from '#osler/platform/launcher/launch.js';
import { type Mesa, packagesOf } from '#osler/platform/launcher/mesa-folder.js';
import { NULL_CHIPS, type NullChip, nullDrivers } from '#osler/platform/launcher/null-gpu.js';
import { measureCard, measurementText, predictCards, predictionText } from './card.js';
import { type ChipReport, compileFor } from './isa.js';
import { jsonOf, markdownOf, tableOf, textOf } from './isa-table.js';
import { countLaunches, launchesText } from './launches.js';
import { STEP } from './step.js';

/** Models whose steps are looked at. */
const MODELS = ['qwen2-vl-2b', 'qwen2.5-vl-7b'];

/** Options that all commands of the instrument have. */
export interface InstrumentOptions {
  readonly json: boolean;
  /** Write the result to this file as well. */
  readonly out?: string;
}

/** `osler bench --isa`: compiles all pipelines for some chips, one after the other. */
export async function runIsa(chips: readonly string[], { json, out }: InstrumentOptions): Promise<void> {
  const unknown = chips.find((chip) => !NULL_CHIPS.includes(chip as NullChip));
  if (unknown)
    throw new UsageError(`--isa ${unknown} is no chip that is known; use some of ${NULL_CHIPS.join(', ')}`);
  const mesa = drivers();
  const reports: ChipReport[] = [];
  for (const chip of chips.length > 0 ? (chips as NullChip[]) : NULL_CHIPS) {
    console.error(`osler: compiling for ${chip}`);
    reports.push(await compileFor(mesa, chip, { models: MODELS, benchmarks: true }));
  }
  const installed = packagesOf(mesa).find((name) => name.startsWith('mesa-vulkan-drivers_')) ?? 'Mesa';
  const made = { mesa: installed.replace('_', ' ').replace(/_\w+$/, ''), dawn: `webgpu ${dawnVersion()}` };
  const table = tableOf(reports, MODELS, made);
  console.log(json ? jsonOf(table) : textOf(table));
  if (!out) return;
  writeFileSync(out, jsonOf(table));
  writeFileSync(out.replace(/(\.json)?$/, '.md'), markdownOf(table));
}

/** `osler bench --launches`: counts launches, and what they cost the host. */
export async function runLaunches(options: InstrumentOptions): Promise<void> {
  const launches = await countLaunches(drivers());
  print(options, launches, launchesText(launches));
}

/** `osler bench --predict`: a step on the cards of the table. */
export async function runPredict(options: InstrumentOptions): Promise<void> {
  const [model] = MODELS;
  const cards = await predictCards(model);
  print(options, { prediction: true, model, shape: STEP, cards }, predictionText(model, cards));
}

/** `osler bench --card`: a step on this machine's adapter, beside its prediction. */
export async function runCard(model: string, options: InstrumentOptions): Promise<void> {
  if (!ARCHITECTURES.includes(model)) {
    throw new UsageError(`--model ${model} is not known; use one of ${ARCHITECTURES.join(', ')}`);
  }
  await ensureDriver();
  const measured = await measureCard(model);
  print(options, measured, measurementText(measured));
}

function print({ json, out }: InstrumentOptions, result: object, text: string): void {
  const data = JSON.stringify(result, null, 1);
  console.log(json ? data : text);
  if (out) writeFileSync(out, `${data}\n`);
}

function drivers(): Mesa {
  return nullDrivers((line) => console.error(`osler: ${line}`));
}

function dawnVersion(): string {
  const file = new URL('../../../node_modules/webgpu/package.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
