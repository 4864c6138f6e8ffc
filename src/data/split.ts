/** Dividing questions so that no picture is on both sides. */
import { DataError } from './errors.js';
import { imageKey } from './images.js';
import type { SampleFields } from './question.js';
import { Random } from './random.js';

/** Settings of {@link splitByImage}. */
export interface SplitOptions {
  /** Share of the questions for the test side, in (0, 1). */
  readonly testShare: number;
  readonly seed: number;
}

/** Two sides that share no picture. */
export interface Split<T> {
  readonly train: T[];
  readonly test: T[];
}

/**
 * A seeded split by picture, stratified by modality and question type.
 *
 * Questions that share a picture, directly or through others, go to one side together. Within each modality and question
 * type the test side gets its share, to within one question where pictures have one question each. Both sides keep the
 * order of the input.
 */
export function splitByImage<T extends SampleFields>(samples: readonly T[], options: SplitOptions): Split<T> {
  const { testShare, seed } = options;
  if (!(testShare > 0 && testShare < 1)) {
    throw new DataError(
      { file: 'split' },
      `cannot give ${testShare} of the questions to the test side; use 0 < share < 1`,
    );
  }
  const groups = imageGroups(samples);
  const strata = samples.map((sample) => `${sample.modality ?? ''}\0${sample.question_type ?? ''}`);
  const sizes = new Map<string, number>();
  for (const stratum of strata) sizes.set(stratum, (sizes.get(stratum) ?? 0) + 1);
  const wanted = testQuotas(sizes, testShare);

  // Large groups first, while there is still room to balance them; then the questions of the rarest strata.
  const random = new Random(seed, 'split');
  const rarity = (group: readonly number[]) =>
    Math.min(...group.map((i) => sizes.get(strata[i] as string) as number));
  const order = random
    .shuffle(groups)
    .map((group) => ({ group, rarity: rarity(group) }))
    .sort((a, b) => b.group.length - a.group.length || a.rarity - b.rarity);

  const left = new Map([...sizes].map(([stratum, size]) => [stratum, size]));
  const isTest = new Uint8Array(samples.length);
  for (const { group } of order) {
    // Its place in a random order, so that it is a draw without replacement: chance = still wanted / still left.
    let surplus = 0;
    for (const i of group) {
      const stratum = strata[i] as string;
      surplus += (wanted.get(stratum) as number) / (left.get(stratum) as number);
    }
    const takes = random.uniform() * group.length < surplus;
    for (const i of group) {
      const stratum = strata[i] as string;
      left.set(stratum, (left.get(stratum) as number) - 1);
      if (!takes) continue;
      isTest[i] = 1;
      wanted.set(stratum, (wanted.get(stratum) as number) - 1);
    }
  }
  return {
    train: samples.filter((_, i) => isTest[i] === 0),
    test: samples.filter((_, i) => isTest[i] === 1),
  };
}

/** Whole numbers that add up to the share of all, each within one of its stratum's share. */
function testQuotas(sizes: ReadonlyMap<string, number>, share: number): Map<string, number> {
  let before = 0;
  return new Map(
    [...sizes.keys()].sort().map((stratum) => {
      const after = before + (sizes.get(stratum) as number);
      const quota = Math.round(after * share) - Math.round(before * share);
      before = after;
      return [stratum, quota];
    }),
  );
}

/** Indices of samples, grouped so that samples of different groups share no picture. */
function imageGroups(samples: readonly SampleFields[]): number[][] {
  const parent = samples.map((_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number;
      at = parent[at] as number;
    }
    return at;
  };
  const owner = new Map<string, number>();
  samples.forEach((sample, i) => {
    for (const image of sample.images) {
      const key = imageKey(sample, image);
      const other = owner.get(key);
      if (other === undefined) owner.set(key, i);
      else parent[root(i)] = root(other);
    }
  });
  const groups = new Map<number, number[]>();
  samples.forEach((_, i) => {
    const group = groups.get(root(i));
    if (group === undefined) groups.set(root(i), [i]);
    else group.push(i);
  });
  return [...groups.values()];
}

/** How much a test set shares with a training set. */
export interface Leakage {
  /** Pictures on both sides. */
  readonly images: number;
  /** Test questions whose picture is also in training. */
  readonly questions: number;
  /** Those questions' share of the test set. */
  readonly share: number;
}

/** What a test set shares with a training set, by picture. */
export function leakage(train: readonly SampleFields[], test: readonly SampleFields[]): Leakage {
  const seen = imageKeys(train);
  const shared = new Set<string>();
  let questions = 0;
  for (const sample of test) {
    const keys = sample.images.map((image) => imageKey(sample, image)).filter((key) => seen.has(key));
    if (keys.length > 0) questions++;
    for (const key of keys) shared.add(key);
  }
  return { images: shared.size, questions, share: test.length === 0 ? 0 : questions / test.length };
}

/** The test samples that share no picture with training. */
export function withoutLeaked<T extends SampleFields>(
  train: readonly SampleFields[],
  test: readonly T[],
): T[] {
  const seen = imageKeys(train);
  return test.filter((sample) => !sample.images.some((image) => seen.has(imageKey(sample, image))));
}

function imageKeys(samples: readonly SampleFields[]): Set<string> {
  return new Set(samples.flatMap((sample) => sample.images.map((image) => imageKey(sample, image))));
}
