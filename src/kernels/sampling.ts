/** Drawing tokens from logits, wholly on the device: tokens stay there for the next decode step. */
import { type Bindable, check, type Gpu } from '../gpu/index.js';
import { empty, fromHost, type Tensor, zeros } from '../tensor/index.js';
import { philoxCounter, philoxKey, type RandomAddress } from './random.js';
import { rowLaunch } from './rows.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold, part, windows } from './support.js';

const WORKGROUP = 64;

/** How to choose; names and meanings are those of Hugging Face's generation config. */
export interface SamplingOptions {
  /** Logits are divided by it; 0 takes the most likely token. 1 by default. */
  readonly temperature?: number;
  /** Only the k most likely tokens (and ties with the last of them); 0, the default, is off. */
  readonly topK?: number;
  /** Only the most likely tokens that together reach this probability; 1, the default, is off. */
  readonly topP?: number;
  /** Only tokens at least this many times as likely as the most likely one; 0, the default, is off. */
  readonly minP?: number;
  /** Tokens that top-k, top-p and min-p leave at the least; 1 by default. */
  readonly minTokensToKeep?: number;
  /** Divides positive and multiplies negative logits of tokens in `seen`; 1, the default, is off. */
  readonly repetitionPenalty?: number;
}

/** What {@link sample} reads and writes. */
export interface SamplingState {
  /** f32 [B, V]. */
  readonly logits: Tensor;
  /** u32 [B, 4] from {@link randomCounters}; each row's position is advanced by one. */
  readonly counters: Tensor;
  /** Seed of all rows, unless {@link samplingRows} gives each its own. */
  readonly seed?: number | bigint;
  /** Token history from {@link seenTokens}; drawn tokens are added. Needed for a repetition penalty. */
  readonly seen?: Tensor;
  /** Tokens never to draw, from {@link tokenMask}. */
  readonly forbidden?: Tensor;
}

/** One drawn token per row. */
export interface Samples {
  /** i32 [B]; -1 where a logit was NaN or nothing could be drawn. */
  readonly tokens: Tensor;
  /** f32 [B]: log-probability under the distribution drawn from, after all filters; 0 for greedy choices. */
  readonly logp: Tensor;
  /**
   * f32 [B]: log-probability under softmax(logits / temperature) without filters, which is what a trainer computes
   * (temperature 1 for greedy choices).
   */
  readonly rawLogp: Tensor;
}

/** How each row of a batch is drawn, on the device; see {@link samplingRows}. */
export interface SamplingRows {
  /** u32 [B, 12]; may be overwritten in place with what {@link encodeSamplingRows} gives for like settings. */
  readonly table: Tensor;
  /** Whether any row has a filter (top-k, top-p or min-p), and whether any has a repetition penalty. */
  readonly limited: boolean;
  readonly penalised: boolean;
}

const ROW_WORDS = 12;

/** Words of the table of {@link SamplingRows}; layout in shaders/sampling/row.wgsl. */
export function encodeSamplingRows(rows: readonly (SamplingOptions & { readonly seed: number | bigint })[]): {
  words: Uint32Array<ArrayBuffer>;
  limited: boolean;
  penalised: boolean;
} {
  const words = new Uint32Array(rows.length * ROW_WORDS);
  const floats = new Float32Array(words.buffer);
  let limited = false;
  let penalised = false;
  rows.forEach((row, i) => {
    const { temperature, topK, topP, minP, minTokensToKeep, repetitionPenalty } = checkOptions(row);
    const greedy = temperature === 0;
    const at = i * ROW_WORDS;
    const ALL = 0xffffffff;
    // Greedy rows have no use for filters: the most likely token passes all of them.
    words.set([...philoxKey(row.seed), 0, Number(greedy), 0, ALL, greedy ? 0 : topK, minTokensToKeep], at);
    floats[at + 2] = greedy ? 1 : 1 / temperature;
    floats.set([greedy ? 1 : topP, greedy ? 0 : minP, repetitionPenalty, 1 / repetitionPenalty], at + 8);
    limited ||= !greedy && (topK > 0 || topP < 1 || minP > 0);
    penalised ||= repetitionPenalty !== 1;
  });
  return { words, limited, penalised };
}

/** Settings of its own for every row, so that requests of any kind share a batch. */
export function samplingRows(
  gpu: Gpu,
  rows: readonly (SamplingOptions & { readonly seed: number | bigint })[],
): SamplingRows {
  const { words, limited, penalised } = encodeSamplingRows(rows);
  return { table: fromHost(gpu, words, [rows.length, ROW_WORDS], 'u32'), limited, penalised };
}

/** Draws one token for each row of logits: all under the same options, or each under its own. */
export function sample(state: SamplingState, options: SamplingOptions | SamplingRows = {}): Samples {
  const op = 'sample';
  const { logits, counters, seen, forbidden } = state;
  const gpu = checkDevice(op, ...[logits, counters, seen, forbidden].filter((t) => t !== undefined));
  checkDtype(op, 'logits', logits, 'f32');
  checkShapeIs(op, 'logits', logits, [-1, -1]);
  const [rows, vocab] = logits.shape;
  const words = ceilDiv(vocab, 32);
  check(vocab <= 1 << 24, 'limit', () => `${op}: a vocabulary of ${vocab} tokens is over ${1 << 24}`);
  checkDtype(op, 'counters', counters, 'u32');
  checkShapeIs(op, 'counters', counters, [rows, 4]);
  checkMask(op, 'seen', seen, [rows, words]);
  checkMask(op, 'forbidden', forbidden, [words]);
  const settings = 'table' in options ? options : sameForAll(gpu, rows, state.seed, options);
  const { table, limited, penalised } = settings;
  checkDtype(op, 'the settings', table, 'u32');
  checkShapeIs(op, 'the settings', table, [rows, ROW_WORDS]);
  check(!penalised || seen, 'value', () => `${op}: a repetition penalty needs the token history \`seen\``);

  const processed = penalised || forbidden !== undefined;
  const tokens = empty(gpu, [rows], { dtype: 'i32' });
  const logp = empty(gpu, [rows]);
  const rawLogp = empty(gpu, [rows]);
  const launch = rowLaunch(gpu, vocab);
  const constants = { WORKGROUP: launch.workgroup };
  const shares = [
    { tensor: logits, elementsPerItem: vocab },
    { tensor: counters, elementsPerItem: 4 },
    { tensor: tokens, elementsPerItem: 1 },
    { tensor: table, elementsPerItem: ROW_WORDS },
    ...(seen ? [{ tensor: seen, elementsPerItem: words }] : []),
  ];
  for (const { first, count } of windows(gpu, rows, shares)) {
    const own = part(logits, first * vocab, count * vocab);
    const ownSettings = part(table, first * ROW_WORDS, count * ROW_WORDS);
    const history = seen && part(seen, first * words, count * words);
    const groups = fold(gpu, count);
    const work = processed
      ? process(
          { logits: own, ...(penalised ? { seen: history, settings: ownSettings } : {}), forbidden },
          gpu,
          { count, vocab, words },
        )
      : undefined;
    let limits: Tensor | undefined;
    if (limited) {
      limits = empty(gpu, [count, ROW_WORDS], { dtype: 'u32', purpose: 'scratch' });
      gpu.launch(
        'sampling/threshold',
        { logits: work ?? own, settings: ownSettings, limited: limits },
        { rows: count, vocab },
        { groups, defines: { ...launch.defines, SKIP: !gpu.info.software }, constants },
      );
    }
    gpu.launch(
      'sampling/pick',
      {
        logits: own,
        counters: part(counters, first * 4, count * 4),
        tokens: part(tokens, first, count),
        logp: part(logp, first, count),
        rawLogp: part(rawLogp, first, count),
        settings: limits ?? ownSettings,
        ...(work ? { work } : {}),
        ...(history ? { seen: history } : {}),
      },
      { rows: count, vocab, words },
      {
        groups,
        defines: { ...launch.defines, PROCESSED: processed, LIMITED: limited, SEEN: history !== undefined },
        constants,
      },
    );
    work?.dispose();
    limits?.dispose();
  }
  if (settings !== options) table.dispose();
  return { tokens, logp, rawLogp };
}

function sameForAll(
  gpu: Gpu,
  rows: number,
  seed: number | bigint | undefined,
  options: SamplingOptions,
): SamplingRows {
  check(seed !== undefined, 'value', () => 'sample: a seed is needed');
  return samplingRows(gpu, new Array(rows).fill({ ...options, seed }));
}

/** Logits after the repetition penalty and without forbidden tokens; scratch of the caller. */
function process(
  bindings: { logits: Bindable; seen?: Bindable; settings?: Bindable; forbidden?: Bindable },
  gpu: Gpu,
  { count, vocab, words }: { count: number; vocab: number; words: number },
): Tensor {
  const work = empty(gpu, [count, vocab], { purpose: 'scratch' });
  const given = Object.fromEntries(Object.entries(bindings).filter(([, tensor]) => tensor !== undefined));
  gpu.launch(
    'sampling/process',
    { ...given, work },
    { rows: count, vocab, words },
    {
      groups: [ceilDiv(vocab, WORKGROUP * 4), ...fold(gpu, count)],
      defines: { PENALTY: bindings.seen !== undefined, MASK: bindings.forbidden !== undefined },
      constants: { WORKGROUP },
    },
  );
  return work;
}

/** Random-number counters, one row per sequence, as {@link sample} wants them. */
export function randomCounters(gpu: Gpu, rows: readonly Omit<RandomAddress, 'seed'>[]): Tensor {
  const words = rows.flatMap((row) => philoxCounter({ seed: 0, ...row }));
  return fromHost(gpu, Uint32Array.from(words), [rows.length, 4], 'u32');
}

/** A set of tokens as u32 [ceil(V / 32)], one bit per token. */
export function tokenMask(gpu: Gpu, vocab: number, tokens: Iterable<number>): Tensor {
  const bits = new Uint32Array(ceilDiv(vocab, 32));
  for (const token of tokens) {
    check(Number.isInteger(token) && token >= 0 && token < vocab, 'value', () => {
      return `tokenMask: token id ${token} is not in 0..${vocab - 1}`;
    });
    bits[token >> 5] |= 1 << (token & 31);
  }
  return fromHost(gpu, bits, [bits.length], 'u32');
}

/** An empty token history for `rows` sequences: u32 [rows, ceil(V / 32)], one bit per token. */
export function seenTokens(gpu: Gpu, rows: number, vocab: number): Tensor {
  return zeros(gpu, [rows, ceilDiv(vocab, 32)], { dtype: 'u32' });
}

/** Adds `tokens` (i32 [B, n]; ids outside the vocabulary, such as -1 for padding, are skipped) to the history. */
export function markSeen(seen: Tensor, tokens: Tensor, vocab: number): void {
  const op = 'markSeen';
  const gpu = checkDevice(op, seen, tokens);
  const words = ceilDiv(vocab, 32);
  checkDtype(op, 'tokens', tokens, 'i32');
  checkShapeIs(op, 'tokens', tokens, [-1, -1]);
  const [rows, perRow] = tokens.shape;
  checkMask(op, 'seen', seen, [rows, words]);
  gpu.launch(
    'sampling/mark',
    { tokens, seen },
    { rows, perRow, words, vocab },
    { groups: fold(gpu, ceilDiv(tokens.size, WORKGROUP)), constants: { WORKGROUP } },
  );
}

function checkMask(op: string, name: string, mask: Tensor | undefined, shape: readonly number[]): void {
  if (!mask) return;
  checkDtype(op, name, mask, 'u32');
  checkShapeIs(op, name, mask, shape);
}

function checkOptions(options: SamplingOptions): Required<SamplingOptions> {
  const all = {
    temperature: options.temperature ?? 1,
    topK: options.topK ?? 0,
    topP: options.topP ?? 1,
    minP: options.minP ?? 0,
    minTokensToKeep: options.minTokensToKeep ?? 1,
    repetitionPenalty: options.repetitionPenalty ?? 1,
  };
  const rules: Record<keyof SamplingOptions, readonly [valid: (x: number) => boolean, rule: string]> = {
    temperature: [(x) => x >= 0 && Number.isFinite(x), 'a number >= 0'],
    topK: [(x) => Number.isInteger(x) && x >= 0, 'an integer >= 0'],
    topP: [(x) => x >= 0 && x <= 1, 'in [0, 1]'],
    minP: [(x) => x >= 0 && x <= 1, 'in [0, 1]'],
    minTokensToKeep: [(x) => Number.isInteger(x) && x >= 1, 'an integer >= 1'],
    repetitionPenalty: [(x) => x > 0 && Number.isFinite(x), 'a positive number'],
  };
  for (const [name, [valid, rule]] of Object.entries(rules)) {
    const value = all[name as keyof SamplingOptions];
    check(valid(value), 'value', () => `sample: ${name} is ${value}; it must be ${rule}`);
  }
  return all;
}
