/** Recipes: they are valid, and need the memory that they say. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseConfig } from '../models/index.js';
import { architecture } from '../models/init/init.js';
import { planBatches } from '../rollout/plan.js';
import { planMemory, planText } from '../train/memory/index.js';
import { parseGrpoConfig } from './index.js';
import { workloadOf } from './workload.js';

const folder = fileURLToPath(new URL('../../recipes/', import.meta.url));
const files = readdirSync(folder).filter((name) => /^(med-r1|gmai)-.*\.yaml$/.test(name));

/** A picture of 392 x 392 pixels and a question of some length; GMAI's pictures may be larger. */
const LARGEST = {
  'med-r1': { tokens: 420, patches: 784, image: 784 },
  gmai: { tokens: 900, patches: 2048, image: 2048 },
  // Gemma takes pictures of one size.
  medgemma: { tokens: 550, patches: 4096, image: 4096 },
};

it.each(files)('%s', (file) => {
  const text = readFileSync(folder + file, 'utf8');
  const config = parseGrpoConfig({ file, text });
  const [, arch] = /^models\/(.*?)-(?:Instruct|it)$/.exec(config.model_name_or_path) ?? [];
  const model = parseConfig(architecture(arch?.toLowerCase() as string).raw, file);
  const kind = file.includes('medgemma') ? 'medgemma' : file.startsWith('gmai') ? 'gmai' : 'med-r1';
  const workload = workloadOf(config, planBatches(config), model, LARGEST[kind]);
  const plan = planMemory(config, model, workload);
  const [, said] = /^# Memory: about ([\d.]+) GiB at the peak/m.exec(text) ?? [];
  const peak = plan.peak / 2 ** 30;
  expect(Math.abs(Number(said) / peak - 1), planText(plan)).toBeLessThan(0.1);
  const [, card] = /(\d+)gb\.yaml$/.exec(file) ?? [];
  if (card) expect(plan.peak).toBeLessThan(Number(card) * 1e9);
});
